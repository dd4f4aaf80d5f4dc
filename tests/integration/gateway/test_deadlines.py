"""R36: deadlines are absolute; a drip of bytes moves none of them."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from bailee.gateway import relay
from bailee.gateway import session as sessions
from bailee.reference.pki import World
from gate import Client, request
from integration.gateway.conftest import Stage
from integration.gateway.staging import call, journal, staged, until
from origin import Arrived, Respond, answer

pytestmark = pytest.mark.anyio


async def test_slow_body_is_refused_however_steadily_it_drips(tmp_path: Path, world: World) -> None:
    """408 once the body has fallen behind 1 KiB a second; the origin sees no whole request."""
    async with staged(tmp_path, world, slow_seconds=0.3) as stage:
        client = await Client.open(stage.port)
        await client.send(
            request("POST", f"/{stage.connection}/p", stage.token, Content_Length=4000)
        )
        dripping = asyncio.get_running_loop().create_task(drip(client, b"x", 0.03))
        reply = await client.reply()
        dripping.cancel()
        assert (reply.status, reply.headers["bailee-error"]) == (408, "body-timeout")
        assert await client.ended()
        assert stage.origin.arrived == []
        client.close()


async def test_slow_body_is_refused_while_it_is_gathered(tmp_path: Path, world: World) -> None:
    """So it is where the whole body has to be there first: then nothing has reached the origin."""
    rules = ['POST /p body $.kind = "buy"']
    async with staged(tmp_path, world, rules=rules, slow_seconds=0.3) as stage:
        client = await Client.open(stage.port)
        head = request("POST", f"/{stage.connection}/p", stage.token, Content_Length=4000)
        await client.send(head.replace(b"\r\n\r\n", b"\r\nContent-Type: application/json\r\n\r\n"))
        dripping = asyncio.get_running_loop().create_task(drip(client, b" ", 0.03))
        reply = await client.reply()
        dripping.cancel()
        assert (reply.status, reply.headers["bailee-error"]) == (408, "body-timeout")
        assert json.loads(reply.body)["reached"] == "nothing"
        assert stage.origin.plain_bytes == 0
        client.close()


async def test_body_that_keeps_up_may_take_its_time(tmp_path: Path, world: World) -> None:
    """At more than 1 KiB a second a body may come for longer than `slow_seconds`."""
    async with staged(tmp_path, world, slow_seconds=0.3) as stage:
        client = await Client.open(stage.port)
        await client.send(
            request("POST", f"/{stage.connection}/p", stage.token, Content_Length=20_000)
        )
        for _ in range(20):
            await client.send(b"x" * 1000)
            await asyncio.sleep(0.05)
        assert (await client.reply()).status == 200
        assert len(stage.origin.arrived[0].body) == 20_000
        client.close()


async def test_client_that_waits_to_be_asked_is_not_slow(tmp_path: Path, world: World) -> None:
    """With 100-continue the time runs from when we ask for the body."""
    async with staged(tmp_path, world, slow_seconds=0.3) as stage:
        client = await Client.open(stage.port)
        head = request("POST", f"/{stage.connection}/p", stage.token, Content_Length=5)
        await client.send(head.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"))
        assert (await client.reader.readline()).startswith(b"HTTP/1.1 100")
        await client.reader.readline()
        await client.send(b"hello")
        assert (await client.reply()).status == 200
        client.close()


async def test_client_that_was_not_asked_yet_is_not_slow(tmp_path: Path, world: World) -> None:
    """A dial that takes longer than `slow_seconds` is not the client's, who waits for our word."""
    door = LateDoor(0.8)
    async with (
        door.open() as port,
        staged(tmp_path, world, upstream=port, slow_seconds=0.2) as stage,
    ):
        door.leads_to = stage.origin.port
        client = await Client.open(stage.port)
        head = request("POST", f"/{stage.connection}/p", stage.token, Content_Length=5)
        await client.send(head.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"))
        assert (await client.reader.readline()).startswith(b"HTTP/1.1 100")
        await client.reader.readline()
        await client.send(b"hello")
        assert (await client.reply()).status == 200
        client.close()


async def test_time_in_which_we_do_not_read_is_not_the_clients(
    tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A provider that takes no bytes makes nobody's body slow."""
    monkeypatch.setattr(relay, "BYTES_PER_SECOND", 1 << 18)

    async def respond(arrived: Arrived, writer: asyncio.StreamWriter) -> None:
        await answer(writer)

    async with staged(tmp_path, world, respond=respond, slow_seconds=1.0) as stage:
        client = await Client.open(stage.port)
        await client.send(
            request("POST", f"/{stage.connection}/p", stage.token, Content_Length=300_000)
        )
        await client.send(b"x" * 100_000)
        await until(lambda: bool(stage.gate.line.calls))
        (under_way,) = stage.gate.line.calls
        under_way.pause_sending()  # type: ignore[attr-defined]  # as the provider's stream does
        await asyncio.sleep(2.2)
        assert stage.gate.line.calls, "the client was blamed"
        under_way.resume_sending()  # type: ignore[attr-defined]  # likewise
        await client.send(b"x" * 200_000)
        assert (await client.reply()).status == 200
        client.close()


async def test_slow_reader_is_cut(
    tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who takes the answer too slowly is cut, though it reads a little all the time."""
    monkeypatch.setattr(sessions, "BYTES_PER_SECOND", 1 << 20)
    async with staged(tmp_path, world, respond=large(32 << 20), slow_seconds=0.3) as stage:
        client = await slow_client(stage, "/p")
        async with asyncio.timeout(10):
            while not journal(stage, "outcome"):
                with suppress(BlockingIOError, ConnectionError):
                    client.recv(64)
                await asyncio.sleep(0.02)
        assert journal(stage, "outcome")[0]["error"] == "client-gone"
        assert stage.gate.line.calls == set()
        client.close()


async def test_reader_that_keeps_up_gets_all(
    tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same answer reaches a client that reads, for longer than `slow_seconds`."""
    monkeypatch.setattr(sessions, "BYTES_PER_SECOND", 1 << 20)
    async with staged(tmp_path, world, respond=large(8 << 20), slow_seconds=0.2) as stage:
        client = await Client.open(stage.port)
        await client.send(request("GET", f"/{stage.connection}/p", stage.token))
        taken = 0
        while taken < 8 << 20:
            taken += len(await client.reader.read(1 << 18))
            await asyncio.sleep(0.02)
        client.close()
        await until(lambda: bool(journal(stage, "outcome")))
        assert journal(stage, "outcome")[0]["error"] is None


async def test_answer_that_nobody_fetches_is_thrown_away(
    tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that we close with bytes still waiting goes after its time, not never."""
    monkeypatch.setattr(sessions, "BYTES_PER_SECOND", 1 << 20)
    async with staged(tmp_path, world, respond=large(60_000), slow_seconds=0.3) as stage:
        client = await slow_client(stage, "/p", "Connection: close\r\n", sndbuf=4096)
        await until(lambda: bool(journal(stage, "outcome")))
        assert journal(stage, "outcome")[0]["error"] is None
        sessions_of_gate = stage.gate.listener._sessions
        assert len(sessions_of_gate) == 1
        await until(lambda: not sessions_of_gate)
        client.close()


async def test_whole_call_has_a_deadline_though_something_always_moves(
    tmp_path: Path, world: World
) -> None:
    """An answer that drips for ever is cut at `call_seconds`, and never looks whole."""
    async with staged(tmp_path, world, respond=dripping, call_seconds=0.5) as stage:
        client = await Client.open(stage.port)
        await client.send(request("GET", f"/{stage.connection}/p", stage.token))
        with pytest.raises((EOFError, ConnectionError)):
            await client.reply()
        assert journal(stage, "outcome")[0]["error"] == "provider-timeout"
        client.close()


async def test_answer_that_ends_before_the_deadline_is_whole(tmp_path: Path, world: World) -> None:
    """The same drip passes where there is time for it."""
    async with staged(tmp_path, world, respond=dripping, call_seconds=8) as stage:
        reply = await call(stage)
        assert (reply.status, reply.body) == (200, b"." * 30)


def large(size: int) -> Respond:
    """An origin whose answers have this size."""

    async def respond(arrived: Arrived, writer: asyncio.StreamWriter) -> None:
        await answer(writer, b"y" * size)

    return respond


async def dripping(arrived: Arrived, writer: asyncio.StreamWriter) -> None:
    """A chunked answer, a byte every 50 ms, 30 of them."""
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(30):
        writer.write(b"1\r\n.\r\n")
        await writer.drain()
        await asyncio.sleep(0.05)
    writer.write(b"0\r\n\r\n")


async def test_first_byte_has_a_deadline_of_its_own(tmp_path: Path, world: World) -> None:
    """A provider that does not begin to answer: 504, though silence alone would be borne with."""

    async def silent(arrived: Arrived, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(20)

    async with staged(
        tmp_path, world, respond=silent, first_byte_seconds=0.3, idle_seconds=20
    ) as stage:
        reply = await call(stage)
        assert (reply.status, reply.headers["bailee-error"]) == (504, "provider-timeout")
        reply = await call(stage, "POST", body=b"x")
        assert (reply.status, reply.headers["bailee-error"]) == (502, "outcome-unknown")


async def test_first_byte_is_waited_for_from_the_end_of_the_request(
    tmp_path: Path, world: World
) -> None:
    """On a stream from the pool, and with a body that comes later, it is the same."""
    silence = asyncio.Event()

    async def silent(arrived: Arrived, writer: asyncio.StreamWriter) -> None:
        if silence.is_set():
            await asyncio.sleep(20)
        await answer(writer)

    async with staged(
        tmp_path, world, respond=silent, first_byte_seconds=0.3, idle_seconds=20
    ) as stage:
        head = request("POST", f"/{stage.connection}/p", stage.token, Content_Length=1)
        for method in ("GET", "POST"):
            assert (await call(stage)).status == 200
            silence.set()
            client = await Client.open(stage.port)
            await client.send(head if method == "POST" else head.replace(b"POST", b"GET"))
            await until(lambda: bool(stage.gate.line.calls))
            await client.send(b"x")
            reply = await asyncio.wait_for(client.reply(), 5)
            assert reply.status in (502, 504)
            client.close()
            silence.clear()
        assert (await call(stage)).status == 200
        silence.set()
        reply = await asyncio.wait_for(call(stage), 5)
        assert reply.status == 504


async def test_pause_within_an_answer_is_not_the_first_byte(tmp_path: Path, world: World) -> None:
    """Once the answer has begun only `idle_seconds` counts."""

    async def pausing(arrived: Arrived, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na")
        await writer.drain()
        await asyncio.sleep(1)
        writer.write(b"b")

    async with staged(
        tmp_path, world, respond=pausing, first_byte_seconds=0.3, idle_seconds=20
    ) as stage:
        assert (await call(stage)).body == b"ab"


class LateDoor:
    """Leads to another port, but lets nobody through for some seconds."""

    def __init__(self, seconds: float) -> None:
        self.leads_to = 0
        self._seconds = seconds

    @asynccontextmanager
    async def open(self) -> AsyncIterator[int]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        async with server:
            yield server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(self._seconds)
        behind, ahead = await asyncio.open_connection("127.0.0.1", self.leads_to)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(_copy(reader, ahead))
                both.create_task(_copy(behind, writer))
        except* OSError:
            pass


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()


async def drip(client: Client, piece: bytes, seconds: float) -> None:
    """Send a piece again and again."""
    while True:
        await client.send(piece)
        await asyncio.sleep(seconds)


async def slow_client(
    stage: Stage, path: str, more: str = "", sndbuf: int | None = None
) -> socket.socket:
    """A client with small buffers that has asked and reads nothing by itself."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setblocking(False)
    await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", stage.port))
    if sndbuf is not None:
        await until(lambda: bool(stage.gate.listener._sessions))
        (session,) = stage.gate.listener._sessions
        connection = session.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, sndbuf)
    raw = request("GET", f"/{stage.connection}{path}", stage.token)
    client.send(raw.replace(b"\r\n\r\n", b"\r\n" + more.encode() + b"\r\n"))
    return client
