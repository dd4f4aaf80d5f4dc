"""Answers come in the order of the requests, on connections that are kept, or closed in time."""

import asyncio
from pathlib import Path

import pytest

from bailee.reference.pki import World
from gate import Client, request
from integration.gateway.conftest import Stage
from integration.gateway.staging import (
    call,
    echo,
    journal,
    plain_answer,
    port_of,
    staged,
    wild_origin,
)
from origin import Arrived, answer

pytestmark = pytest.mark.anyio


async def test_last_chunk_that_comes_alone_stays_with_its_answer(
    tmp_path: Path, world: World
) -> None:
    """The next answer on the same stream, another client's, has not one byte of it."""
    large = b"x" * 1000

    async def respond(arrived: Arrived, writer: asyncio.StreamWriter) -> None:
        if b"/chunked" not in arrived.head:
            await answer(writer, large)
            return
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    async with staged(tmp_path, world, respond=respond) as stage:
        assert (await call(stage, path="/chunked")).body == b"one"
        assert (await call(stage, path="/plain")).body == large
        assert (await call(stage, path="/chunked")).body == b"one"
        assert stage.origin.handshakes == 1


async def test_connections_are_kept(stage: Stage) -> None:
    """100 calls on one client connection, and from 10 clients in turn: one TLS connection."""
    stage.origin.respond = echo
    client = await Client.open(stage.port)
    for number in range(100):
        raw = request("GET", f"/{stage.connection}/n{number}", stage.token)
        assert (await client.call(raw)).body == f"/n{number}|".encode()
    client.close()
    for _ in range(10):
        assert (await call(stage)).status == 200
    assert (stage.origin.handshakes, len(stage.origin.arrived)) == (1, 110)


async def test_connection_is_closed_when_either_side_asks(stage: Stage) -> None:
    """`Connection: close` of the client ends its connection, of the provider only the stream."""
    client = await Client.open(stage.port)
    reply = await client.call(
        request("GET", f"/{stage.connection}/p", stage.token, Connection="close")
    )
    assert reply.headers["connection"] == "close" and await client.ended()
    client.close()
    stage.origin.respond = plain_answer("Connection: close\r\n")
    client = await Client.open(stage.port)
    for _ in range(2):
        reply = await client.call(request("GET", f"/{stage.connection}/p", stage.token))
        assert reply.status == 200 and "connection" not in reply.headers
    client.close()
    assert stage.origin.handshakes == 2


async def test_pipelined_requests_are_answered_in_order(stage: Stage) -> None:
    """50 in one packet, with bodies of all kinds and refusals among them."""

    async def respond(arrived: Arrived, writer: asyncio.StreamWriter) -> None:
        if arrived.request_line.split()[1].endswith("0"):
            await asyncio.sleep(0.01)
        await echo(arrived, writer)

    stage.origin.respond = respond
    raws: list[bytes] = []
    expected: list[tuple[int, bytes | None]] = []
    for number in range(50):
        path = f"/{stage.connection}/n{number}"
        if number % 7 == 3:
            raws.append(request("GET", f"/{'a' * 26}/n", stage.token))
            expected.append((404, None))
            continue
        if number % 7 == 4:
            raw = request("POST", path, stage.token, Transfer_Encoding="chunked")
            raws.append(raw + b"3\r\nabc\r\n0\r\n\r\n")
        else:
            raws.append(request("POST", path, stage.token, b"abc"))
        expected.append((200, f"/n{number}|abc".encode()))
    client = await Client.open(stage.port)
    # The beginning of one more stands in the same packet.
    last = request("GET", f"/{stage.connection}/last", stage.token)
    await client.send(b"".join(raws) + last[:30])
    for status, body in expected:
        reply = await client.reply()
        assert reply.status == status and (body is None or reply.body == body)
    await client.send(last[30:])
    assert (await client.reply()).body == b"/last|"
    client.close()
    assert stage.origin.handshakes == 1


async def test_pipelined_request_that_is_refused_hides_none_of_its_neighbours(
    stage: Stage,
) -> None:
    """A refusal with a body that nobody reads, amid small and large: each has its own answer."""
    stage.origin.respond = echo
    base, large = f"/{stage.connection}", b"y" * 300_000
    raws = [
        request("POST", f"{base}/first", stage.token, large),
        request("POST", f"/{'a' * 26}/second", stage.token, b"GET /smuggled HTTP/1.1\r\n\r\n"),
        request("GET", f"{base}/third", stage.token),
        request("HEAD", f"{base}/fourth", stage.token),
        request("POST", f"{base}/../fifth", stage.token, Transfer_Encoding="chunked")
        + b"10\r\nGET /smuggled HT\r\n0\r\n\r\n",
        request("PUT", f"{base}/sixth", stage.token, large),
    ]
    client = await Client.open(stage.port)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(client.send(b"".join(raws)))
        replies = [await client.reply(head_only=raw.startswith(b"HEAD")) for raw in raws]
    client.close()
    assert [each.status for each in replies] == [200, 404, 200, 200, 400, 200]
    assert [replies[0].body, replies[5].body] == [b"/first|" + large, b"/sixth|" + large]
    targets = [each.request_line.split()[1] for each in stage.origin.arrived]
    assert targets == ["/first", "/third", "/fourth", "/sixth"]


async def test_pipelined_request_that_is_malformed_is_the_last(stage: Stage) -> None:
    """Those before it are answered, it is refused in its turn, what follows is thrown away."""
    good = request("GET", f"/{stage.connection}/p", stage.token)
    client = await Client.open(stage.port)
    await client.send(good + good + b"GET / HTTP/1.1\r\nHost : x\r\n\r\n" + good)
    assert [(await client.reply()).status for _ in range(3)] == [200, 200, 400]
    assert await client.ended()
    client.close()
    assert len(stage.origin.arrived) == 2


EARLY = {
    "of known length": ({"Content_Length": 10_000}, b"x" * 5000, b"x" * 1000),
    "in chunks": ({"Transfer_Encoding": "chunked"}, b"5\r\nhello\r\n", b"1\r\n!\r\n"),
}


@pytest.mark.parametrize("body", EARLY)
async def test_early_answer_passes_while_the_body_is_still_coming(
    body: str, tmp_path: Path, world: World
) -> None:
    """The client sees it and is closed; the half-used stream is not used again."""
    heads = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            await answer(writer, b"too large", "413 Content Too Large")

    async with (
        wild_origin(world.leaf, serve) as server,
        staged(tmp_path, world, upstream=port_of(server)) as stage,
    ):
        client = await Client.open(stage.port)
        framing, part, more = EARLY[body]
        head = request("POST", f"/{stage.connection}/p", stage.token, **framing)
        reply = await client.call(head + part)
        assert (reply.status, reply.body) == (413, b"too large")
        assert reply.headers["connection"] == "close"
        await client.send(more)
        assert await client.ended()
        client.close()
        assert (await call(stage)).status == 413
        assert len(heads) == 2 and heads[1].startswith(b"GET ")
        assert [each["error"] for each in journal(stage, "outcome")] == [None, None]
