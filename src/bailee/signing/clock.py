"""How APIs write the time."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def microseconds(now: float) -> int:
    """Return Unix seconds in whole microseconds.

    Everything is cut down from these: `int(now * 1000)` would fall a millisecond short where a
    float stands just below the decimal number that it means.
    """
    return round(now * 1_000_000)


def _iso(now: float) -> bytes:
    """ISO 8601 in UTC with milliseconds and a Z."""
    moment = _EPOCH + timedelta(milliseconds=microseconds(now) // 1000)
    return b"%04d-%02d-%02dT%02d:%02d:%02d.%03dZ" % (
        *moment.timetuple()[:6], moment.microsecond // 1000,
    )  # fmt: skip


def nonce_floor(now: float, unit: Literal["s", "ms", "us", "ns"]) -> int:
    """Return the least nonce of a scheme whose nonces are not below the time in `unit`."""
    return microseconds(now) * _TICKS[unit] // 1_000_000


_TICKS: Final = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}

CLOCKS: Final[dict[str, Callable[[float], bytes]]] = {
    "s": lambda now: b"%d" % (microseconds(now) // 1_000_000),
    "ms": lambda now: b"%d" % (microseconds(now) // 1000),
    "us": lambda now: b"%d" % microseconds(now),
    "iso": _iso,
}
"""By the names that a scheme's `time` has."""
