"""A gateway worker inside the test's own event loop, on a real socket, and a raw client for it."""

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from bailee.app.chains import StoreChains, store_heads_forever
from bailee.egress.pool import Pool
from bailee.egress.resolve import Resolver
from bailee.egress.tls import PinnedStream
from bailee.gateway.budgets import Budgets
from bailee.gateway.limits import CallLimits
from bailee.gateway.line import Line
from bailee.gateway.listener import Listener
from bailee.gateway.nonces import NonceLeases
from bailee.gateway.once import OnceKeys
from bailee.gateway.opening import CallVault
from bailee.gateway.outbox import Outbox
from bailee.gateway.pipeline import Pipeline
from bailee.gateway.route import DialSource
from bailee.gateway.routing import Routing
from bailee.gateway.snapshot import Snapshot
from bailee.http.calls_domain import CallsDomain
from bailee.journal.writer import Journal
from bailee.store.lookup import CallLookup
from bailee.vault.keyring import Keyring
from house import SOURCE, House


@dataclass(slots=True)
class Gate:
    """A running worker."""

    port: int
    snapshot: Snapshot
    line: Line
    listener: Listener
    journal: Journal
    pool: Pool[PinnedStream]


@asynccontextmanager
async def run_gate(
    house: House,
    *,
    keyring: Keyring | None = None,
    closed: bool = False,
    source: str = SOURCE,
    head_seconds: float = 5.0,
    connections: int = 1000,
    stale_seconds: float = 0.0,
    calls_domain: str | None = None,
    tls: ssl.SSLContext | None = None,
    idle_seconds: float = 10.0,
    say: Callable[[bytes], bool] | None = None,
    **limits: Any,
) -> AsyncIterator[Gate]:
    """Serve calls from a house's database until the block ends; `limits` are of `CallLimits`.

    With `say` the ledger of budgets is whoever hears it; else the gate's own.
    """
    limits.setdefault("first_byte_seconds", idle_seconds)
    loop = asyncio.get_running_loop()
    lookup = CallLookup(house.database)
    journal = Journal.open(house.directory / "journal", "gateway", StoreChains(house.store))
    routing = Routing(lookup, house.verifier, [DialSource("a", source, SOURCE)])
    snapshot = Snapshot(lookup, routing, loop.time, stale_seconds)
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setblocking(False)
    resolver = Resolver()
    pool: Pool[PinnedStream] = Pool()
    nonces = NonceLeases(house.store, time.time)
    once = OnceKeys(house.store, time.time)
    async with asyncio.TaskGroup() as tasks:
        line = Line(
            vault=CallVault(None if closed else keyring or house.keyring, lookup, house.verifier),
            pool=pool,
            resolver=resolver,
            journal=journal,
            tasks=tasks,
            outbox=Outbox(),
            calls=set(),
            clock=loop.time,
            limits=CallLimits(idle_seconds=idle_seconds, **limits),
            nonces=nonces,
            once=once,
            budgets=Budgets(loop.time, say),
            scheme="http" if tls is None else "https",
        )
        domain = CallsDomain(calls_domain) if calls_domain else None
        pipeline = Pipeline(snapshot, line, domain)
        listener = Listener(pipeline, snapshot, line, connections, head_seconds)
        snapshot.refresh()
        await listener.open(listening, tls)
        ticking = tasks.create_task(listener.tick_forever())
        storing = tasks.create_task(store_heads_forever(journal))
        try:
            yield Gate(listening.getsockname()[1], snapshot, line, listener, journal, pool)
        finally:
            await listener.drain(1.0)
            ticking.cancel()
            storing.cancel()
    resolver.close()
    nonces.close()
    once.close()
    journal.close()
    lookup.close()


@dataclass(slots=True)
class Reply:
    """One answer of the gateway."""

    status: int
    headers: dict[str, str]
    body: bytes
    pairs: list[tuple[str, str]]


class Client:
    """A raw HTTP/1.1 client: sends the bytes it is given."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self._rest = b""

    @classmethod
    async def open(cls, port: int, source: str = "127.0.0.1") -> "Client":
        return cls(*await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0)))

    async def send(self, raw: bytes) -> None:
        self.writer.write(raw)
        await self.writer.drain()

    async def reply(self, head_only: bool = False) -> Reply:
        """Read one answer to its end; raises EOFError when the connection ends before."""
        parsed = _Parsed(head_only)
        while not parsed.done:
            data, self._rest = self._rest, b""
            if not data:
                data = await asyncio.wait_for(self.reader.read(65536), 15)
            if not data:
                if parsed.until_close:
                    break
                raise EOFError("the connection ended in the middle of an answer")
            self._rest = parsed.feed(data)
        pairs = [(n.decode("latin-1"), v.decode("latin-1")) for n, v in parsed.pairs]
        return Reply(parsed.status, {n.lower(): v for n, v in pairs}, parsed.body, pairs)

    async def call(self, raw: bytes) -> Reply:
        await self.send(raw)
        return await self.reply(raw.startswith(b"HEAD "))

    async def ended(self) -> bool:
        """Whether the gateway closes the connection."""
        try:
            return await asyncio.wait_for(self.reader.read(1), 5) == b""
        except ConnectionError:
            return True

    def close(self) -> None:
        self.writer.transport.abort()


class _Parsed:
    """Feeds one byte more at a time only at the end, to know where an answer ends."""

    def __init__(self, head_only: bool) -> None:
        self.pairs: list[tuple[bytes, bytes]] = []
        self.body = b""
        self.status = 0
        self.done = False
        self.until_close = False
        self._head_only = head_only
        self._raw = b""

    def feed(self, data: bytes) -> bytes:
        self._raw += data
        head, separator, rest = self._raw.partition(b"\r\n\r\n")
        if not separator:
            return b""
        lines = head.split(b"\r\n")
        self.status = int(lines[0].split()[1])
        if self.status == 100:
            self._raw = b""
            return self.feed(rest) if rest else b""
        self.pairs = [(n, v.strip()) for n, _, v in (x.partition(b":") for x in lines[1:])]
        headers = {n.lower(): v for n, v in self.pairs}
        if self._head_only or self.status in (204, 304):
            self.done = True
            return rest
        if headers.get(b"transfer-encoding") == b"chunked":
            return self._chunks(rest)
        if b"content-length" not in headers:
            self.until_close = True
            self.body = rest
            return b""
        length = int(headers[b"content-length"])
        self.done = len(rest) >= length
        self.body = rest[:length]
        return rest[length:] if self.done else b""

    def _chunks(self, rest: bytes) -> bytes:
        body: list[bytes] = []
        while True:
            size_line, separator, after = rest.partition(b"\r\n")
            if not separator:
                return b""
            size = int(size_line, 16)
            if len(after) < size + 2:
                return b""
            if size == 0:
                self.done = True
                self.body = b"".join(body)
                return after[2:]
            body.append(after[:size])
            rest = after[size + 2 :]


def request(
    method: str,
    target: str,
    token: str | None,
    body: bytes | None = None,
    **headers: Any,
) -> bytes:
    """A plain request with the token as a bearer."""
    lines = [f"{method} {target} HTTP/1.1", "Host: 127.0.0.1:8700"]
    if token is not None:
        lines.append(f"Authorization: Bearer {token}")
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + (body or b"")
