"""The node's ledger, and what its gateway workers tell each other over their control lines.

All budgets of a node are kept here, so that its workers together never exceed one: those of a
reload too, while the old ones drain. A ban that one worker sees is told to all others at once, and
all that hold now to each that starts. Tokens that were lent to a worker which dies are lost.

Nothing that a worker says ends the supervisor: what is no message is passed over.
"""

from collections.abc import Callable
from typing import Final, Protocol

import structlog

from bailee.policy.bans import Ban, Bans
from bailee.policy.budget import Ledger, Limit
from bailee.policy.leases import Ask, Back, Banned, Grant, read_worker_line, to_line

WANTED_LIMIT: Final = 10_000
"""Tokens that one message may ask for."""
log = structlog.get_logger()


class Worker(Protocol):
    """A gateway worker, as the bus sees it."""

    @property
    def pid(self) -> int:
        """Its process id."""
        ...

    def tell(self, line: bytes) -> None:
        """Send it a line, or end it if it does not read its lines."""
        ...


class Bus:
    """What the gateway workers of a node share.

    Args:
        clock: Seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._ledger = Ledger()
        self._bans = Bans()
        self._workers: set[Worker] = set()
        self._strange: set[int] = set()

    def __repr__(self) -> str:
        return f"Bus({len(self._workers)} workers, {self._ledger}, {self._bans})"

    def join(self, worker: Worker) -> None:
        """Take a worker in that was just started, and tell it what is banned."""
        self._workers.add(worker)
        now = self._clock()
        self._bans.forget_ended(now)
        lines = [to_line(_banned(key, ban, now)) for key, ban in self._bans.current(now)]
        if lines:
            worker.tell(b"".join(lines))

    def leave(self, worker: Worker) -> None:
        """Forget a worker that has ended. What was lent to it is lost: it may have used it."""
        self._workers.discard(worker)
        self._strange.discard(worker.pid)

    def hear(self, worker: Worker, line: bytes) -> None:
        """Answer what a worker says; what it may not say is passed over, and logged once."""
        message = read_worker_line(line)
        if worker not in self._workers or message is None:
            self._wonder(worker)
            return
        now = self._clock()
        match message:
            case Ask():
                worker.tell(to_line(self._lend(message, now)))
            case Back():
                self._ledger.give_back(message.key, message.count, now, message.age)
            case Banned():
                self._spread(worker, message, now)

    def _lend(self, ask: Ask, now: float) -> Grant:
        limit = Limit.of(ask.calls, ask.seconds, ask.burst)
        wanted = min(ask.wanted, WANTED_LIMIT)
        granted, wait = self._ledger.take(ask.key, limit, wanted, now, min(ask.spare, limit.spare))
        return Grant(ask.key, granted, wait)

    def _spread(self, worker: Worker, banned: Banned, now: float) -> None:
        ban = Ban(now + banned.seconds, banned.length)
        if self._bans.hear(banned.key, ban, now) is not ban:
            return
        line = to_line(banned)
        for other in list(self._workers):
            if other is not worker:
                other.tell(line)

    def _wonder(self, worker: Worker) -> None:
        if worker.pid not in self._strange:
            self._strange.add(worker.pid)
            log.warning("a role says what is not understood", pid=worker.pid)


def _banned(key: str, ban: Ban, now: float) -> Banned:
    return Banned(key, ban.until - now, ban.length)
