"""Budgets: how many calls may leave in any window of time, and who holds tokens for them.

A budget is a token bucket. It holds at most `burst` tokens, and so many flow in that no window of
`seconds` ever sees more than `calls` of them taken: what stands in it at the beginning of a window
(`burst`) and what flows in before its end (less than `calls - burst + 1`) is never more.

Tokens are *lent* to workers. Where calls are rare beside the way to the ledger, a token is lent
when a call wants it, and is used at once or comes back. Where they are many, some are lent in
advance, and may be used for `LEASE_SECONDS`. So long they count as if they still lay in the bucket:
as many fewer flow in. So a token that is used late, or comes back, adds nothing to any window.
"""

from collections import OrderedDict
from typing import Final, NamedTuple

LEASE_SECONDS: Final = 0.1
"""How long after it was asked for a token that was lent in advance may be used."""
LENT_SECONDS: Final = 0.15
"""How long the ledger takes such a token for unused: longer, so that it can come back in time."""
KEYS_LIMIT: Final = 100_000
_LOOKED_AT: Final = 16
"""How many of the oldest buckets are looked at for a full one when there is no room."""
_SPARE_FROM_BURST: Final = 32
_SPARE_SECONDS: Final = 0.05
_SAME_SECONDS: Final = 0.005
"""What is lent within so long is kept together, and counts as lent for so much longer."""
_SHORTFALL: Final = 1 - 1e-6
"""So much less flows in than might: rounding must not let one call too many through."""


class Limit(NamedTuple):
    """At most `calls` in any `seconds`, and `burst` of them at once; all are positive."""

    calls: int
    seconds: float
    burst: int

    @classmethod
    def of(cls, calls: int, seconds: float, burst: int | None = None) -> "Limit":
        """Make a limit; without a burst a fifth of the calls may leave at once."""
        return cls(calls, seconds, min(calls, burst or max(1, calls // 5)))

    @property
    def flow(self) -> float:
        """How many tokens flow in, a second."""
        return (self.calls - self.burst + 1) / self.seconds * _SHORTFALL

    @property
    def spare(self) -> int:
        """How many tokens a worker has lent to it in advance; 0 where one is lent at a time."""
        flow = self.flow
        if self.burst < _SPARE_FROM_BURST or self.burst < 2 * LEASE_SECONDS * flow:
            return 0
        return min(self.burst // 16, int(flow * _SPARE_SECONDS) + 1)


class Lent(NamedTuple):
    """Tokens that were lent in advance and may be unused until a time."""

    until: float
    tokens: int


class Bucket(NamedTuple):
    """A token bucket at a time. `lent` has the oldest first."""

    level: float
    at: float
    lent: tuple[Lent, ...] = ()

    @property
    def out(self) -> int:
        """How many tokens were lent in advance and may be unused."""
        return sum(lent.tokens for lent in self.lent)


class Taken(NamedTuple):
    """What a ledger answers: how many tokens, and if that is too few, when to ask again."""

    granted: int
    wait_seconds: float


def refilled(bucket: Bucket, limit: Limit, now: float) -> Bucket:
    """Let tokens flow in until `now`; a clock that goes back stands still."""
    level, at, lent = bucket
    room, flow = limit.burst - bucket.out, limit.flow
    while lent and lent[0].until <= now:
        level = _risen(level, flow * (lent[0].until - at), room)
        at, room, lent = max(at, lent[0].until), room + lent[0].tokens, lent[1:]
    level = _risen(level, flow * (now - at), room)
    return Bucket(min(level, max(0.0, float(room))), max(at, now), lent)


def taken(
    bucket: Bucket, limit: Limit, wanted: int, now: float, spare: int = 0
) -> tuple[Bucket, Taken]:
    """Take up to `wanted` tokens, and up to `spare` of the half of what is left then.

    Half, because another worker may need tokens more than this one needs spare ones.
    """
    bucket = refilled(bucket, limit, now)
    granted = min(wanted, int(bucket.level))
    if spare and limit.spare:
        granted += min(spare, int(bucket.level - granted) // 2)
    lent = bucket.lent
    if granted and limit.spare:
        lent = _with_lent(lent, Lent(bucket.at + LENT_SECONDS, granted))
    left = Bucket(bucket.level - granted, bucket.at, lent)
    return left, Taken(granted, 0.0 if granted >= wanted else _wait(left, limit))


def returned(bucket: Bucket, limit: Limit, count: int, age: float, now: float) -> Bucket:
    """Put unused tokens back that were asked for `age` seconds ago.

    Tokens lent in advance have kept their room. For others the bucket may have filled up while
    they were out: what flowed in meanwhile is taken off.
    """
    level, at, lent = refilled(bucket, limit, now)
    if lent:
        back = 0
        while lent and back < count:
            fewer = min(lent[0].tokens, count - back)
            rest = lent[0]._replace(tokens=lent[0].tokens - fewer)
            back, lent = back + fewer, (rest, *lent[1:]) if rest.tokens else lent[1:]
        return Bucket(level + back, at, lent)
    room = float(limit.burst)
    return Bucket(min(room, level + max(0.0, count - limit.flow * max(0.0, age))), at, lent)


class Ledger:
    """Buckets by key, of a bounded number. Who asks says what the limit is: the last one counts.

    Where there is no room for one more, a full bucket is forgotten: it is as good as none. If there
    is no full one among the oldest, nothing is granted.
    """

    def __init__(self, keys_limit: int = KEYS_LIMIT) -> None:
        self._keys_limit = keys_limit
        self._buckets: OrderedDict[str, tuple[Bucket, Limit]] = OrderedDict()

    def __repr__(self) -> str:
        return f"Ledger({len(self._buckets)} keys)"

    def __len__(self) -> int:
        return len(self._buckets)

    def take(
        self, key: str, limit: Limit, wanted: int, now: float, spare: int = 0
    ) -> tuple[int, float]:
        """Take tokens of a key: how many were granted, and how long to wait if too few.

        Args:
            key: Whose budget.
            limit: What it is now; a new one takes the place of the last at once.
            wanted: How many calls wait for one.
            now: Seconds of a clock that never goes back.
            spare: How many more are asked for in advance.
        """
        found = self._buckets.get(key)
        if found is None and not self._make_room(now):
            return 0, limit.seconds
        bucket = Bucket(float(limit.burst), now) if found is None else found[0]
        bucket, answer = taken(bucket, limit, wanted, now, spare)
        self._buckets[key] = bucket, limit
        self._buckets.move_to_end(key)
        return answer

    def give_back(self, key: str, count: int, now: float, age: float = 0.0) -> None:
        """Put unused tokens back that were asked for `age` seconds ago."""
        found = self._buckets.get(key)
        if found is not None:
            bucket, limit = found
            self._buckets[key] = returned(bucket, limit, count, age, now), limit

    def _make_room(self, now: float) -> bool:
        for _ in range(_LOOKED_AT):
            if len(self._buckets) < self._keys_limit:
                return True
            key, (bucket, limit) = self._buckets.popitem(last=False)
            bucket = refilled(bucket, limit, now)
            if bucket.level < limit.burst:
                self._buckets[key] = bucket, limit
        return len(self._buckets) < self._keys_limit


def _with_lent(lent: tuple[Lent, ...], more: Lent) -> tuple[Lent, ...]:
    """Add what was lent now. What is lent within a moment is taken for unused until its end."""
    if lent and more.until <= lent[-1].until:
        return (*lent[:-1], Lent(lent[-1].until, lent[-1].tokens + more.tokens))
    return (*lent, Lent(more.until + _SAME_SECONDS, more.tokens))


def _risen(level: float, inflow: float, room: float) -> float:
    return max(level, min(room, level + max(0.0, inflow)))


def _wait(bucket: Bucket, limit: Limit) -> float:
    """How long until a whole token is there, if nobody else takes it and none comes back."""
    seconds = (1 - bucket.level) / limit.flow
    if limit.burst - bucket.out < 1 and bucket.lent:
        seconds += max(0.0, bucket.lent[0].until - bucket.at)
    return max(0.0, seconds)
