"""Which decoy is taken, and when it rests."""

from email.utils import formatdate

import pytest

from bailee.keeper.decoys import (
    DAY,
    HOLD_SECONDS,
    LEAST_HOLD_SECONDS,
    REMEMBERED_LIMIT,
    Decoy,
    Decoys,
)
from bailee.keeper.exchange import Answered
from bailee.lock.run import Cause, Observation
from bailee.model import Meaning

FIRST = Decoy("d", "127.0.1.3", "127.0.1.3")
SECOND = Decoy("e", "127.0.2.3", "198.51.100.9")
ABSENT = Decoy("x", "192.0.2.77", "192.0.2.77")
SOURCE = "127.0.0.2"
NOW = 1_800_000_000.0


def test_first_that_fits_is_taken() -> None:
    """In the order of the configuration; what is not on this machine is passed over."""
    decoys = Decoys([ABSENT, FIRST, SECOND])
    assert decoys.choose("p", SOURCE, [SOURCE], NOW) == FIRST


@pytest.mark.parametrize(
    ("source", "published"),
    [("::1", []), (SOURCE, ["127.0.1.99", "198.51.100.1"])],
    ids=["of another family", "near to published ones"],
)
def test_none_is_taken_when_none_fits(source: str, published: list[str]) -> None:
    """No decoy is better than one that proves nothing."""
    decoys = Decoys([FIRST, SECOND])
    assert decoys.choose("p", source, published, NOW) is Cause.NO_DECOY
    assert Decoys([]).choose("p", SOURCE, [], NOW) is Cause.NO_DECOY


def test_next_is_taken_when_the_first_rests() -> None:
    """A ban is a provider's: with others the decoy goes on, and after its time with this one."""
    decoys = Decoys([FIRST, SECOND])
    decoys.hold(FIRST, "p", None, NOW)
    assert decoys.choose("p", SOURCE, [], NOW) == SECOND
    assert decoys.choose("q", SOURCE, [], NOW) == FIRST
    decoys.hold(SECOND, "p", None, NOW)
    assert decoys.choose("p", SOURCE, [], NOW) is Cause.DECOY_HELD
    assert decoys.choose("p", SOURCE, [], NOW + HOLD_SECONDS) == FIRST


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [
        ("600", 600.0),
        (formatdate(NOW + 700, usegmt=True), 700.0),
        ("0", LEAST_HOLD_SECONDS),
        (formatdate(NOW - 700, usegmt=True), LEAST_HOLD_SECONDS),
        ("9" * 400, DAY),
        ("soon", HOLD_SECONDS),
        ("-5", HOLD_SECONDS),
        ("\u00b2", HOLD_SECONDS),
        ("", HOLD_SECONDS),
    ],
)
def test_rest_lasts_as_long_as_was_named(retry_after: str, seconds: float) -> None:
    """Within a minute and a day, whatever the provider writes there."""
    decoys = Decoys([FIRST])
    decoys.hold(FIRST, "p", Answered(429, b"", retry_after=retry_after), NOW)
    assert decoys.choose("p", SOURCE, [], NOW + seconds - 1) is Cause.DECOY_HELD
    assert decoys.choose("p", SOURCE, [], NOW + seconds) == FIRST


def test_wrong_credential_is_remembered_for_a_day() -> None:
    """By decoy and provider; a clock that went back ends it."""
    decoys = Decoys([FIRST])
    seen = Observation(Meaning.CREDENTIAL, 401, at=NOW)
    decoys.keep_wrong(FIRST, "p", seen)
    assert decoys.wrong(FIRST, "p", NOW + DAY - 1) is seen
    assert decoys.wrong(FIRST, "p", NOW + DAY) is None
    assert decoys.wrong(FIRST, "p", NOW - 1) is None
    assert decoys.wrong(FIRST, "q", NOW) is None
    assert decoys.wrong(SECOND, "p", NOW) is None


def test_memory_is_bounded() -> None:
    """So many pairs and no more; the oldest go."""
    decoys = Decoys([FIRST])
    seen = Observation(Meaning.CREDENTIAL, 401, at=NOW)
    for number in range(REMEMBERED_LIMIT + 2):
        decoys.keep_wrong(FIRST, str(number), seen)
    assert decoys.wrong(FIRST, "1", NOW) is None
    assert decoys.wrong(FIRST, "2", NOW) is seen


def test_shape_is_the_same_for_refusals_that_look_alike() -> None:
    """Numbers and ids aside; and it says nothing to whoever does not know the process's key."""
    decoys = Decoys([])
    one, other = (
        decoys.shape(Answered(401, b'{"error": "no", "request": "%s", "at": %d}' % (name, at)))
        for name, at in ((b"3f9a1c77e0", 17), (b"77e03f9a1c", 18))
    )
    assert one == other
    assert one != decoys.shape(Answered(403, b'{"error": "no", "request": "3f9a1c77e0"}'))
    assert decoys.shape(Answered(401, b"x")) != Decoys([]).shape(Answered(401, b"x"))
    assert "3f9a" not in repr(decoys)
