"""R12, R37, R38: one too many is refused at once, and one provider's trouble stays its own."""

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bailee.gateway import pipeline
from bailee.manage import callers
from bailee.model import DEFAULT_TENANT
from bailee.reference.pki import World
from gate import Client, Reply, request
from house import make_provider
from integration.gateway.conftest import CREDENTIAL, Stage
from integration.gateway.staging import call, staged, until
from origin import Arrived, answer

pytestmark = pytest.mark.anyio


class Holding:
    """An origin that answers nobody before it is told to."""

    def __init__(self) -> None:
        self.release = asyncio.Event()

    async def __call__(self, arrived: Arrived, writer: asyncio.StreamWriter) -> None:
        if b"/held" in arrived.head:
            await self.release.wait()
        await answer(writer)


@asynccontextmanager
async def one_held(
    tmp_path: Path, world: World, **limits: int
) -> AsyncIterator[tuple[Stage, Holding]]:
    """A stage with one call under way."""
    holding = Holding()
    async with staged(tmp_path, world, respond=holding, **limits) as stage:
        held = asyncio.get_running_loop().create_task(call(stage, path="/held"))
        await until(lambda: bool(stage.origin.arrived))
        yield stage, holding
        holding.release.set()
        assert (await held).status == 200


async def again(stage: Stage, held: Holding) -> None:
    """When the call under way has ended there is room again."""
    held.release.set()
    await until(lambda: not stage.gate.line.calls)
    assert (await call(stage)).status == 200


def is_refused(reply: Reply, status: int, code: str) -> bool:
    return (reply.status, reply.headers["bailee-error"], reply.headers["retry-after"]) == (
        status,
        code,
        "1",
    )


async def test_caller_with_too_many_calls_waits(tmp_path: Path, world: World) -> None:
    """429 for the second call of a caller that may have one; another caller is served."""
    async with one_held(tmp_path, world, caller_concurrent=1) as (stage, held):
        assert is_refused(await call(stage), 429, "too-many-calls")
        other = stage.house.add_caller("other")
        stage.house.grant(stage.connection, "* /**", caller="other")
        assert (await call(stage, token=other)).status == 200
        assert len(stage.origin.arrived) == 2
        await again(stage, held)


async def test_callers_own_limit_goes_before_the_one_for_all(tmp_path: Path, world: World) -> None:
    """`bailee caller limit` counts from the next revision on, for calls under way too."""
    async with one_held(tmp_path, world) as (stage, held):
        assert (await call(stage)).status == 200
        callers.set_limits(stage.house.store, DEFAULT_TENANT, "app", {"concurrent": 1})
        await asyncio.sleep(0.3)
        assert is_refused(await call(stage), 429, "too-many-calls")
        await again(stage, held)


async def test_provider_takes_no_more_than_its_share(tmp_path: Path, world: World) -> None:
    """503 for one call more to a provider that holds its calls; another provider is served."""
    async with one_held(tmp_path, world, provider_concurrent=1) as (stage, held):
        house = stage.house
        other = make_provider(stage.origin.port, world.root.pem.decode(), id="other")
        house.approve_provider(other)
        house.approve_pins(other.id, [world.leaf.pin])
        connection = house.add_connection(other, {"api_key": CREDENTIAL}, subject="u2")
        house.grant(connection, "* /**")
        assert is_refused(await call(stage), 503, "overloaded")
        client = await Client.open(stage.port)
        reply = await client.call(request("GET", f"/{connection}/p", stage.token))
        assert reply.status == 200
        client.close()
        await again(stage, held)


async def test_worker_takes_so_many_calls(tmp_path: Path, world: World) -> None:
    """503 once `gateway.calls` are under way."""
    async with one_held(tmp_path, world, calls=1) as (stage, held):
        assert is_refused(await call(stage), 503, "overloaded")
        await again(stage, held)


async def test_turn_takes_so_many_calls(
    tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of more requests than one turn of the loop may begin the others are refused at once."""
    monkeypatch.setattr(pipeline, "TURN_CALLS", 2)
    async with staged(tmp_path, world) as stage:
        clients = [await Client.open(stage.port) for _ in range(5)]
        raw = request("GET", f"/{stage.connection}/p", stage.token)
        for client in clients:  # without a turn of the loop between
            connection: socket.socket = client.writer.get_extra_info("socket")
            os.write(connection.fileno(), raw)
        replies = [await client.reply() for client in clients]
        assert sorted(reply.status for reply in replies) == [200, 200, 503, 503, 503]
        assert len(stage.origin.arrived) == 2
        assert [(await client.call(raw)).status for client in clients] == [200] * 5
        for client in clients:
            client.close()


async def test_body_over_the_cap_is_refused(tmp_path: Path, world: World) -> None:
    """413 by its length before anything leaves; without a length when it grows over it."""
    async with staged(tmp_path, world, body_bytes=1000) as stage:
        assert (await call(stage, "POST", body=b"x" * 1000)).status == 200
        reply = await call(stage, "POST", body=b"x" * 1001)
        assert (reply.status, reply.headers["bailee-error"]) == (413, "body-too-large")
        assert json.loads(reply.body)["reached"] == "nothing"
        assert len(stage.origin.arrived) == 1
        client = await Client.open(stage.port)
        head = request("POST", f"/{stage.connection}/p", stage.token, Transfer_Encoding="chunked")
        await client.send(head + b"190\r\n" + b"x" * 400 + b"\r\n")
        await until(lambda: bool(any(b"x" * 400 in each._body for each in stage.origin.streams)))
        await client.send(b"300\r\n" + b"x" * 768 + b"\r\n")
        reply = await client.reply()
        assert (reply.status, reply.headers["bailee-error"]) == (413, "body-too-large")
        assert json.loads(reply.body)["reached"] == "maybe"
        assert len(stage.origin.arrived) == 1
        client.close()


async def test_provider_that_never_shakes_hands_slows_no_other(
    tmp_path: Path, world: World
) -> None:
    """R38: while 50 calls wait for a dead provider, another one's are served."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as dead:
        async with staged(tmp_path, world, connect_seconds=2.0) as stage:
            house = stage.house
            hanging = make_provider(dead.getsockname()[1], world.root.pem.decode(), id="dead")
            house.approve_provider(hanging)
            house.approve_pins(hanging.id, [world.leaf.pin])
            connection = house.add_connection(hanging, {"api_key": CREDENTIAL}, subject="u2")
            house.grant(connection, "* /**")
            clients = [await Client.open(stage.port) for _ in range(50)]
            for client in clients:
                await client.send(request("GET", f"/{connection}/p", stage.token))
            async with asyncio.timeout(5):
                while len(stage.gate.line.calls) < 50:
                    await asyncio.sleep(0.01)
            for _ in range(20):
                assert (await call(stage)).status == 200
            assert len(stage.gate.line.calls) == 50, "the dead provider's calls still wait"
            replies = [await client.reply() for client in clients]
            assert {reply.headers["bailee-error"] for reply in replies} == {"provider-unreachable"}
            for client in clients:
                client.close()
