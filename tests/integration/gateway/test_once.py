"""`Bailee-Once`: of all calls that have a key, one is sent (R14), and a write never twice (R35)."""

import asyncio
import json
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bailee.errors import ConnectionRevoked
from bailee.gateway.once import Claim
from bailee.manage import tokens
from bailee.manage.derived import derive
from bailee.model import DEFAULT_TENANT
from bailee.reference.pki import World
from bailee.store.engine import Store, migrate
from gate import Client, Gate, Reply, request, run_gate
from integration.gateway.conftest import Stage
from integration.gateway.staging import (
    call,
    journal,
    port_of,
    raw_answer,
    staged,
    staged_preset,
    until,
    wild_origin,
)
from integration.gateway.test_signing import KRAKEN, nonces_of
from origin import Arrived, answer

pytestmark = pytest.mark.anyio

KEY = "order-4711"
FORM = {"Content_Type": "application/x-www-form-urlencoded"}


async def once(stage: Stage, key: str = KEY, gate: Gate | None = None, **more: Any) -> Reply:
    """Send a write with a key, to another worker than the stage's if one is given."""
    client = await Client.open((gate or stage.gate).port)
    method, path = more.pop("method", "POST"), more.pop("path", "/orders")
    body = more.pop("body", b"{}" if method == "POST" else None)
    token = more.pop("token", stage.token)
    raw = request(method, f"/{stage.connection}{path}", token, body, Bailee_Once=key, **more)
    try:
        return await client.call(raw)
    finally:
        client.close()


def refused_for(reply: Reply, first: Reply) -> bool:
    """Whether an answer is the refusal of a second use, and names the first one."""
    named = reply.headers.get("bailee-first-call")
    return (
        (reply.status, reply.headers.get("bailee-error")) == (409, "once-used")
        and named == first.headers["bailee-call"]
        and named != reply.headers["bailee-call"]
    )


def rows(stage: Stage) -> list[str]:
    """The calls that have a key."""
    with stage.house.store.read() as conn:
        return list(conn.execute(sa.text("SELECT call_id FROM once_keys")).scalars())


@contextmanager
def held_database(stage: Stage) -> Iterator[None]:
    """Nobody else can write while the block runs: claims wait."""
    with stage.house.store.write():
        yield


async def test_a_key_is_served_once(stage: Stage) -> None:
    """The second use is told the first call's id, and of what has our key nothing is sent on."""
    first = await once(stage, Idempotency_Key="i1")
    second = await once(stage, Idempotency_Key="i1")
    assert first.status == 200
    assert "bailee-first-call" not in first.headers
    assert "bailee-dropped" not in first.headers
    assert refused_for(second, first)
    told = json.loads(second.body)
    assert told["first_call"] == first.headers["bailee-call"]
    assert told["first_call"] in told["detail"]
    assert (told["reached"], told["retryable"], told["fault"]) == ("nothing", False, "caller")
    (arrived,) = stage.origin.arrived
    assert KEY not in arrived.head.decode()
    assert arrived.headers["idempotency-key"] == "i1"
    assert (await once(stage, "order-4712")).status == 200
    assert (await call(stage)).status == 200


async def test_a_refused_use_is_recorded_and_dials_nobody(tmp_path: Path, world: World) -> None:
    """Its intent and outcome are in the journal; the provider need not even be there."""
    async with staged(tmp_path, world) as stage:
        first = await once(stage)
        stage.gate.pool.close()
        before = stage.origin.handshakes
        second = await once(stage)
        assert refused_for(second, first)
        assert stage.origin.handshakes == before
        outcome = journal(stage, "outcome")[-1]
        assert outcome["call"] == second.headers["bailee-call"]
        assert (outcome["error"], outcome["reached"]) == ("once-used", "nothing")
        assert len(journal(stage, "intent")) == 2


@pytest.mark.parametrize(
    "other",
    [{"method": "GET"}, {"method": "HEAD"}, {"path": "/elsewhere"}, {"body": b"other"}],
)
async def test_a_key_is_used_whatever_it_comes_with(stage: Stage, other: dict[str, Any]) -> None:
    """Another method, path or body does not make it another key."""
    first = await once(stage)
    assert refused_for(await once(stage, **other), first)
    assert len(stage.origin.arrived) == 1


async def test_a_request_that_is_known_by_its_bytes_is_refused_too(stage: Stage) -> None:
    """The same bytes on a kept connection mean the same key; no such head is kept."""
    client = await Client.open(stage.port)
    raw = request("GET", f"/{stage.connection}/p", stage.token, Bailee_Once=KEY)
    first = await client.call(raw)
    assert first.status == 200
    for _ in range(3):
        assert refused_for(await client.call(raw), first)
    assert len(stage.gate.snapshot.heads) == 0
    plain = request("GET", f"/{stage.connection}/p", stage.token)
    assert [(await client.call(plain)).status for _ in range(2)] == [200, 200]
    assert len(stage.gate.snapshot.heads) == 1
    client.close()
    assert len(stage.origin.arrived) == 3


async def test_of_many_at_once_one_is_sent(stage: Stage) -> None:
    """Twenty uses over two workers: one answer, and nineteen that name it."""
    async with run_gate(stage.house) as second:
        gates = (stage.gate, second)
        replies = await asyncio.gather(*(once(stage, gate=gates[n % 2]) for n in range(20)))
    (served,) = (reply for reply in replies if reply.status == 200)
    assert sum(refused_for(reply, served) for reply in replies) == 19
    assert len(stage.origin.arrived) == 1
    assert rows(stage) == [served.headers["bailee-call"]]


async def test_a_restart_forgets_nothing(stage: Stage) -> None:
    """A worker that begins later knows the keys of one that has ended."""
    async with run_gate(stage.house) as before:
        first = await once(stage, gate=before)
    async with run_gate(stage.house) as after:
        assert refused_for(await once(stage, gate=after), first)
    assert len(stage.origin.arrived) == 1


async def test_a_key_is_its_callers(stage: Stage) -> None:
    """Another caller's is another key; another token of the same caller's is the same one."""
    second = stage.house.add_caller("app2")
    stage.house.grant(stage.connection, "* /**", caller="app2")
    first = await once(stage)
    theirs = await once(stage, token=second)
    assert (first.status, theirs.status) == (200, 200)
    now, store = time.time(), stage.house.store
    parent = tokens.issue_operator(store, DEFAULT_TENANT, "test", now).token.id
    derived = derive(store, DEFAULT_TENANT, parent, "app", now, subject="u1", seconds=60)
    again = await once(stage, token=derived.text.reveal().decode())
    assert refused_for(again, first)
    assert refused_for(await once(stage, token=second), theirs)


@pytest.mark.parametrize("key", ["", "a b", "a\tb", "x" * 129, "\xe4", "a\x7f"])
async def test_what_is_no_key_is_refused(stage: Stage, key: str) -> None:
    """400, before anything is recorded."""
    assert (await once(stage, key)).status == 400
    assert journal(stage, "intent") == []
    assert stage.origin.connections == 0


async def test_two_keys_are_refused(stage: Stage) -> None:
    """Whichever is meant: neither is used."""
    raw = request("POST", f"/{stage.connection}/orders", stage.token, b"", Bailee_Once=KEY)
    client = await Client.open(stage.port)
    line, rest = raw.split(b"\r\n", 1)
    reply = await client.call(line + b"\r\nbailee-once: " + KEY.encode() + b"\r\n" + rest)
    client.close()
    assert (reply.status, reply.headers["bailee-error"]) == (400, "malformed-request")
    assert rows(stage) == []


@pytest.mark.parametrize("key", ["!", "~" * 128, '{"a":[1,2]};=\\'])
async def test_any_visible_ascii_is_a_key(stage: Stage, key: str) -> None:
    """From one to 128 characters."""
    first = await once(stage, key)
    assert first.status == 200
    assert refused_for(await once(stage, key), first)


# --- what gives a key back, and what does not ---


async def test_a_call_that_can_not_be_signed_gives_its_key_back(
    tmp_path: Path, world: World
) -> None:
    """Before it is told so: whoever comes again at once, at another worker too, is served."""
    async with staged_preset(tmp_path, world, "kraken", KRAKEN) as stage:
        delay_releases(stage)
        more = {"path": "/0/private/AddOrder", **FORM}
        refused = await once(stage, body=b"nonce=1&nonce=2", **more)
        assert refused.headers["bailee-error"] == "unsignable-request"
        assert rows(stage) == []
        assert stage.origin.plain_bytes == 0
        async with run_gate(stage.house) as second:
            served = await once(
                stage, gate=second, body=b"pair=XBTUSD", Idempotency_Key="i", **more
            )
            assert served.status == 200
            assert refused_for(await once(stage, body=b"pair=XBTUSD", **more), served)
        (arrived,) = stage.origin.arrived
        assert arrived.headers["idempotency-key"] == "i"
        assert KEY not in arrived.head.decode()


def delay_releases(stage: Stage) -> None:
    """Let each release take a while, so that what does not wait for it comes before."""
    keys = stage.gate.line.once
    release = keys._release

    def slow(claim: Claim) -> None:
        time.sleep(0.2)
        release(claim)

    keys._release = slow  # type: ignore[method-assign]  # it stays itself, but for the wait


async def test_a_call_without_a_nonce_gives_its_key_back(tmp_path: Path, world: World) -> None:
    """The key is taken first and the nonce last; without one nothing is sent."""
    async with staged_preset(tmp_path, world, "kraken", KRAKEN) as stage:
        nonces = stage.gate.line.nonces
        clock, nonces._clock = nonces._clock, lambda: 1e18
        more = {"path": "/0/private/Balance", "body": b"", **FORM}
        assert (await once(stage, **more)).headers["bailee-error"] == "bad-input"
        assert rows(stage) == []
        nonces._clock = clock
        assert (await once(stage, **more)).status == 200
        assert len(stage.origin.arrived) == 1


async def test_a_key_that_takes_long_does_not_disorder_nonces(tmp_path: Path, world: World) -> None:
    """The nonce is leased when the key is there: what was leased later is not sent before."""
    async with staged_preset(tmp_path, world, "kraken", KRAKEN) as stage:
        watched_claims(stage, 0.2)
        more = {"path": "/0/private/Balance", "body": b"", **FORM}
        waiting = asyncio.get_running_loop().create_task(once(stage, **more))
        await until(lambda: claiming(stage))
        assert (await call(stage, "POST", "/0/private/Balance", b"", **FORM)).status == 200
        assert (await waiting).status == 200
        nonces = nonces_of(stage)
        assert len(nonces) == 2
        assert nonces == sorted(nonces)


async def test_a_call_that_can_not_be_dialled_leaves_its_key_free(
    tmp_path: Path, world: World
) -> None:
    """The key is not even taken."""
    async with staged(tmp_path, world, upstream=1) as stage:
        for _ in range(2):
            reply = await once(stage)
            assert reply.headers["bailee-error"] == "provider-unreachable"
        assert rows(stage) == []


async def test_a_key_is_taken_once_when_the_stream_dies_meanwhile(
    tmp_path: Path, world: World
) -> None:
    """Another stream is dialled, and the key that the call has by then is not asked for again."""
    began = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal began
        began += 1
        if began > 1:
            await reader.readuntil(b"\r\n\r\n")
            await answer(writer)
        else:
            await until(lambda: claiming(stage))

    async with (
        wild_origin(world.leaf, serve) as server,
        staged(tmp_path, world, upstream=port_of(server)) as stage,
    ):
        asked = watched_claims(stage)
        with held_database(stage):
            asking = asyncio.get_running_loop().create_task(once(stage, body=b""))
            await until(lambda: claiming(stage))
            await asyncio.sleep(0.05)
        first = await asking
        assert (first.status, began, len(asked)) == (200, 2, 1)
        assert rows(stage) == [first.headers["bailee-call"]]


def watched_claims(stage: Stage, seconds: float = 0.0) -> list[Claim]:
    """What is asked for from now on; each claim waits for a while before."""
    keys, asked = stage.gate.line.once, list[Claim]()
    claim = keys._claim

    def watched(wanted: Claim) -> None:
        asked.append(wanted)
        time.sleep(seconds)
        claim(wanted)

    keys._claim = watched  # type: ignore[method-assign]  # it stays itself, but for the wait
    return asked


def vanish(client: Client) -> None:
    """Hang up so that the other side is told at once, in the middle of a call too."""
    sock = client.writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


async def test_a_client_that_leaves_while_its_key_is_taken_gives_it_back(stage: Stage) -> None:
    """The claim may still come through: the release comes after it."""
    with held_database(stage):
        client = await Client.open(stage.port)
        raw = request("POST", f"/{stage.connection}/o", stage.token, b"", Bailee_Once=KEY)
        await client.send(raw)
        await until(lambda: claiming(stage))
        vanish(client)
        await until(lambda: not stage.gate.line.calls)
    assert (await once(stage)).status == 200
    assert len(stage.origin.arrived) == 1
    first = journal(stage, "outcome")[0]
    assert (first["error"], first["reached"]) == ("client-gone", "nothing")


def claiming(stage: Stage) -> bool:
    """Whether a call has asked for its key."""
    departures = [each._departure for each in stage.gate.line.calls]
    return any(each is not None and each.claimed is not None for each in departures)


@pytest.mark.parametrize("leaves", [False, True])
async def test_a_call_that_is_revoked_while_its_key_is_taken_gives_it_back(
    stage: Stage, leaves: bool
) -> None:
    """It is answered when the key is free, if anybody is still there; the next call goes on."""
    with held_database(stage):
        client = await Client.open(stage.port)
        raw = request("POST", f"/{stage.connection}/o", stage.token, b"", Bailee_Once=KEY)
        await client.send(raw)
        await until(lambda: claiming(stage))
        for each in list(stage.gate.line.calls):
            each.revoke(ConnectionRevoked())
        if leaves:
            vanish(client)
        await asyncio.sleep(0.05)
    if not leaves:
        assert (await client.reply()).status == 410
        assert rows(stage) == []
        assert (await client.call(raw)).status == 200
        client.close()
    else:
        assert (await once(stage)).status == 200
    assert len(stage.origin.arrived) == 1


async def test_without_a_database_nothing_with_a_key_is_sent(stage: Stage, tmp_path: Path) -> None:
    """503, and a call without a key goes on by what was read before."""
    url = f"sqlite:///{tmp_path / 'away.db'}"
    migrate(url)
    away = Store.open(url)
    for file in tmp_path.glob("away.db*"):
        file.unlink()
    stage.gate.line.once._store = away
    reply = await once(stage)
    assert (reply.status, reply.headers["bailee-error"]) == (503, "store-unavailable")
    assert json.loads(reply.body)["reached"] == "nothing"
    assert stage.origin.plain_bytes == 0
    assert (await call(stage)).status == 200
    away.close()


@pytest.mark.parametrize("status", ["200 OK", "400 Bad Request", "503 Service Unavailable"])
async def test_an_answered_call_keeps_its_key(stage: Stage, status: str) -> None:
    """Whatever the provider said: it was asked."""

    async def respond(_: Arrived, writer: asyncio.StreamWriter) -> None:
        await answer(writer, status=status)

    stage.origin.respond = respond
    first = await once(stage)
    assert first.status == int(status.split()[0])
    assert refused_for(await once(stage), first)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "GET"])
async def test_a_lost_answer_keeps_the_key_and_says_what_to_look_for(
    stage: Stage, method: str
) -> None:
    """R35: nothing with a key is sent again, on a pooled stream that died either."""
    assert (await call(stage, path="/warm")).status == 200

    async def respond(arrived: Arrived, writer: asyncio.StreamWriter) -> None:
        if arrived.stream == 0:
            writer.transport.abort()
        else:
            await answer(writer)

    stage.origin.respond = respond
    before = time.time()
    lost = await once(stage, method=method, path="/orders?secret=x")
    assert lost.headers["bailee-error"] == "outcome-unknown"
    told = json.loads(lost.body)
    assert (told["method"], told["path"]) == (method, "/orders")
    assert before - 0.001 <= told["sent_at"] <= time.time()
    assert told["call"] == lost.headers["bailee-call"]
    assert (told["reached"], told["retryable"]) == ("maybe", False)
    assert "not sent again" in told["hint"]
    assert "secret" not in lost.body.decode()
    assert refused_for(await once(stage, method=method), lost)
    assert len(stage.origin.arrived) == 2


async def test_an_answer_that_does_not_come_keeps_the_key(tmp_path: Path, world: World) -> None:
    """A GET with a key is no safe method either: its outcome is unknown."""

    async def respond(_: Arrived, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(30)

    async with staged(tmp_path, world, respond=respond, idle_seconds=0.3) as stage:
        lost = await once(stage, method="GET")
        assert lost.headers["bailee-error"] == "outcome-unknown"
        assert refused_for(await once(stage, method="GET"), lost)
        assert len(stage.origin.arrived) == 1


async def test_a_write_without_a_key_says_what_to_look_for_too(
    tmp_path: Path, world: World
) -> None:
    """Where it left from the pool, where it was signed, and where the answer made no sense."""
    async with staged(tmp_path, world, respond=raw_answer(b"nonsense\r\n\r\n")) as stage:
        before = time.time()
        reply = await call(stage, "POST", "/a%7eb", b"x")
        told = json.loads(reply.body)
        assert told["code"] == "answer-malformed"
        assert (told["method"], told["path"]) == ("POST", "/a~b")
        assert before - 0.001 <= told["sent_at"] <= time.time()
        assert "sent_at" not in json.loads((await call(stage)).body)
    respond = raw_answer(b"", close=True)
    async with staged_preset(tmp_path / "k", world, "kraken", KRAKEN, respond) as stage:
        before = time.time()
        told = json.loads((await call(stage, "POST", "/0/private/Balance", b"", **FORM)).body)
        assert (told["code"], told["path"]) == ("outcome-unknown", "/0/private/Balance")
        assert before - 0.001 <= told["sent_at"] <= time.time()


async def test_a_body_is_asked_for_when_the_key_was_taken(stage: Stage) -> None:
    """A client that waits for 100 sends no body in vain: the refusal comes instead."""
    first = await once(stage)
    client = await Client.open(stage.port)
    raw = request("POST", f"/{stage.connection}/orders", stage.token, Bailee_Once=KEY,
                  Content_Length=5, Expect="100-continue")  # fmt: skip
    await client.send(raw)
    assert (await client.reader.readline()).startswith(b"HTTP/1.1 409 ")
    client.close()
    assert len(stage.origin.arrived) == 1
    assert first.status == 200
