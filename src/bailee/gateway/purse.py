"""What a worker holds of one budget, and the calls that wait for a token of it."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol

from bailee.errors import BaileeError
from bailee.policy.budget import LEASE_SECONDS, Limit

_FIRST_SPARE = 32
"""So many tokens of a large budget are asked for in advance at first."""


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
        "_behind",
        "_front",
        "_front_at",
        "asks",
        "count",
        "empty_until",
        "few",
        "good_until",
        "key",
        "late",
        "limit",
        "refilled_at",
        "restock_at",
        "spare",
        "waiting",
        "wanted",
    )

    def __init__(self, key: str, limit: Limit) -> None:
        self.key = key
        self.spare = 0
        """How many are asked for in advance: as many as were used, about."""
        self.few = -1
        """With so many tokens at hand it is time to ask for more; -1: never in advance."""
        self.obey(limit)
        self._front = 0
        """How many tokens of the oldest batch are at hand, and below, when it was asked for."""
        self._front_at = 0.0
        self._behind: deque[tuple[float, int]] = deque()
        """The batches after it, each with when it was asked for."""
        self.good_until = 0.0
        """Until when there is a token at hand."""
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

    def obey(self, limit: Limit) -> None:
        """Keep to this limit from now on; it is the one that was told last."""
        self.limit = limit
        self.spare = min(self.spare, limit.spare)
        if limit.spare and not self.spare:
            self.spare = min(_FIRST_SPARE, limit.spare)
        self.few = self.spare // 2 if self.spare else -1

    def used_up(self) -> None:
        """What was lent in advance was too little: more are asked for the next time."""
        self.spare = min(2 * self.spare, self.limit.spare)
        self.few = self.spare // 2

    def has(self, now: float) -> bool:
        """Tell whether a token is at hand; those that have become late are none."""
        while self.count and self.good_until <= now:
            self.late += self._front
            self.count -= self._front
            self._next_batch()
        return self.count > 0

    def pop(self) -> float:
        """Use the oldest token, which is at hand; when it was asked for."""
        asked_at = self._front_at
        self.count -= 1
        self._front -= 1
        if not self._front:
            self._next_batch()
        return asked_at

    def add(self, asked_at: float, count: int) -> None:
        """Put tokens in that may be used later."""
        behind = self._behind
        if self.count and asked_at < self._front_at:
            behind.appendleft((self._front_at, self._front))
            self._begin_batch(asked_at, count)
        elif not self.count:
            self._begin_batch(asked_at, count)
        else:
            behind.append((asked_at, count))
            if len(behind) > 1 and behind[-2][0] > asked_at:
                self._behind = deque(sorted(behind))
        self.count += count

    def _begin_batch(self, asked_at: float, count: int) -> None:
        self._front_at, self._front = asked_at, count
        self.good_until = asked_at + LEASE_SECONDS

    def _next_batch(self) -> None:
        if self._behind:
            self._begin_batch(*self._behind.popleft())
        else:
            self._front, self.good_until = 0, 0.0

    def take_late(self, now: float) -> int:
        """Take out what was not used in time."""
        self.has(now)
        late, self.late = self.late, 0
        if late > self.few >= 0:
            self.spare = max(1, self.spare // 2)
            self.few = self.spare // 2
        return late
