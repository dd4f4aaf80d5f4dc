"""Accept clients on sockets that somebody else owns, watch the clock, and drain."""

import asyncio
import socket
import time
from typing import Final

import structlog

from bailee.egress.pool import Pool
from bailee.egress.tls import PinnedStream
from bailee.errors import JournalUnavailable
from bailee.gateway.relay import Line
from bailee.gateway.session import Calls, Session
from bailee.gateway.snapshot import CHECK_SECONDS, Snapshot
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
        head_seconds: From a head's first byte to its end.
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
        self._sessions: set[Session] = set()
        self._server: asyncio.Server | None = None

    def __repr__(self) -> str:
        return f"Listener({len(self._sessions)} sessions)"

    async def open(self, listening: socket.socket) -> None:
        """Accept clients from now on."""
        self._server = await asyncio.get_running_loop().create_server(
            lambda: Session(
                self._calls, self._outbox, self._sessions, self._connections, self._head_seconds
            ),
            sock=listening,
            backlog=BACKLOG,
        )

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
        for session in list(self._sessions):
            session.drain()
        deadline = time.monotonic() + seconds
        while self._sessions and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        for session in list(self._sessions):
            session.hang_up()
        await asyncio.sleep(0)
        self._pool.close()
