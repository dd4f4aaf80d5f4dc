"""A TLS origin that records every byte it is sent, and answers what a test tells it to.

It reads strictly (`strict_http.py`): what could be read in two ways stands in `Origin.flags`.
"""

import asyncio
import ssl
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bailee.reference.pki import Issued
from strict_http import StrictReader

Respond = Callable[["Arrived", asyncio.StreamWriter], Awaitable[None]]


@dataclass(slots=True)
class Arrived:
    """One request as it came over the wire."""

    head: bytes
    body: bytes
    peer: str
    stream: int
    """Which TLS connection it came on, counted from 0."""

    @property
    def request_line(self) -> str:
        return self.head.split(b"\r\n", 1)[0].decode("latin-1")

    @property
    def headers(self) -> dict[str, str]:
        lines = self.head.decode("latin-1").split("\r\n")[1:]
        pairs = (line.partition(":") for line in lines if line)
        return {name.lower(): value.strip() for name, _, value in pairs}


@dataclass(slots=True)
class Origin:
    """What a running origin saw."""

    port: int = 0
    connections: int = 0
    handshakes: int = 0
    plain_bytes: int = 0
    """Decrypted bytes over all connections."""
    arrived: list[Arrived] = field(default_factory=list)
    respond: Respond | None = None
    flags: list[str] = field(default_factory=list)
    """What was ambiguous in all that came; a test that wants it so empties the list."""
    secrets: list[bytes] = field(default_factory=list)
    """What must never arrive, such as the caller's token."""
    permitted: frozenset[str] | None = None
    """Header names that may arrive, where a test says so; see `StrictReader`."""
    streams: list[StrictReader] = field(default_factory=list)
    """The reader of each TLS connection: also what did not become a whole request."""


async def answer(
    writer: asyncio.StreamWriter, body: bytes = b"{}", status: str = "200 OK", headers: str = ""
) -> None:
    """Write a plain answer."""
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    writer.write(head.encode("latin-1") + body)
    await writer.drain()


@asynccontextmanager
async def run_origin(
    issued: Issued,
    respond: Respond | None = None,
    port: int = 0,
    maximum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
    client_ca: str | None = None,
) -> AsyncIterator[Origin]:
    """Serve with a certificate until the block ends."""
    origin = Origin(respond=respond)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = maximum
    if client_ca is not None:
        context.verify_mode = ssl.CERT_OPTIONAL
        context.load_verify_locations(cadata=client_ca)
    with tempfile.TemporaryDirectory() as directory:
        certificate, key = issued.write(Path(directory), "origin")
        context.load_cert_chain(certificate, key)
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        stream = origin.handshakes
        origin.handshakes += 1
        strict = StrictReader(origin.secrets, origin.permitted, origin.flags)
        origin.streams.append(strict)
        peer: str = writer.get_extra_info("peername")[0]
        try:
            while not strict.lost and (data := await reader.read(1 << 18)):
                origin.plain_bytes += len(data)
                for request in strict.feed(data):
                    arrived = Arrived(request.head, request.body, peer, stream)
                    origin.arrived.append(arrived)
                    await (origin.respond or _answer_plainly)(arrived, writer)
        except (ConnectionError, ssl.SSLError, asyncio.CancelledError):
            pass
        finally:
            tasks.discard(task)
            writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", port, ssl=context, limit=1 << 20)
    origin.port = server.sockets[0].getsockname()[1]
    try:
        yield origin
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _answer_plainly(_: Arrived, writer: asyncio.StreamWriter) -> None:
    await answer(writer)
