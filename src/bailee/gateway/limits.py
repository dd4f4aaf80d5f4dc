"""How long a call may take, how much it may bring, and how many there may be at once.

Deadlines are absolute: none starts anew because a byte has come, but the one for silence.
Concurrency is counted in each worker by itself.
"""

from dataclasses import dataclass
from typing import Final
from weakref import WeakValueDictionary

from bailee.errors import BaileeError, Overloaded, TooManyCalls
from bailee.model import CallerId

BYTES_PER_SECOND: Final = 1024
"""How fast a client has to send its body, and to read its answer, on average (R36)."""
TURN_CALLS: Final = 1024
"""So many calls may begin in one turn of the loop; more would wait for too long."""


@dataclass(frozen=True, slots=True)
class CallLimits:
    """What holds for every call of a worker; seconds and bytes."""

    connect_seconds: float = 5.0
    """For names, TCP and TLS together."""
    first_byte_seconds: float = 60.0
    """From when the request was sent to the answer's head."""
    idle_seconds: float = 60.0
    """So long nothing may move."""
    slow_seconds: float = 5.0
    """After so long a client has to have kept up `BYTES_PER_SECOND`."""
    call_seconds: float = 3600.0
    """From the call's begin to its end, whatever moves."""
    body_bytes: int = 5 << 30
    """The largest body of a request."""
    held_body_bytes: int = 1 << 20
    """The largest body that is held until it is whole: it is judged, or the scheme signs it."""
    websocket_message_bytes: int = 1 << 20
    """The largest message of a WebSocket, either way."""
    calls: int = 10_000
    """Calls under way in a worker."""
    caller_concurrent: int = 1_000
    """Of one caller that has no limit of its own."""
    caller_calls_per_second: int = 0
    """Of one caller that has no limit of its own, on the node; 0 for as many as it likes."""
    provider_concurrent: int = 2_000
    """To one provider from one egress address."""


class Load:
    """How many calls are under way, and how many may be."""

    __slots__ = ("__weakref__", "limit", "under_way")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.under_way = 0

    def __repr__(self) -> str:
        return f"Load({self.under_way} of {self.limit})"


@dataclass(frozen=True, slots=True)
class CallLoads:
    """The two loads that a call counts in."""

    caller: Load
    provider: Load

    def refusal(self) -> BaileeError | None:
        """Say why one call more is too many; None when it is not."""
        if self.caller.under_way >= self.caller.limit:
            return TooManyCalls(f"{self.caller.limit} calls of this caller are under way")
        if self.provider.under_way >= self.provider.limit:
            return Overloaded(f"{self.provider.limit} calls to this provider are under way")
        return None

    def enter(self) -> None:
        """Count one call more."""
        self.caller.under_way += 1
        self.provider.under_way += 1

    def leave(self) -> None:
        """Count one less: it has ended."""
        self.caller.under_way -= 1
        self.provider.under_way -= 1


class Loads:
    """The loads of a worker: one of each, for as long as anyone counts in it."""

    def __init__(self, limits: CallLimits) -> None:
        self._limits = limits
        self.calls_per_second = limits.caller_calls_per_second
        self._known: WeakValueDictionary[tuple[str, ...], Load] = WeakValueDictionary()

    def __repr__(self) -> str:
        return f"Loads({len(self._known)})"

    def of_call(
        self, caller: CallerId, own_limit: int | None, provider: str, source: str
    ) -> CallLoads:
        """Find the loads that a call counts in.

        Args:
            caller: Whose it is.
            own_limit: How many that caller may have; None for what holds for all.
            provider: Where it goes.
            source: The egress address that it leaves from.
        """
        limits = self._limits
        return CallLoads(
            self._load(
                ("caller", caller), limits.caller_concurrent if own_limit is None else own_limit
            ),
            self._load(("provider", provider, source), limits.provider_concurrent),
        )

    def _load(self, key: tuple[str, ...], limit: int) -> Load:
        load = self._known.setdefault(key, Load(limit))
        load.limit = limit
        return load
