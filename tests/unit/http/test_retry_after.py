"""How long an answer says to wait: what can be read in one way, and the longest of it."""

import pytest

from bailee.http.retry_after import told_seconds

NOW = 1_784_113_200.0
THEN = b"Wed, 15 Jul 2026 11:00:30 GMT"
"""Half a minute after `NOW`."""
Headers = list[tuple[bytes, bytes]]


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ([(b"Retry-After", b"7")], 7),
        ([(b"RETRY-AFTER", b" 7 ")], 7),
        ([(b"Retry-After", THEN)], 30),
        ([(b"Retry-After", THEN), (b"Date", b"Wed, 15 Jul 2026 11:00:10 GMT")], 20),
        ([(b"Retry-After", b"7"), (b"Retry-After", b"9")], 9),
        ([(b"RateLimit-Remaining", b"0"), (b"RateLimit-Reset", b"12")], 12),
        ([(b"X-RateLimit-Remaining", b"0"), (b"X-RateLimit-Reset", b"12")], 12),
        ([(b"X-RateLimit-Remaining", b"0"), (b"X-RateLimit-Reset", b"1784113260")], 60),
        ([(b"X-RateLimit-Remaining", b"0"), (b"X-RateLimit-Reset", b"1784113260000")], 60),
        (
            [
                (b"Retry-After", b"5"),
                (b"x-ratelimit-remaining", b"0"),
                (b"x-ratelimit-reset", b"8"),
            ],
            8,
        ),
    ],
)
def test_answer_when_it_says_how_long(headers: Headers, seconds: float) -> None:
    """Seconds or a date; a date is measured from the provider's own clock where it is told."""
    assert told_seconds(headers, NOW) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"Retry-After", b"")],
        [(b"Retry-After", b"0")],
        [(b"Retry-After", b"-5")],
        [(b"Retry-After", b"1.5")],
        [(b"Retry-After", b"7, 9")],
        [(b"Retry-After", b"9" * 16)],
        [(b"Retry-After", b"\xff")],
        [(b"Retry-After", b"Wed, 15 Jul 2026 10:00:30 GMT")],
        [(b"Retry-After", b"tomorrow")],
        [(b"X-RateLimit-Reset", b"12")],
        [(b"X-RateLimit-Remaining", b"3"), (b"X-RateLimit-Reset", b"12")],
        [
            (b"X-RateLimit-Remaining", b"0"),
            (b"X-RateLimit-Remaining", b"4"),
            (b"X-RateLimit-Reset", b"12"),
        ],
        [(b"X-RateLimit-Remaining", b"0"), (b"RateLimit-Reset", b"12")],
        [(b"X-RateLimit-Remaining", b"0"), (b"X-RateLimit-Reset", b"500000000")],
        [(b"X-RateLimit-Remaining", b"0"), (b"X-RateLimit-Reset", b"1784113100")],
        [(b"RateLimit-Remaining", b"0"), (b"RateLimit-Reset", b"1784113260")],
    ],
)
def test_answer_when_it_says_nothing_clear(headers: Headers) -> None:
    """What is past, malformed, or could be read in two ways is nothing."""
    assert told_seconds(headers, NOW) is None
