"""A TLS server that sees the wire: it counts what comes in before a byte of it is decrypted."""

import asyncio
import ssl
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from bailee.reference.pki import Issued


@dataclass
class Wire:
    """One TCP connection as the server saw it."""

    source: str
    raw: int = 0
    """Bytes that came in, encrypted or not."""
    after_flight: int = 0
    """Of these, what came after the server's first flight: in TLS 1.3 the client's Finished."""
    plain: bytes = b""
    finished: bool = False
    """Whether the handshake was completed from the server's side."""
    resumed: bool = False
    version: str | None = None
    reset: bool = False
    """Whether the client ended it by RST."""
    closed: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class Tap:
    """A running server."""

    port: int = 0
    wires: list[Wire] = field(default_factory=list)
    transports: list[asyncio.Transport] = field(default_factory=list)

    async def wire(self, number: int = 0) -> Wire:
        """Wait until the client is gone, and return what was seen of it."""
        async with asyncio.timeout(5):
            while len(self.wires) <= number:
                await asyncio.sleep(0.001)
            await self.wires[number].closed.wait()
        return self.wires[number]


OnFinished = Callable[[ssl.SSLObject], None]


class Speaker(asyncio.Protocol):
    """The server's side of one connection; `on_finished` may write plain bytes or unwrap."""

    def __init__(
        self,
        tap: Tap,
        context: ssl.SSLContext | None,
        on_finished: OnFinished | None,
        hang_up: bool,
        behind: bytes,
    ) -> None:
        self._tap = tap
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = None
        if context is not None:
            self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._on_finished = on_finished
        self._hang_up = hang_up
        self._behind = behind
        self._flight_sent = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._wire = Wire(transport.get_extra_info("peername")[0])
        self._tap.wires.append(self._wire)
        self._tap.transports.append(self._transport)

    def data_received(self, data: bytes) -> None:
        self._wire.raw += len(data)
        if self._flight_sent:
            self._wire.after_flight += len(data)
        if self._tls is None:
            return
        self._incoming.write(data)
        try:
            self._read(self._tls)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            self._hang_up = True
        if self._outgoing.pending:
            self._transport.write(self._outgoing.read() + self._behind)
            self._behind = b""
            self._flight_sent = True
            if self._hang_up:
                self._transport.close()

    def _read(self, tls: ssl.SSLObject) -> None:
        if not self._wire.finished:
            tls.do_handshake()
            self._wire.finished = True
            self._wire.resumed = bool(tls.session_reused)
            self._wire.version = tls.version()
            if self._on_finished is not None:
                self._on_finished(tls)
        while True:
            plain = tls.read(65536)
            if not plain:
                return
            self._wire.plain += plain

    def connection_lost(self, exc: Exception | None) -> None:
        self._wire.reset = isinstance(exc, ConnectionResetError)
        self._wire.closed.set()


def server_context(issued: Issued, **settings: Any) -> ssl.SSLContext:
    """A server's context; `settings` are its attributes."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    for name, value in settings.items():
        setattr(context, name, value)
    with tempfile.TemporaryDirectory() as directory:
        context.load_cert_chain(*issued.write(Path(directory), "tap"))
    return context


@asynccontextmanager
async def run_tap(
    context: ssl.SSLContext | None,
    address: str = "127.0.0.1",
    on_finished: OnFinished | None = None,
    *,
    hang_up: bool = False,
    behind: bytes = b"",
) -> AsyncIterator[Tap]:
    """Serve until the block ends.

    Args:
        context: The server's TLS; with None it takes everything and says nothing.
        address: Where to listen.
        on_finished: Called once the client has finished its handshake.
        hang_up: Close TCP right behind the first flight.
        behind: Raw bytes to send along with the first flight.
    """
    tap = Tap()
    server = await asyncio.get_running_loop().create_server(
        lambda: Speaker(tap, context, on_finished, hang_up, behind), address, 0
    )
    tap.port = server.sockets[0].getsockname()[1]
    try:
        yield tap
    finally:
        server.close()
        for transport in tap.transports:
            transport.abort()
