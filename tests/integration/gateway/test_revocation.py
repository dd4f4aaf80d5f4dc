"""What is taken back is gone within a second, for the next call and for those under way (R7)."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bailee.manage import callers, connections, egress, erasure, grants, incident, tokens
from bailee.model import DEFAULT_TENANT, EgressState
from bailee.reference.pki import World
from bailee.store.scope import ALL_TENANTS
from bailee.vault.statements import sign_egress_address
from gate import Client, request, run_gate
from house import House, build_house, make_provider
from integration.gateway.conftest import CREDENTIAL, Stage
from integration.gateway.staging import call, journal
from integration.gateway.tampering import Database, held_up, noticed
from origin import Arrived, Origin, answer, run_origin

pytestmark = pytest.mark.anyio
SECONDS = 1.0
"""After this a revocation works."""


async def respond(arrived: Arrived, writer: asyncio.StreamWriter) -> None:
    """Answer at once, but `/stream` with a piece every 20 ms without end."""
    if not arrived.request_line.startswith("GET /stream"):
        await answer(writer)
        return
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"5\r\npiece\r\n")
        await writer.drain()
        await asyncio.sleep(0.02)


@pytest.fixture
async def house_and_origin(tmp_path: Path, world: World) -> AsyncIterator[tuple[House, Origin]]:
    house = build_house(tmp_path / "vault")
    async with run_origin(world.leaf, respond) as origin:
        yield house, origin
    house.store.close()


@pytest.fixture
async def stage(house_and_origin: tuple[House, Origin], world: World) -> AsyncIterator[Stage]:
    """A gateway in front of an origin that streams."""
    house, origin = house_and_origin
    provider = make_provider(origin.port, world.root.pem.decode())
    house.approve_provider(provider)
    house.approve_pins(provider.id, [world.leaf.pin])
    connection = house.add_connection(provider, {"api_key": CREDENTIAL})
    token = house.add_caller()
    house.grant(connection, "* /**")
    async with run_gate(house) as gate:
        yield Stage(house, world, origin, provider, connection, token, gate)


class Streaming:
    """A client in the middle of an answer without end."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.received = b""

    @classmethod
    async def begin(cls, stage: Stage, token: str | None = None) -> "Streaming":
        streaming = cls(await Client.open(stage.port))
        await streaming.client.send(
            request("GET", f"/{stage.connection}/stream", token or stage.token)
        )
        while streaming.received.count(b"piece") < 2:
            streaming.received += await asyncio.wait_for(streaming.client.reader.read(4096), 5)
        assert streaming.received.startswith(b"HTTP/1.1 200 ")
        return streaming

    async def seconds_until_cut(self) -> float:
        """Read on until the gateway ends the connection; it must not look like a whole answer."""
        began = time.monotonic()
        try:
            async with asyncio.timeout(2):
                while more := await self.client.reader.read(4096):
                    self.received += more
        except ConnectionError:
            pass
        except TimeoutError:
            return float("inf")
        finally:
            self.client.close()
        assert not self.received.endswith(b"0\r\n\r\n")
        return time.monotonic() - began

    async def goes_on(self) -> None:
        """Whether pieces still come."""
        assert b"piece" in await asyncio.wait_for(self.client.reader.readuntil(b"piece"), 5)


def revoke_token(stage: Stage) -> None:
    (token,) = (
        each for each in tokens.page(stage.house.store, DEFAULT_TENANT) if each.caller is not None
    )
    tokens.revoke(stage.house.store, DEFAULT_TENANT, token.id, time.time())


def revoke_caller(stage: Stage) -> None:
    callers.revoke(stage.house.store, DEFAULT_TENANT, "app", time.time())


def revoke_connection(stage: Stage) -> None:
    connections.revoke(stage.house.store, DEFAULT_TENANT, stage.connection, time.time())


def revoke_everything(stage: Stage) -> None:
    """The incident button: all connections of all tenants."""
    assert len(incident.revoke_many(stage.house.store, ALL_TENANTS, time.time())) == 1


def revoke_provider(stage: Stage) -> None:
    provider = stage.provider.id
    incident.revoke_many(stage.house.store, DEFAULT_TENANT, time.time(), provider=provider)


def erase_subject(stage: Stage) -> None:
    erasure.erase_subject(stage.house.store, DEFAULT_TENANT, "u1")


def revoke_grant(stage: Stage) -> None:
    (grant,) = grants.page(stage.house.store, DEFAULT_TENANT)
    grants.revoke(stage.house.store, DEFAULT_TENANT, grant.grant.id, time.time())


def narrow_allowlist(stage: Stage) -> None:
    database = Database(stage.house.database)
    database.write("UPDATE callers SET allow_from = '[\"192.0.2.1\"]'")
    database.close()


def retire_egress(stage: Stage) -> None:
    (found,) = egress.list_all(stage.house.store, stage.house.verifier)
    retired = replace(found.address, state=EgressState.RETIRED, serial=found.address.serial + 1)
    signed = sign_egress_address(stage.house.authority, retired)
    egress.retire(stage.house.store, stage.house.verifier, signed)


REVOKED: dict[str, tuple[Callable[[Stage], None], int, str]] = {
    "token": (revoke_token, 401, "unauthenticated"),
    "caller": (revoke_caller, 401, "unauthenticated"),
    "connection": (revoke_connection, 410, "connection-revoked"),
    "all connections": (revoke_everything, 410, "connection-revoked"),
    "a provider's connections": (revoke_provider, 410, "connection-revoked"),
    "subject erased": (erase_subject, 404, "connection-not-found"),
    "grant": (revoke_grant, 404, "connection-not-found"),
    "egress address": (retire_egress, 503, "no-egress-address"),
}


@pytest.mark.parametrize(("revoke", "status", "code"), REVOKED.values(), ids=REVOKED.keys())
async def test_revocation_stops_the_next_call(
    stage: Stage, revoke: Callable[[Stage], None], status: int, code: str
) -> None:
    """Within a second no call is made any more, though its stream and credential were at hand."""
    assert (await call(stage)).status == 200
    revoke(stage)
    revoked = time.monotonic()
    while (reply := await call(stage)).status == 200:
        assert time.monotonic() - revoked < SECONDS
    assert (reply.status, reply.headers["bailee-error"]) == (status, code)
    arrived = len(stage.origin.arrived)
    for _ in range(3):
        assert (await call(stage)).status == status
    assert len(stage.origin.arrived) == arrived


@pytest.mark.parametrize(("revoke", "status", "code"), REVOKED.values(), ids=REVOKED.keys())
async def test_revocation_cuts_the_running_stream(
    stage: Stage, revoke: Callable[[Stage], None], status: int, code: str
) -> None:
    """A stream under way is cut on both sides within a second, and the journal says why."""
    streaming = await Streaming.begin(stage)
    revoke(stage)
    assert await streaming.seconds_until_cut() < SECONDS
    (outcome,) = journal(stage, "outcome")
    assert (outcome["status"], outcome["error"], outcome["reached"]) == (200, code, "maybe")
    assert outcome["received"] >= 10
    assert not stage.gate.line.calls


async def test_narrowed_allowlist_stops_the_next_call(stage: Stage) -> None:
    """A caller that may no longer come from its address is refused within a second."""
    assert (await call(stage)).status == 200
    narrow_allowlist(stage)
    await asyncio.sleep(0.25)
    assert (await call(stage)).status == 401


async def test_narrowed_allowlist_cuts_the_running_stream(stage: Stage) -> None:
    """The same for a stream under way: its client comes from an address that is out."""
    streaming = await Streaming.begin(stage)
    narrow_allowlist(stage)
    assert await streaming.seconds_until_cut() < SECONDS


async def test_others_go_on(stage: Stage) -> None:
    """What one caller loses cuts no other's stream."""
    other = stage.house.add_caller("other")
    stage.house.grant(stage.connection, "GET /**", caller="other")
    await asyncio.sleep(0.25)
    lost, kept = await Streaming.begin(stage), await Streaming.begin(stage, other)
    callers.revoke(stage.house.store, DEFAULT_TENANT, "app", time.time())
    assert await lost.seconds_until_cut() < SECONDS
    await kept.goes_on()
    kept.client.close()


async def test_narrowed_grant_cuts_what_it_no_longer_allows(stage: Stage) -> None:
    """A grant that now allows other paths ends the call that it would refuse."""
    streaming = await Streaming.begin(stage)
    stage.house.grant(stage.connection, "GET /other")
    (grant,) = (
        each
        for each in grants.page(stage.house.store, DEFAULT_TENANT)
        if str(each.grant.allow[0]) == "* /**"
    )
    grants.revoke(stage.house.store, DEFAULT_TENANT, grant.grant.id, time.time())
    assert await streaming.seconds_until_cut() < SECONDS
    (outcome,) = journal(stage, "outcome")
    assert outcome["error"] == "denied"


# --- expiry -------------------------------------------------------------------------------------

EXPIRED = {"tokens": 401, "grants": 404}


def expire_in(stage: Stage, table: str, seconds: float) -> None:
    database = Database(stage.house.database)
    database.write(f"UPDATE {table} SET expires_at = ?", time.time() + seconds)
    database.close()


@pytest.mark.parametrize(("table", "status"), EXPIRED.items())
async def test_expiry_stops_the_next_call(stage: Stage, table: str, status: int) -> None:
    """A token or a grant is good until it expires, and not a call longer."""
    expire_in(stage, table, 0.6)
    await asyncio.sleep(0.25)
    assert (await call(stage)).status == 200
    await asyncio.sleep(0.4)
    arrived = len(stage.origin.arrived)
    assert (await call(stage)).status == status
    assert len(stage.origin.arrived) == arrived


@pytest.mark.parametrize("table", EXPIRED)
async def test_expiry_cuts_the_running_stream(stage: Stage, table: str) -> None:
    """A stream under way outlives its token and its grant by a second at most."""
    expire_in(stage, table, 0.5)
    await asyncio.sleep(0.25)
    streaming = await Streaming.begin(stage)
    assert await streaming.seconds_until_cut() < 0.5 + SECONDS


# --- a call that is still dialling --------------------------------------------------------------


async def test_call_that_is_dialling_is_not_sent_after_a_revocation(
    house_and_origin: tuple[House, Origin], world: World
) -> None:
    """A call whose provider is slow to shake hands is given up before its credential is opened."""
    house, origin = house_and_origin
    async with held_up(house, origin, world) as held:
        revoke_grant(held.stage)
        reply = await held.client.reply()
        assert (reply.status, reply.headers["bailee-error"]) == (404, "connection-not-found")
        held.release.set()
        await asyncio.sleep(0.05)
        (outcome,) = journal(held.stage, "outcome")
    assert outcome["reached"] == "nothing"
    assert origin.plain_bytes == 0


async def test_call_that_is_dialling_keeps_to_new_pins(
    house_and_origin: tuple[House, Origin], world: World
) -> None:
    """Pins that are replaced while a call dials hold for that call too (R26)."""
    house, origin = house_and_origin
    async with held_up(house, origin, world) as held:
        house.approve_pins(held.stage.provider.id, [World.create().leaf.pin])
        database = Database(house.database)
        await noticed(held.stage.gate, database)
        database.close()
        held.release.set()
        reply = await held.client.reply()
    assert reply.status >= 500
    assert origin.plain_bytes == 0


# --- the database -------------------------------------------------------------------------------


@pytest.mark.parametrize("stale_seconds", [0.0, 1.0])
async def test_without_database_calls_are_refused(
    stage: Stage, world: World, stale_seconds: float
) -> None:
    """After stale_seconds and one second nobody knows what is allowed, and nothing is sent."""
    database = stage.house.database
    away = database.with_name("away.db")
    async with run_gate(stage.house, stale_seconds=stale_seconds) as stage.gate:
        assert (await call(stage)).status == 200
        os.rename(database, away)
        gone = time.monotonic()
        while (reply := await call(stage)).status == 200:
            assert time.monotonic() - gone < stale_seconds + 1.0 + SECONDS
            await asyncio.sleep(0.02)
        assert time.monotonic() - gone > stale_seconds + 0.7
        assert (reply.status, reply.headers["bailee-error"]) == (503, "store-unavailable")
        arrived = len(stage.origin.arrived)
        assert (await call(stage, "POST", body=b"order")).status == 503
        assert len(stage.origin.arrived) == arrived
        os.rename(away, database)
        await asyncio.sleep(0.25)
        assert (await call(stage)).status == 200


@pytest.mark.parametrize("same_revision", [False, True])
async def test_database_that_was_put_in_its_place_is_read(
    stage: Stage, same_revision: bool
) -> None:
    """A restored backup is noticed, whatever its revision is: what it does not know is refused."""
    assert (await call(stage)).status == 200
    other = build_house(stage.house.directory.parent / "other")
    other.store.close()
    if same_revision:
        here, there = Database(stage.house.database), Database(other.database)
        there.write("UPDATE revision SET value = ?", here.read("SELECT value FROM revision"))
        here.close()
        there.close()
    os.rename(other.database, stage.house.database)
    for rest in ("-wal", "-shm"):
        stage.house.database.with_name(stage.house.database.name + rest).unlink()
    await asyncio.sleep(0.25)
    arrived = len(stage.origin.arrived)
    assert (await call(stage)).status == 401
    assert len(stage.origin.arrived) == arrived
