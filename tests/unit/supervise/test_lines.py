"""Bytes of a control line, split into lines of a bounded length."""

import pytest

from bailee.supervise.lines import LINE_LIMIT, Lines

LONG = b"x" * LINE_LIMIT


@pytest.mark.parametrize(
    ("pieces", "lines"),
    [
        ([b"a\nb\n"], [b"a\n", b"b\n"]),
        ([b"a", b"b\nc", b"\n"], [b"ab\n", b"c\n"]),
        ([b"a\n\n"], [b"a\n", b"\n"]),
        ([LONG[1:] + b"\n"], [LONG[1:] + b"\n"]),
        ([LONG + b"\na\n"], [b"a\n"]),
        ([LONG, b"more\na\n"], [b"a\n"]),
        ([LONG, LONG, LONG + b"\n", b"a\n"], [b"a\n"]),
        ([LONG[:600], LONG[:600], b"drain\n", b"a\n"], [b"a\n"]),
        ([b"a"], []),
    ],
)
def test_bytes_when_they_come_in_pieces(pieces: list[bytes], lines: list[bytes]) -> None:
    """Every whole line comes out once; one that is too long is thrown away to its end."""
    reading = Lines()
    assert [line for piece in pieces for line in reading.feed(piece)] == lines


def test_bytes_when_no_line_ends() -> None:
    """What waits is bounded."""
    reading = Lines()
    for _ in range(100):
        assert reading.feed(LONG[:1000]) == []
        assert int(repr(reading).split("(")[1].split()[0]) < LINE_LIMIT
    assert reading.feed(b"\nb\n") == [b"b\n"]
