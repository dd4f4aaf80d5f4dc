"""WebSockets for tests: an origin and a client of the `websockets` library, and raw ones."""

import asyncio
import ssl
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from bailee.http.websocket import FrameReader, write_frame
from bailee.reference.pki import Issued, World
from gate import request
from integration.gateway.conftest import Stage
from integration.gateway.staging import staged

HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
}
BEARER = 'header = "Authorization"\nvalue = "Bearer {api_key}"\n'
OPEN = '\n[websocket]\norigin = "rest"\n'
"""The credential is on the handshake."""
GRANT = "WEBSOCKET /**"


@dataclass(slots=True)
class SocketOrigin:
    """What an origin of WebSockets saw."""

    port: int = 0
    heads: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    messages: list[str | bytes] = field(default_factory=list)
    closed: list[tuple[int | None, str | None]] = field(default_factory=list)
    """Code and reason of each close frame that came; None where none did."""
    connections: list[ServerConnection] = field(default_factory=list)


Handle = Callable[[ServerConnection, SocketOrigin], Awaitable[None]]


async def echo(connection: ServerConnection, origin: SocketOrigin) -> None:
    """Send every message back."""
    async for message in connection:
        origin.messages.append(message)
        await connection.send(message)


def tls_server(issued: Issued) -> ssl.SSLContext:
    """The settings of an origin with a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as directory:
        context.load_cert_chain(*issued.write(Path(directory), "origin"))
    return context


@asynccontextmanager
async def socket_origin(
    issued: Issued, handle: Handle = echo, **settings: Any
) -> AsyncIterator[SocketOrigin]:
    """Serve WebSockets over TLS, as the `websockets` library does, until the block ends."""
    origin = SocketOrigin()

    async def handler(connection: ServerConnection) -> None:
        assert connection.request is not None
        origin.connections.append(connection)
        origin.paths.append(connection.request.path)
        origin.heads.append({n.lower(): v for n, v in connection.request.headers.raw_items()})
        try:
            await handle(connection, origin)
        except ConnectionClosed:
            pass
        finally:
            await asyncio.wait_for(connection.wait_closed(), 10)
            got = connection.protocol.close_rcvd
            origin.closed.append((None, None) if got is None else (got.code, got.reason))

    settings = {"close_timeout": 2, **settings}
    context = tls_server(issued)
    async with serve(handler, "127.0.0.1", 0, ssl=context, **settings) as server:
        origin.port = next(iter(server.sockets)).getsockname()[1]
        yield origin


@dataclass(slots=True)
class SocketStage:
    """A gateway before an origin of WebSockets."""

    stage: Stage
    origin: SocketOrigin

    def url(self, path: str = "/ws", origin: str = "") -> str:
        """Where a client connects to."""
        return f"ws://127.0.0.1:{self.stage.port}/{self.stage.connection}{origin}{path}"

    def connect(self, path: str = "/ws", token: str | None = None, **settings: Any) -> connect:
        """A client of the `websockets` library, with the caller's token."""
        headers = {"Authorization": f"Bearer {token or self.stage.token}"}
        return connect(self.url(path), additional_headers=headers, proxy=None, **settings)


@asynccontextmanager
async def socket_stage(
    directory: Path,
    world: World,
    handle: Handle = echo,
    *,
    table: str = OPEN,
    auth: str = BEARER,
    rules: Sequence[str] = (GRANT,),
    server: dict[str, Any] | None = None,
    **more: Any,
) -> AsyncIterator[SocketStage]:
    """A gateway whose provider has WebSockets."""
    async with (
        socket_origin(world.leaf, handle, **(server or {})) as origin,
        staged(
            directory, world, upstream=origin.port, auth=auth + table, rules=rules, **more
        ) as stage,
    ):
        yield SocketStage(stage, origin)


async def closing(client: ClientConnection, seconds: float = 8.0) -> tuple[int | None, str]:
    """Wait until the gateway closes; code and reason."""
    try:
        async with asyncio.timeout(seconds):
            while True:
                await client.recv()
    except ConnectionClosed as closed:
        got = closed.rcvd
        return (None, "") if got is None else (got.code, got.reason)


class RawSocket:
    """A WebSocket client that sends just the bytes it is given."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.head = b""
        self._frames = FrameReader(masked=False, message_bytes=1 << 30)

    @classmethod
    async def open(
        cls, stage: Stage, path: str = "/ws", behind: bytes = b"", **headers: str
    ) -> "RawSocket":
        """Shake hands; `behind` is sent along with the head."""
        reader, writer = await asyncio.open_connection("127.0.0.1", stage.port)
        raw = cls(reader, writer)
        named = HANDSHAKE | {name.replace("_", "-"): value for name, value in headers.items()}
        writer.write(request("GET", f"/{stage.connection}{path}", stage.token, **named) + behind)
        raw.head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        return raw

    @property
    def status(self) -> int:
        """Of the answer."""
        return int(self.head.split()[1])

    def send(self, opcode: int, payload: bytes, *, fin: bool = True) -> None:
        """Send one frame, masked."""
        self.writer.write(write_frame(opcode, payload, fin=fin, key=b"\x01\x02\x03\x04"))

    async def frame(self) -> tuple[int, bytes, int]:
        """The next frame or piece: opcode, payload, close code; (0, b"", 0) at the end."""
        while True:
            data = await asyncio.wait_for(self.reader.read(1), 10)
            if not data:
                return 0, b"", 0
            for opcode, payload, _, code in self._frames.feed(data):
                return opcode, payload, code

    def close(self) -> None:
        """Hang up without a word."""
        self.writer.transport.abort()
