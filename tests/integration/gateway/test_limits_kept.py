"""Calls within their budgets, and providers that tell to wait."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bailee.manage import callers
from bailee.model import DEFAULT_TENANT, CallerLimits
from bailee.reference.pki import World
from bailee.supervise.bus import Bus
from gate import Client, Reply, request
from integration.gateway.conftest import CREDENTIAL, Stage
from integration.gateway.staging import (
    call,
    journal,
    plain_answer,
    raw_answer,
    staged,
    staged_preset,
    until,
)
from integration.gateway.test_signing import KRAKEN
from node_bus import Wire
from origin import Arrived, answer

pytestmark = pytest.mark.anyio

CONNECTION = '[[budget]]\nper = "connection"\ncalls = 20\nseconds = 60\nburst = 2\n'
JSON = {"Content_Type": "application/json"}
EGRESS = CONNECTION.replace("connection", "egress")


@asynccontextmanager
async def staged_on_bus(
    directory: Path, world: World, **more: Any
) -> AsyncIterator[tuple[Stage, Wire]]:
    """A gate whose budgets lie in a supervisor's ledger, and the line between them."""
    wire = Wire(Bus(time.monotonic))
    async with staged(directory, world, say=wire.say, **more) as stage:
        wire.connect(stage.gate.line.budgets)
        yield stage, wire


def add_connection(stage: Stage) -> str:
    """Add another connection that the caller may use, and return its id."""
    connection = stage.house.add_connection(stage.provider, {"api_key": CREDENTIAL}, "u2")
    stage.house.grant(connection, "* /**")
    return connection


async def call_other(stage: Stage, connection: str, token: str = "") -> Reply:
    """Call through another connection."""
    client = await Client.open(stage.port)
    try:
        return await client.call(request("GET", f"/{connection}/p", token or stage.token))
    finally:
        client.close()


def is_refused(reply: Reply, code: str) -> bool:
    """Whether a reply is a 429 of ours that says when to come again, and that nothing was sent."""
    assert "retry-after" in reply.headers, reply
    assert int(reply.headers["retry-after"]) >= 1
    return (reply.status, reply.headers["bailee-error"]) == (429, code)


async def test_connection_budget_when_it_is_used_up(tmp_path: Path, world: World) -> None:
    """No more than the budget leaves; a refused call is not recorded, and others go on."""
    async with staged_on_bus(tmp_path, world, more=CONNECTION) as (stage, _):
        replies = [await call(stage) for _ in range(4)]
        assert [reply.status for reply in replies[:2]] == [200, 200]
        assert all(is_refused(reply, "budget-exhausted") for reply in replies[2:])
        assert b'"reached":"nothing"' in replies[2].body
        assert (await call_other(stage, add_connection(stage))).status == 200
        assert len(stage.origin.arrived) == 3
        assert len(journal(stage, "intent")) == len(journal(stage, "outcome")) == 3


async def test_egress_budget_when_it_is_used_up(tmp_path: Path, world: World) -> None:
    """All connections to the provider count together, where it counts by address."""
    async with staged_on_bus(tmp_path, world, more=EGRESS) as (stage, _):
        other = add_connection(stage)
        assert (await call(stage)).status == (await call_other(stage, other)).status == 200
        assert is_refused(await call(stage), "budget-exhausted")
        assert is_refused(await call_other(stage, other), "budget-exhausted")


async def test_caller_limit_when_it_is_used_up(tmp_path: Path, world: World) -> None:
    """A caller's own limit holds over all its connections, and for no other caller."""
    async with staged_on_bus(tmp_path, world, caller_calls_per_second=2) as (stage, _):
        other = add_connection(stage)
        freed = callers.add(
            stage.house.store,
            DEFAULT_TENANT,
            "free",
            time.time(),
            limits=CallerLimits(calls_per_second=1000),
        )
        stage.house.grant(stage.connection, "* /**", caller="free")
        stage.gate.snapshot.refresh()
        assert (await call(stage)).status == 200
        assert is_refused(await call_other(stage, other), "budget-exhausted")
        token = freed.token.text.reveal().decode()
        assert {(await call(stage, token=token)).status for _ in range(10)} == {200}


async def test_known_head_when_the_budget_is_used_up(tmp_path: Path, world: World) -> None:
    """What is remembered of a request lets nobody past the budget."""
    async with staged_on_bus(tmp_path, world, more=CONNECTION) as (stage, _):
        client = await Client.open(stage.port)
        raw = request("GET", f"/{stage.connection}/p", stage.token)
        assert [(await client.call(raw)).status for _ in range(4)] == [200, 200, 429, 429]
        client.close()


async def test_pipelined_calls_when_they_wait_for_tokens(tmp_path: Path, world: World) -> None:
    """Each waits in its turn, and is answered in its turn."""
    async with staged_on_bus(tmp_path, world, more=CONNECTION) as (stage, _):
        client = await Client.open(stage.port)
        raw = request("POST", f"/{stage.connection}/p", stage.token, b"x" * 70_000)
        await client.send(raw * 3)
        assert [(await client.reply()).status for _ in range(3)] == [200, 200, 429]
        assert [len(each.body) for each in stage.origin.arrived] == [70_000] * 2
        client.close()


async def test_waiting_call_when_the_client_hangs_up(tmp_path: Path, world: World) -> None:
    """It is not recorded, and what comes for it serves another call."""
    async with staged_on_bus(tmp_path, world, more=CONNECTION) as (stage, wire):
        wire.hold()
        client = await Client.open(stage.port)
        await client.send(request("GET", f"/{stage.connection}/p", stage.token))
        await until(lambda: len(wire.said) == 1)
        client.close()
        await until(lambda: not stage.gate.line.calls)
        wire.release()
        assert [(await call(stage)).status for _ in range(3)] == [200, 200, 429]
        assert len(journal(stage, "intent")) == 2


async def test_waiting_call_when_it_is_revoked(tmp_path: Path, world: World) -> None:
    """It is refused as it would be anew, and nothing is recorded or sent."""
    async with staged_on_bus(tmp_path, world, more=CONNECTION) as (stage, wire):
        wire.hold()
        waiting = asyncio.get_running_loop().create_task(call(stage))
        await until(lambda: len(wire.said) == 1)
        callers.revoke(stage.house.store, DEFAULT_TENANT, "app", time.time())
        assert (await waiting).status == 401
        wire.release()
        await asyncio.sleep(0.01)
        assert (stage.origin.arrived, journal(stage, "intent")) == ([], [])


async def test_waiting_call_when_the_provider_tells_to_wait(tmp_path: Path, world: World) -> None:
    """A ban that comes while it waits for a token holds for it too."""
    limited = raw_answer(b"HTTP/1.1 429 No\r\nRetry-After: 9\r\nContent-Length: 0\r\n\r\n")
    async with staged_on_bus(tmp_path, world, more=CONNECTION, respond=limited) as (stage, wire):
        assert (await call(stage)).headers.get("bailee-error") is None
        stage.gate.line.budgets.bans.any = False  # as if this call had come before the answer
        wire.hold()
        waiting = asyncio.get_running_loop().create_task(call(stage))
        await until(lambda: len(wire.said) >= 3)
        stage.gate.line.budgets.bans.any = True
        wire.release()
        assert is_refused(await waiting, "provider-limited")
        assert len(stage.origin.arrived) == len(journal(stage, "intent")) == 1


async def test_ledger_when_it_does_not_answer(tmp_path: Path, world: World) -> None:
    """After a second at most the call is refused with 503, and nothing was sent."""
    async with staged_on_bus(tmp_path, world, more=CONNECTION) as (stage, wire):
        wire.hold()
        reply = await call(stage)
        assert (reply.status, reply.headers["bailee-error"]) == (503, "overloaded")
        assert stage.origin.arrived == []


async def test_answer_when_it_limits_a_connection(tmp_path: Path, world: World) -> None:
    """It is passed on; then the connection waits for as long as was told, and no other does."""
    respond = plain_answer("Retry-After: 30\r\n", status="429 Too Many Requests")
    async with staged(tmp_path, world, respond=respond) as stage:
        first = await call(stage)
        assert (first.status, first.headers.get("bailee-error")) == (429, None)
        assert first.headers["retry-after"] == "30"
        second = await call(stage)
        assert is_refused(second, "provider-limited")
        assert second.headers["retry-after"] in ("30", "31")
        assert len(stage.origin.arrived) == 1
        assert (await call_other(stage, add_connection(stage))).headers.get("bailee-error") is None


@pytest.mark.parametrize(
    ("status", "more"), [("418 Banned", ""), ("429 Too Many", EGRESS)], ids=["418", "by address"]
)
async def test_answer_when_it_limits_an_address(
    tmp_path: Path, world: World, status: str, more: str
) -> None:
    """After a 418, or where the provider counts by address, all of the address's calls wait."""
    respond = plain_answer(status=status)
    async with staged(tmp_path, world, respond=respond, more=more) as stage:
        other = add_connection(stage)
        assert (await call(stage)).headers.get("bailee-error") is None
        assert is_refused(await call_other(stage, other), "provider-limited")
        assert len(stage.origin.arrived) == 1


async def test_answer_when_its_body_says_that_it_limits(tmp_path: Path, world: World) -> None:
    """What the provider's file calls limited counts as a 429 does, inside a 200 too."""
    body = b'{"error":["EAPI:Rate limit exceeded"]}'
    respond = plain_answer("Content-Type: application/json\r\n", body)
    async with staged_preset(tmp_path, world, "kraken", KRAKEN, respond) as stage:
        reply = await call(stage, "POST", "/0/private/Balance", b"")
        assert reply.headers["bailee-verdict"] == "limited"
        refused = await call(stage, "POST", "/0/private/Balance", b"")
        assert is_refused(refused, "provider-limited")


async def test_limit_when_its_time_is_over(tmp_path: Path, world: World) -> None:
    """After a second without a told time calls leave again; served answers limit nothing."""
    statuses = iter(["429 Too Many", "200 OK", "503 Busy", "403 No"])

    async def respond(_arrived: Arrived, writer: asyncio.StreamWriter) -> None:
        await answer(writer, b"{}", next(statuses))

    async with staged(tmp_path, world, respond=respond) as stage:
        assert (await call(stage)).status == 429
        assert is_refused(await call(stage), "provider-limited")
        await asyncio.sleep(1.05)
        assert [(await call(stage)).status for _ in range(3)] == [200, 503, 403]


@pytest.mark.parametrize("more", [{}, {"Bailee_Once": "k1"}], ids=["pooled", "in a task"])
async def test_call_on_its_way_when_the_provider_tells_to_wait(
    tmp_path: Path, world: World, more: dict[str, str]
) -> None:
    """A call whose body is still coming when the limit is told does not leave any more."""
    respond = plain_answer("Retry-After: 30\r\n", status="429 Too Many Requests")
    rule = ('POST /rpc body $.m = "a"', "GET /**")
    async with staged(tmp_path, world, respond=respond, rules=rule) as stage:
        client = await Client.open(stage.port)
        path, body, more = f"/{stage.connection}/rpc", b'{"m":"a"}', more | JSON
        raw = request("POST", path, stage.token, body, **more)
        await client.send(raw[:-1])
        await until(lambda: len(journal(stage, "intent")) == 1)
        assert (await call(stage)).status == 429
        await client.send(raw[-1:])
        assert is_refused(await client.reply(), "provider-limited")
        client.close()
        assert len(stage.origin.arrived) == 1
        assert journal(stage, "outcome")[-1]["error"] == "provider-limited"
        assert journal(stage, "outcome")[-1]["reached"] == "nothing"
