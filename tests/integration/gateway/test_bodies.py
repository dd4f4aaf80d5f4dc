"""Bodies pass whole and bounded, and what goes wrong on the way is told."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from bailee.reference.pki import World
from gate import Client, request
from integration.gateway.conftest import Stage
from integration.gateway.staging import (
    call,
    code,
    echo,
    journal,
    port_of,
    raw_answer,
    staged,
    until,
    wild_origin,
)
from origin import Arrived, answer

pytestmark = pytest.mark.anyio

MIB = 1 << 20


def rss() -> int:
    """Resident bytes of this process, in which client, gateway and origin run."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


# --- bodies of requests ---


async def test_upload_of_known_length_passes(stage: Stage) -> None:
    """Byte for byte, in one packet and in many, with any method that has one."""
    stage.origin.respond = echo
    body = bytes(range(256)) * 1000
    for method in ("POST", "PUT", "PATCH", "DELETE", "GET"):
        assert (await call(stage, method, body=body)).body == b"/p|" + body
    raw = request("POST", f"/{stage.connection}/p", stage.token, body)
    client = await Client.open(stage.port)
    for at in range(0, len(raw), 10_000):
        await client.send(raw[at : at + 10_000])
        await asyncio.sleep(0)
    assert (await client.reply()).body == b"/p|" + body
    client.close()
    for arrived in stage.origin.arrived:
        assert arrived.headers["content-length"] == str(len(body))
        assert "transfer-encoding" not in arrived.headers


async def test_upload_in_chunks_passes(stage: Stage) -> None:
    """Chunks are cut anew; extensions and trailers end here."""
    stage.origin.respond = echo
    head = request("POST", f"/{stage.connection}/p", stage.token, Transfer_Encoding="chunked")
    parts = [
        b"3\r\nabc\r\n",
        b"1;name=value\r\nd\r\n",
        b'2;q="a;b"\r\nef\r\n',
        b"0\r\nX-Trailer: 1\r\nAuthorization: x\r\n\r\n",
    ]
    client = await Client.open(stage.port)
    assert (await client.call(head + b"".join(parts))).body == b"/p|abcdef"
    await client.send(head)
    for part in parts:
        await client.send(part)
        await asyncio.sleep(0.01)
    assert (await client.reply()).body == b"/p|abcdef"
    assert (await client.call(head + b"0\r\n\r\n")).body == b"/p|"
    client.close()
    for arrived in stage.origin.arrived:
        assert arrived.headers["transfer-encoding"] == "chunked"
        assert "content-length" not in arrived.headers and b"railer" not in arrived.head


async def test_length_of_nothing_is_said_where_a_body_could_be(stage: Stage) -> None:
    """`Content-Length: 0` for POST, PUT and PATCH (RFC 9110, 8.6), none for GET."""
    for method in ("POST", "PUT", "PATCH", "GET", "DELETE", "HEAD", "OPTIONS"):
        await call(stage, method)
    lengths = [each.headers.get("content-length") for each in stage.origin.arrived]
    assert lengths == ["0", "0", "0", None, None, None, None]


async def test_expectation_is_met_when_the_call_may_go(stage: Stage) -> None:
    """100 Continue comes from us, once the provider is there; a refusal comes instead of it."""
    stage.origin.respond = echo
    client = await Client.open(stage.port)
    head = request(
        "POST", f"/{stage.connection}/p", stage.token, Expect="100-continue", Content_Length=3
    )
    for _ in range(2):
        await client.send(head)
        assert await client.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert (await client.call(b"abc")).body == b"/p|abc"
    assert "expect" not in stage.origin.arrived[0].headers
    await client.send(head.replace(stage.token.encode(), b"x"))
    first = await client.reader.readuntil(b"\r\n")
    assert first.startswith(b"HTTP/1.1 401 ")
    client.close()


async def test_expectation_of_a_client_that_does_not_wait(stage: Stage) -> None:
    """With the body in the same packet nothing is said first; sent at once, it is the body."""
    stage.origin.respond = echo
    client = await Client.open(stage.port)
    head = request(
        "POST", f"/{stage.connection}/p", stage.token, Expect="100-continue", Content_Length=3
    )
    await client.send(head + b"abc")
    assert (await client.reader.readuntil(b"\r\n")) == b"HTTP/1.1 200 OK\r\n"
    assert (await client.reader.readuntil(b"/p|abc")).count(b"HTTP/1.1") == 0
    for number in range(5):
        await client.send(head)
        for _ in range(number):
            await asyncio.sleep(0)
        assert (await client.call(b"abc")).body == b"/p|abc"
    client.close()
    assert all("expect" not in each.headers for each in stage.origin.arrived)


# --- bounds ---


async def test_slow_client_stops_the_provider(tmp_path: Path, world: World) -> None:
    """R32: 64 MiB to a client that does not read: the provider is stopped, memory is spared."""
    sent, size, block = 0, 64 * MIB, b"x" * 65536

    async def respond(_: Arrived, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        while sent < size:
            writer.write(block)
            sent += len(block)
            await writer.drain()

    async with staged(tmp_path, world, respond=respond) as stage:
        await call(stage, "HEAD")
        sent = 0
        client = await Client.open(stage.port)
        before = rss()
        await client.send(request("GET", f"/{stage.connection}/p", stage.token))
        stalled = await _at_rest(lambda: sent)
        assert stalled < 32 * MIB and rss() - before < 16 * MIB
        await client.reader.readuntil(b"\r\n\r\n")
        got = 0
        while got < size:
            got += len(await client.reader.read(1 << 18))
        assert got == size and rss() - before < 24 * MIB
        client.close()


@pytest.mark.parametrize("warm", [True, False], ids=["on a pooled stream", "while dialling"])
async def test_slow_provider_stops_the_client(warm: bool, tmp_path: Path, world: World) -> None:
    """R32: 64 MiB to a provider that does not read: the client is stopped, memory is spared."""
    size, go, got = 64 * MIB, asyncio.Event(), 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal got
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            if head.startswith(b"POST"):
                await go.wait()
                while got < size:
                    got += len(await reader.read(1 << 18))
            await answer(writer)

    async with (
        wild_origin(world.leaf, serve, buffer=16_384) as server,
        staged(tmp_path, world, upstream=port_of(server)) as stage,
        asyncio.TaskGroup() as tasks,
    ):
        if warm:
            assert (await call(stage)).status == 200
        client = await Client.open(stage.port)
        sent, before = 0, rss()

        async def upload() -> None:
            nonlocal sent
            block = b"x" * 65536
            head = request("POST", f"/{stage.connection}/p", stage.token, Content_Length=size)
            await client.send(head)
            while sent < size:
                sent += len(block)
                await client.send(block)

        tasks.create_task(upload())
        stalled = await _at_rest(lambda: sent)
        assert stalled < 32 * MIB and rss() - before < 16 * MIB
        go.set()
        assert (await client.reply()).status == 200
        assert (got, sent) == (size, size) and rss() - before < 24 * MIB
        client.close()


async def _at_rest(count: Callable[[], int]) -> int:
    """Wait until a number grows no more, and return it."""
    last = -1
    async with asyncio.timeout(10):
        while count() != last or last == 0:
            last = count()
            await asyncio.sleep(0.2)
    return last


TRAILER = b"X: " + b"x" * MIB


@pytest.mark.parametrize("trailer", [TRAILER, b"X: y\r\n" * 40_000], ids=["one", "many"])
async def test_trailer_over_32_kib_of_a_request_is_refused(trailer: bytes, stage: Stage) -> None:
    """R32: a trailer is thrown away, but it is read, and so bounded."""
    head = request("POST", f"/{stage.connection}/p", stage.token, Transfer_Encoding="chunked")
    client = await Client.open(stage.port)
    try:
        async with asyncio.timeout(3):
            await client.send(head + b"3\r\nabc\r\n0\r\n" + trailer)
            reply = await client.reply()
        assert code(reply) in ((400, "malformed-request"), (431, "head-too-large"))
    finally:
        client.close()
    assert stage.origin.arrived == []


@pytest.mark.parametrize("trailer", [TRAILER, b"X: y\r\n" * 40_000], ids=["one", "many"])
async def test_trailer_over_64_kib_of_an_answer_cuts_the_client_off(
    trailer: bytes, tmp_path: Path, world: World
) -> None:
    """R32: a provider can't fill our memory with what is thrown away."""
    raw = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n" + trailer
    async with staged(tmp_path, world, respond=raw_answer(raw)) as stage:
        client = await Client.open(stage.port)
        try:
            async with asyncio.timeout(3):
                await client.send(request("GET", f"/{stage.connection}/p", stage.token))
                with pytest.raises((EOFError, ConnectionError)):
                    await client.reply()
        finally:
            client.close()
        assert journal(stage, "outcome")[0]["error"] == "answer-malformed"


async def test_slow_head_is_answered_408(tmp_path: Path, world: World) -> None:
    """R36: `head_seconds` from its first byte, however slowly it drips; idle ones are closed."""
    async with staged(tmp_path, world, head_seconds=0.3) as stage:
        started = asyncio.get_running_loop().time()
        slow, silent = await Client.open(stage.port), await Client.open(stage.port)
        raw = request("GET", f"/{stage.connection}/p", stage.token)

        async def drip() -> None:
            for at in range(50):
                slow.writer.write(raw[at : at + 1])
                await asyncio.sleep(0.05)

        async with asyncio.TaskGroup() as tasks:
            dripping = tasks.create_task(drip())
            reply = await slow.reply()
            dripping.cancel()
        assert code(reply) == (408, "head-timeout") and await slow.ended()
        assert await silent.ended()
        assert 0.25 < asyncio.get_running_loop().time() - started < 1.3
        slow.close()
        silent.close()
        assert (await call(stage)).status == 200


async def test_connections_over_the_cap_are_sent_away(tmp_path: Path, world: World) -> None:
    """503 with Retry-After; those within are served, and a place that is given up is free."""
    async with staged(tmp_path, world, connections=2) as stage:
        raw = request("GET", f"/{stage.connection}/p", stage.token)
        first, second = await Client.open(stage.port), await Client.open(stage.port)
        assert (await first.call(raw)).status == 200
        third = await Client.open(stage.port)
        reply = await third.reply()
        assert code(reply) == (503, "overloaded") and reply.headers["retry-after"] == "1"
        assert await third.ended()
        third.close()
        assert (await first.call(raw)).status == 200
        second.close()
        await until(lambda: len(stage.gate.listener._sessions) == 1)
        fourth = await Client.open(stage.port)
        assert (await fourth.call(raw)).status == 200
        first.close()
        fourth.close()


# --- what goes wrong ---


async def _outcomes(stage: Stage, count: int) -> None:
    """Wait until as many calls have ended."""
    await until(lambda: len(journal(stage, "outcome")) >= count)


async def test_client_gone_ends_the_call_and_its_stream(tmp_path: Path, world: World) -> None:
    """The stream is in the middle of a call: it is dropped, and the journal says why."""
    began, over = asyncio.Event(), asyncio.Event()

    async def respond(arrived: Arrived, writer: asyncio.StreamWriter) -> None:
        if arrived.request_line.startswith("POST"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nfirst")
            began.set()
            for _ in range(19):
                await asyncio.sleep(0.02)
                writer.write(b"x" * 5)
            over.set()
        else:
            await echo(arrived, writer)

    async with staged(tmp_path, world, respond=respond) as stage:
        client = await Client.open(stage.port)
        await client.send(request("POST", f"/{stage.connection}/p", stage.token, b"abc"))
        await began.wait()
        await client.reader.read(10)
        client.close()
        await until(lambda: bool(journal(stage, "outcome")))
        last = journal(stage, "outcome")[0]
        assert (last["status"], last["error"], last["reached"]) == (200, "client-gone", "maybe")
        await over.wait()
        for _ in range(3):
            assert (await call(stage)).body == b"/p|"
        assert stage.origin.handshakes == 2
        assert len(journal(stage, "intent")) == len(journal(stage, "outcome")) == 4


async def test_client_gone_in_the_middle_of_its_body_never_makes_a_whole_request(
    stage: Stage,
) -> None:
    """Neither by length nor in chunks."""
    for headers, part in (
        ({"Content_Length": 10}, b"abc"),
        ({"Transfer_Encoding": "chunked"}, b"3\r\nabc\r\n"),
    ):
        client = await Client.open(stage.port)
        head = request("POST", f"/{stage.connection}/p", stage.token, **headers)
        before = len(journal(stage, "outcome"))
        await client.send(head + part)
        await until(lambda: bool(stage.origin.plain_bytes))
        client.writer.write_eof()
        await _outcomes(stage, before + 1)
        client.close()
        assert journal(stage, "outcome")[-1]["error"] == "client-gone"
    await asyncio.sleep(0.05)
    assert stage.origin.arrived == []


@pytest.mark.parametrize(
    ("method", "expected"),
    [("GET", (502, "answer-lost")), ("POST", (502, "outcome-unknown")),
     ("PATCH", (502, "outcome-unknown")), ("PUT", (502, "answer-lost"))],
)  # fmt: skip
@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\nContent-Le"], ids=["nothing", "half"])
async def test_origin_that_closes_before_its_answer(
    method: str, expected: tuple[int, str], said: bytes, tmp_path: Path, world: World
) -> None:
    """On a fresh stream nothing is tried again; a write says that its outcome is unknown."""
    async with staged(tmp_path, world, respond=raw_answer(said, close=True)) as stage:
        reply = await call(stage, method, body=b"" if method != "GET" else None)
        assert code(reply) == expected
        assert json.loads(reply.body)["reached"] == "maybe"
        assert len(stage.origin.arrived) == 1
        assert journal(stage, "outcome")[0]["error"] == expected[1]


@pytest.mark.parametrize(
    ("method", "body", "again"),
    [("GET", None, True), ("HEAD", None, True), ("DELETE", None, True), ("PUT", b"x", False),
     ("POST", b"", False), ("POST", b"x", False), ("PATCH", b"x", False)],
)  # fmt: skip
async def test_stale_stream(method: str, body: bytes | None, again: bool, stage: Stage) -> None:
    """R35: what is safe to repeat is sent once more, on a fresh stream; a write at most once."""
    assert (await call(stage, path="/warm")).status == 200

    async def respond(arrived: Arrived, writer: asyncio.StreamWriter) -> None:
        if arrived.stream == 0:
            writer.transport.abort()
        else:
            await answer(writer)

    stage.origin.respond = respond
    reply = await call(stage, method, body=body)
    arrived = [
        each for each in stage.origin.arrived if each.head.startswith(method.encode() + b" /p")
    ]
    if again:
        assert (reply.status, len(arrived)) == (200, 2)
        assert [each.stream for each in arrived] == [0, 1]
    else:
        error = "answer-lost" if method == "PUT" else "outcome-unknown"
        assert (code(reply), len(arrived)) == ((502, error), 1)


async def test_stale_stream_is_tried_again_once(stage: Stage) -> None:
    """When the fresh stream ends too, that is the answer."""
    assert (await call(stage, path="/warm")).status == 200
    stage.origin.respond = raw_answer(b"", close=True)
    assert code(await call(stage)) == (502, "answer-lost")
    assert len(stage.origin.arrived) == 3


async def test_stream_closed_while_idle_is_not_used(stage: Stage) -> None:
    """Even a write goes out on a fresh one."""

    async def respond(_: Arrived, writer: asyncio.StreamWriter) -> None:
        await answer(writer)
        writer.close()

    stage.origin.respond = respond
    for number in range(3):
        assert (await call(stage, "POST", body=b"x")).status == 200
        await asyncio.sleep(0.05)
        assert stage.origin.handshakes == number + 1
    assert len(stage.origin.arrived) == 3


async def test_failed_second_try_says_that_the_first_may_have_reached_the_provider(
    tmp_path: Path, world: World
) -> None:
    """The stale stream took the request; that no fresh one could be made does not undo it."""
    server: asyncio.Server

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await answer(writer)
        await reader.readuntil(b"\r\n\r\n")
        server.close()

    async with (
        wild_origin(world.leaf, serve) as server,
        staged(tmp_path, world, upstream=port_of(server)) as stage,
    ):
        assert (await call(stage)).status == 200
        reply = await call(stage)
        assert code(reply) == (502, "provider-unreachable")
        assert journal(stage, "outcome")[-1]["reached"] == "maybe"
        assert json.loads(reply.body)["reached"] == "maybe"


async def test_answer_that_never_comes(tmp_path: Path, world: World) -> None:
    """After `idle_seconds`: 504 for what may be repeated, unknown for a write; the stream goes."""

    async def respond(arrived: Arrived, writer: asyncio.StreamWriter) -> None:
        if arrived.request_line.split()[1] != "/p":
            await echo(arrived, writer)
            return
        await asyncio.sleep(0.8)
        await answer(writer, b"late")

    async with staged(tmp_path, world, respond=respond, idle_seconds=0.3) as stage:
        replies = await asyncio.gather(
            call(stage), call(stage, "POST", body=b""), call(stage, "PUT", body=b"")
        )
        assert [code(reply) for reply in replies] == [
            (504, "provider-timeout"), (502, "outcome-unknown"), (504, "provider-timeout"),
        ]  # fmt: skip
        for _ in range(3):
            assert (await call(stage, path="/next")).body == b"/next|"
        assert stage.origin.handshakes == 4


async def test_body_that_never_ends_is_the_clients_fault(tmp_path: Path, world: World) -> None:
    """408 after `idle_seconds`, and the origin sees no whole request."""
    async with staged(tmp_path, world, idle_seconds=0.3) as stage:
        client = await Client.open(stage.port)
        head = request("POST", f"/{stage.connection}/p", stage.token, Content_Length=10)
        assert code(await client.call(head + b"abc")) == (408, "body-timeout")
        assert await client.ended()
        client.close()
        assert stage.origin.arrived == []


async def test_provider_that_never_reads_is_the_providers_fault(
    tmp_path: Path, world: World
) -> None:
    """The client was stopped by us: its body is not late, and the write's outcome is unknown."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(30)

    async with (
        wild_origin(world.leaf, serve, buffer=16_384) as server,
        staged(tmp_path, world, upstream=port_of(server), idle_seconds=0.5) as stage,
        asyncio.TaskGroup() as tasks,
    ):
        client = await Client.open(stage.port)
        raw = request("POST", f"/{stage.connection}/p", stage.token, b"x" * (32 * MIB))
        sending = tasks.create_task(client.send(raw))
        reply = await client.reply()
        sending.cancel()
        client.close()
        assert code(reply) == (502, "outcome-unknown")


# --- draining ---


async def test_drain_lets_calls_end_and_closes_the_rest(tmp_path: Path, world: World) -> None:
    """R41: the call under way is answered, idle clients are closed, nobody new is taken."""
    go = asyncio.Event()

    async def respond(arrived: Arrived, writer: asyncio.StreamWriter) -> None:
        if "slow" in arrived.request_line:
            await go.wait()
        if "begun" in arrived.request_line:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbe")
            await go.wait()
            writer.write(b"gu")
            return
        await echo(arrived, writer)

    async with staged(tmp_path, world, respond=respond) as stage:
        busy, idle, half, begun = [await Client.open(stage.port) for _ in range(4)]
        raw = request("GET", f"/{stage.connection}/p", stage.token)
        assert (await idle.call(raw)).status == 200
        await busy.send(request("GET", f"/{stage.connection}/slow", stage.token))
        await half.send(raw[:30])
        await begun.send(request("GET", f"/{stage.connection}/begun", stage.token))
        assert b"close" not in await begun.reader.readuntil(b"\r\n\r\n")
        await until(lambda: len(stage.origin.arrived) == 3)
        async with asyncio.TaskGroup() as tasks:
            draining = tasks.create_task(stage.gate.listener.drain(5.0))
            assert await idle.ended()
            with pytest.raises(ConnectionError):
                await Client.open(stage.port)
            await half.send(raw[30:])
            reply = await half.reply()
            assert (reply.status, reply.headers["connection"]) == (200, "close")
            assert not draining.done()
            go.set()
            reply = await busy.reply()
            assert (reply.body, reply.headers["connection"]) == (b"/slow|", "close")
            await asyncio.wait_for(draining, 2)
        assert await busy.ended()
        # Its head had promised to keep the connection; it is closed all the same.
        async with asyncio.timeout(2):
            assert await begun.reader.read() == b"begu"
        for client in (busy, idle, half, begun):
            client.close()
        outcomes = journal(stage, "outcome")
        assert [each["error"] for each in outcomes] == [None] * 4


async def test_drain_cuts_what_takes_too_long(tmp_path: Path, world: World) -> None:
    """At its deadline the rest is cut, and the journal has an outcome for all."""

    async def respond(_: Arrived, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(30)

    async with staged(tmp_path, world, respond=respond) as stage:
        client = await Client.open(stage.port)
        await client.send(request("GET", f"/{stage.connection}/p", stage.token))
        await until(lambda: bool(stage.origin.arrived))
        await stage.gate.listener.drain(0.1)
        assert await client.ended()
        client.close()
        await until(lambda: len(journal(stage, "outcome")) == 1)
