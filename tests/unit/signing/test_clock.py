"""`signing.clock`: the time as APIs write it."""

from datetime import datetime
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bailee.signing.clock import CLOCKS, microseconds, nonce_floor

WRITTEN = {
    "s": b"1700000000",
    "ms": b"1700000000123",
    "us": b"1700000000123457",
    "iso": b"2023-11-14T22:13:20.123Z",
}


@pytest.mark.parametrize(("name", "written"), WRITTEN.items())
def test_time_is_cut_down(name: str, written: bytes) -> None:
    """Never rounded up into the future."""
    assert CLOCKS[name](1_700_000_000.123_457) == written


@given(st.integers(0, 4_102_444_800_000))
def test_milliseconds_survive_the_float(moment: int) -> None:
    """A time that was milliseconds comes out as the same milliseconds."""
    assert CLOCKS["ms"](moment / 1000) == b"%d" % moment
    assert microseconds(moment / 1000) == moment * 1000


@given(st.integers(0, 4_102_444_800_000))
def test_iso_reads_back(moment: int) -> None:
    """ISO 8601 in UTC with three digits, whatever the moment."""
    written = CLOCKS["iso"](moment / 1000).decode()
    assert len(written) == 24
    assert round(datetime.fromisoformat(written).timestamp() * 1000) == moment


@pytest.mark.parametrize(
    ("unit", "floor"),
    [
        ("s", 1_700_000_000),
        ("ms", 1_700_000_000_123),
        ("us", 1_700_000_000_123_456),
        ("ns", 1_700_000_000_123_456_000),
    ],
)
def test_nonces_begin_at_the_time_in_their_unit(
    unit: Literal["s", "ms", "us", "ns"], floor: int
) -> None:
    """Whole ticks, cut down."""
    assert nonce_floor(1_700_000_000.123456, unit) == floor
