"""Accept clients on sockets that somebody else owns, watch the clock, and drain."""

import asyncio
import socket
import ssl
import time
from collections.abc import Callable
from typing import Final

import structlog

from bailee.egress.pool import Pool
from bailee.egress.tls import PinnedStream
from bailee.errors import JournalUnavailable
from bailee.gateway.line import Line
from bailee.gateway.session import Calls, Session
from bailee.gateway.snapshot import CHECK_SECONDS, Snapshot
from bailee.gateway.tls_client import TlsClient
from bailee.journal.writer import Journal

BACKLOG: Final = 4096
TICK_SECONDS: Final = CHECK_SECONDS
_log = structlog.get_logger("gateway")


class Listener:
    """The sessions of one worker.

    Args:
        calls: Begins calls.
        snapshot: Refreshed at every tick.
        line: Its pool is swept and its journal flushed at every tick.
        connections: The most client connections at once.
        head_seconds: From a head's first byte to its end; so long a TLS handshake may take too.
    """

    def __init__(
        self, calls: Calls, snapshot: Snapshot, line: Line, connections: int, head_seconds: float
    ) -> None:
        self._calls = calls
        self._snapshot = snapshot
        self._outbox = line.outbox
        self._pool: Pool[PinnedStream] = line.pool
        self._journal: Journal = line.journal
        self._connections = connections
        self._head_seconds = head_seconds
        self._slow_seconds = line.limits.slow_seconds
        self._sessions: set[Session] = set()
        self._greeting: set[TlsClient] = set()
        self._draining = False
        self._server: asyncio.Server | None = None

    def __repr__(self) -> str:
        return f"Listener({len(self._sessions)} sessions)"

    async def open(self, listening: socket.socket, tls: ssl.SSLContext | None = None) -> None:
        """Accept clients from now on, over TLS where its settings are given."""
        loop = asyncio.get_running_loop()

        def greet() -> TlsClient:
            deadline = loop.time() + self._head_seconds
            return TlsClient(context, self._greeting, self._new_session, self._is_full, deadline)

        if tls is None:
            factory: Callable[[], asyncio.Protocol] = self._new_session
        else:
            context, factory = tls, greet
        self._server = await loop.create_server(factory, sock=listening, backlog=BACKLOG)

    def _new_session(self) -> Session:
        session = Session(
            self._calls,
            self._outbox,
            self._sessions,
            self._connections,
            self._head_seconds,
            self._slow_seconds,
        )
        if self._draining:
            session.drain()
        return session

    def _is_full(self) -> bool:
        return len(self._sessions) + len(self._greeting) >= self._connections

    async def tick_forever(self) -> None:
        """Look at deadlines, the store's revision and idle streams, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(TICK_SECONDS)
            now = loop.time()
            self._snapshot.refresh()
            self._calls.end_expired()
            for session in list(self._sessions):
                session.check(now)
            for client in list(self._greeting):
                client.check(now)
            self._pool.sweep(now)
            try:
                self._journal.flush()
            except JournalUnavailable as failure:
                _log.error("outcomes wait", code=failure.code, detail=failure.detail)

    async def drain(self, seconds: float) -> None:
        """Accept nobody more, let the calls under way end, then close what is left.

        Args:
            seconds: How long calls may still take; after that they are cut.
        """
        if self._server is not None:
            self._server.close()
        self._draining = True
        for session in list(self._sessions):
            session.drain()
        deadline = time.monotonic() + seconds
        while (self._sessions or self._greeting) and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        for session in list(self._sessions):
            session.hang_up()
        for client in list(self._greeting):
            client.abort()
        await asyncio.sleep(0)
        self._pool.close()
