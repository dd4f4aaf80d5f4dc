"""How long an answer that limits its caller says to wait: only what can be read in one way.

`Retry-After` (RFC 9110, 10.2.3) is seconds or a date. `RateLimit-Reset` (draft-ietf-httpapi-
ratelimit-headers-03) is seconds, and `X-RateLimit-Reset` seconds or a Unix time, which are told
apart by their size; both count only where the remaining quota is said to be 0.
"""

from collections.abc import Iterable
from typing import Final

from bailee.http.date import parse_http_date

_UNIX_SECONDS: Final = 1e9
_UNIX_MILLISECONDS: Final = 1e12
_DAY: Final = 86400.0
_RESETS: Final = {
    b"ratelimit-reset": b"ratelimit-remaining",
    b"x-ratelimit-reset": b"x-ratelimit-remaining",
}
READ: Final = frozenset({b"retry-after", b"date", *_RESETS, *_RESETS.values()})
"""The headers that count, in lower case."""


def told_seconds(headers: Iterable[tuple[bytes, bytes]], now: float) -> float | None:
    """Read how many seconds to wait from now; the longest, where several headers say something.

    Args:
        headers: The answer's; others than `READ` are passed over.
        now: Unix seconds. Where the answer has a `Date`, its dates are measured from that: the
            provider's clock may be another.

    Returns:
        More than 0, or None when nothing was said.
    """
    found: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        lower = name.lower()
        if lower in READ:
            found.setdefault(lower, []).append(value.strip())
    dates = [_date(value) for value in found.get(b"date", ())]
    theirs = next((date for date in dates if date is not None), now)
    told = [_retry_after(value, theirs) for value in found.get(b"retry-after", ())]
    for reset, remaining in _RESETS.items():
        if set(found.get(remaining, ())) == {b"0"}:
            unix = reset.startswith(b"x-")
            told += [_reset(value, theirs, unix=unix) for value in found.get(reset, ())]
    return max((seconds for seconds in told if seconds is not None and seconds > 0), default=None)


def _retry_after(value: bytes, now: float) -> float | None:
    if _is_number(value):
        return float(value)
    date = _date(value)
    return None if date is None else date - now


def _reset(value: bytes, now: float, *, unix: bool) -> float | None:
    if not _is_number(value):
        return None
    number = float(value)
    if number <= _DAY:
        return number
    if unix and number >= _UNIX_MILLISECONDS:
        return number / 1000 - now
    return number - now if unix and number >= _UNIX_SECONDS else None


def _is_number(value: bytes) -> bool:
    return value.isdigit() and len(value) <= 15


def _date(value: bytes) -> float | None:
    return parse_http_date(value.decode("latin-1"))
