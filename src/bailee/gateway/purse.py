"""What a worker holds of one budget, and the calls that wait for a token of it."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol

from bailee.errors import BaileeError
from bailee.policy.budget import LEASE_SECONDS, Limit


class Applicant(Protocol):
    """A call that waits for tokens."""

    @property
    def ended(self) -> bool:
        """Whether it is over already, so that it needs none any more."""
        ...


class Waiting:
    """A call that waits for tokens: those that it has, and those that it misses."""

    __slots__ = ("applicant", "done", "got", "missing", "timer")

    def __init__(self, applicant: Applicant, done: Callable[[BaileeError | None], None]) -> None:
        self.applicant = applicant
        self.done = done
        self.got: list[tuple[Purse, float]] = []
        """Each with when it was asked for."""
        self.missing: list[Purse] = []
        self.timer: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"Waiting({len(self.got)} came, {len(self.missing)} missing)"


class Purse:
    """Tokens of one budget at hand. Each may be used for `LEASE_SECONDS` after it was asked for."""

    __slots__ = (
        "_batches",
        "asks",
        "count",
        "empty_until",
        "key",
        "late",
        "limit",
        "refilled_at",
        "restock_at",
        "waiting",
        "wanted",
    )

    def __init__(self, key: str, limit: Limit) -> None:
        self.key = key
        self.limit = limit
        """As it was told last."""
        self._batches: deque[tuple[float, int]] = deque()
        self.count = 0
        """How many tokens are at hand."""
        self.late = 0
        """How many were not used in time, and have to go back."""
        self.asks: deque[tuple[float, int]] = deque()
        """What the ledger has not answered yet: when, and how many for calls that wait."""
        self.wanted = 0
        """The sum of those."""
        self.waiting: deque[Waiting] = deque()
        self.empty_until = 0.0
        """Until then the ledger need not be asked for a token: it said that there is none."""
        self.refilled_at = 0.0
        """When it said that there will be one."""
        self.restock_at = 0.0
        """Until then it need not be asked for spare ones."""

    def __repr__(self) -> str:
        return f"Purse({self.key}, {self.count} at hand, {len(self.waiting)} wait)"

    @property
    def idle(self) -> bool:
        """Whether it holds nothing, so that it may be forgotten."""
        return not (self.count or self.late or self.asks or self.waiting)

    def has(self, now: float) -> bool:
        """Tell whether a token is at hand; those that have become late are none."""
        while self._batches and self._batches[0][0] + LEASE_SECONDS <= now:
            _, late = self._batches.popleft()
            self.late += late
            self.count -= late
        return self.count > 0

    def pop(self) -> float:
        """Use the oldest token; when it was asked for."""
        asked_at, count = self._batches[0]
        if count > 1:
            self._batches[0] = asked_at, count - 1
        else:
            self._batches.popleft()
        self.count -= 1
        return asked_at

    def add(self, asked_at: float, count: int) -> None:
        """Put tokens in that may be used later."""
        self._batches.append((asked_at, count))
        self.count += count
        if len(self._batches) > 1 and self._batches[-2][0] > asked_at:
            self._batches = deque(sorted(self._batches))

    def take_late(self, now: float) -> int:
        """Take out what was not used in time."""
        self.has(now)
        late, self.late = self.late, 0
        return late
