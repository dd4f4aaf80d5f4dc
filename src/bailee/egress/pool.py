"""Idle pinned streams, the last used first.

The key holds all that was checked when a stream was made: a new pin set, trust record or egress
address has another key, so that an old stream can't carry a call under new rules (R26).
"""

from collections import deque
from typing import Final, Generic, NamedTuple, Protocol, TypeVar

IDLE_SECONDS: Final = 30.0
IDLE_LIMIT: Final = 1024
IDLE_LIMIT_EACH: Final = 128


class PoolKey(NamedTuple):
    """What must be the same for a stream to be used again. A tuple: it is hashed at every call."""

    tenant: str
    provider: str
    origin: str
    trust_digest: bytes
    pin_serial: int
    pins: tuple[bytes, ...]
    source: str
    connection: str = ""
    """The only connection whose calls it carries, where the provider's file wants that."""


class Poolable(Protocol):
    """What the pool needs of a stream."""

    key: PoolKey
    idle_since: float

    @property
    def alive(self) -> bool:
        """Whether the stream can still carry a call."""
        ...

    def abort(self) -> None:
        """Drop the stream at once."""
        ...


StreamT = TypeVar("StreamT", bound=Poolable)


class Pool(Generic[StreamT]):
    """A bounded set of idle streams."""

    def __init__(self) -> None:
        self._idle: dict[PoolKey, deque[StreamT]] = {}
        self._count = 0

    def __repr__(self) -> str:
        return f"Pool({self._count} idle, {len(self._idle)} keys)"

    def take(self, key: PoolKey) -> StreamT | None:
        """Take the stream that was used last, or None. It is the caller's from now on."""
        idle = self._idle.get(key)
        while idle:
            stream = idle.pop()
            self._count -= 1
            if stream.alive:
                return stream
        return None

    def give(self, stream: StreamT, now: float) -> None:
        """Put a stream back whose answer is complete. Over the limits the oldest go."""
        if not stream.alive:
            return
        stream.idle_since = now
        idle = self._idle.get(stream.key)
        if idle is None:
            idle = self._idle[stream.key] = deque()
        idle.append(stream)
        self._count += 1
        if len(idle) > IDLE_LIMIT_EACH:
            self._drop_oldest(stream.key)
        elif self._count > IDLE_LIMIT:
            self._drop_oldest(next(key for key, streams in self._idle.items() if streams))

    def sweep(self, now: float) -> None:
        """Abort what has been idle for too long or is dead."""
        for key, idle in list(self._idle.items()):
            while idle and (not idle[0].alive or now - idle[0].idle_since > IDLE_SECONDS):
                idle.popleft().abort()
                self._count -= 1
            if not idle:
                del self._idle[key]

    def close(self) -> None:
        """Abort all idle streams."""
        for idle in self._idle.values():
            for stream in idle:
                stream.abort()
        self._idle.clear()
        self._count = 0

    def _drop_oldest(self, key: PoolKey) -> None:
        self._idle[key].popleft().abort()
        self._count -= 1
