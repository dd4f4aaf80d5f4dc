"""What a server of ours bounds before any application is asked."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bailee.app.head import HEAD_BYTES
from bailee.app.web import make_server
from bailee.public.app import create_app
from bailee.public.feed import PublishedFeed
from house import build_house

pytestmark = pytest.mark.anyio
HEAD_SECONDS = 0.3
GET = b"GET /healthz HTTP/1.1\r\nHost: a\r\n"


@pytest.fixture
async def port(tmp_path: Path) -> AsyncIterator[int]:
    """The public application, whose clients have little time."""
    house = build_house(tmp_path / "vault")
    app = create_app(PublishedFeed(house.store, house.verifier))
    server = make_server(app, HEAD_SECONDS)
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    port = listener.getsockname()[1]
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(server.serve(sockets=[listener]))
        await server.serving.wait()
        yield port
        server.should_exit = True
    house.store.close()


async def talk(port: int, *pieces: bytes, pause: float = 0.0) -> tuple[bytes, float]:
    """Send pieces and read to the end; returns what came and how long it took."""
    loop = asyncio.get_running_loop()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    began = loop.time()
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)
        return await asyncio.wait_for(reader.read(), 10), loop.time() - began
    except ConnectionResetError:
        return b"", loop.time() - began
    finally:
        writer.close()


@pytest.mark.parametrize("sent", [b"", GET[:5], GET], ids=["nothing", "a piece", "half a head"])
async def test_closed_when_head_takes_too_long(port: int, sent: bytes) -> None:
    """Whoever does not end his head in time is cut off, and leaves nothing waiting."""
    came, seconds = await talk(port, sent)
    assert came == b""
    assert HEAD_SECONDS * 0.9 < seconds < HEAD_SECONDS + 1


async def test_closed_when_second_head_takes_too_long(port: int) -> None:
    """Each head has its time, also on a kept connection."""
    came, seconds = await talk(port, GET + b"\r\n", GET[:9], pause=HEAD_SECONDS / 2)
    assert came.startswith(b"HTTP/1.1 200")
    assert came.count(b"HTTP/1.1") == 1
    assert seconds < HEAD_SECONDS * 2 + 1


async def test_served_when_client_is_idle_between(port: int) -> None:
    """A kept connection may rest longer than a head may take."""
    last = GET + b"Connection: close\r\n\r\n"
    came, _ = await talk(port, GET + b"\r\n", last, pause=HEAD_SECONDS * 2)
    assert came.count(b"HTTP/1.1 200") == 2


async def test_served_when_head_is_large(port: int) -> None:
    """A head within the bound is read, in however many pieces."""
    fill = b"X: " + b"a" * (HEAD_BYTES - 200) + b"\r\n"
    came, _ = await talk(port, GET, fill, b"Connection: close\r\n\r\n", pause=0.02)
    assert came.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("name", [b"X: ", b""], ids=["one header", "no header's end"])
async def test_refused_when_head_is_too_large(port: int, name: bytes) -> None:
    """One that never ends is refused before its time is over."""
    fill = name + b"a" * HEAD_BYTES
    came, seconds = await talk(port, GET, fill, pause=0.02)
    assert came == b"" or came.startswith(b"HTTP/1.1 431")
    assert seconds < HEAD_SECONDS


@pytest.mark.parametrize(
    "sent",
    [b"\x16\x03\x01\x02\x00", b"GET / HTTP/9\r\n\r\n", b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n",
     GET + b"Content-Length: -1\r\n\r\n", GET + b"A : b\r\n\r\n"],
    ids=["TLS", "another version", "a path that is not ASCII", "a negative length", "a space"],
)  # fmt: skip
async def test_problem_when_bytes_are_no_request(port: int, sent: bytes) -> None:
    """What can't be read is refused with a problem document, too, and the connection is closed."""
    came, _ = await talk(port, sent)
    head, _, body = came.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400")
    assert b"\r\nContent-Type: application/problem+json" in head
    assert json.loads(body)["code"] == "malformed-request"


async def test_refused_when_too_many_are_connected(tmp_path: Path) -> None:
    """One client more than the bound is told so at once; when one leaves, the next is served."""
    house = build_house(tmp_path / "vault")
    app = create_app(PublishedFeed(house.store, house.verifier))
    server = make_server(app, connections=1)
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    port = listener.getsockname()[1]
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(server.serve(sockets=[listener]))
        await server.serving.wait()
        _, first = await asyncio.open_connection("127.0.0.1", port)
        came, _ = await talk(port, GET + b"\r\n")
        assert came.startswith(b"HTTP/1.1 503")
        assert b"\r\nretry-after: 1" in came
        assert b'"code":"overloaded"' in came
        first.close()
        await first.wait_closed()
        came, _ = await talk(port, GET + b"Connection: close\r\n\r\n", pause=0.05)
        assert came.startswith(b"HTTP/1.1 200")
        server.should_exit = True
    house.store.close()
