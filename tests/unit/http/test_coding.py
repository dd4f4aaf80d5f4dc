"""Looking into a compressed body."""

import gzip
import zlib

import pytest

from bailee.http.coding import decode_start

TEXT = b'{"error":["EAPI:Invalid key"]}' * 10
CODINGS = {
    "none": (b"", TEXT),
    "identity": (b"identity", TEXT),
    "gzip": (b"gzip", gzip.compress(TEXT)),
    "deflate": (b"deflate", zlib.compress(TEXT)),
}


@pytest.mark.parametrize(("coding", "body"), CODINGS.values(), ids=CODINGS)
def test_a_known_coding_is_decoded(coding: bytes, body: bytes) -> None:
    """As far as the limit, and no further."""
    assert decode_start(body, coding, 1000) == TEXT
    assert decode_start(body, coding, 7) == TEXT[:7]


def test_the_beginning_of_a_body_is_decoded() -> None:
    """What was cut off is not missed."""
    whole = decode_start(gzip.compress(TEXT)[:-12], b"gzip", 1000)
    assert whole is not None
    assert TEXT.startswith(whole)


def test_a_bomb_is_not_unpacked() -> None:
    """A hundred megabytes of zeros cost the limit."""
    assert decode_start(gzip.compress(bytes(100_000_000)), b"gzip", 64) == bytes(64)


@pytest.mark.parametrize(
    ("coding", "body"), [(b"br", TEXT), (b"gzip, gzip", TEXT), (b"gzip", TEXT), (b"deflate", TEXT)]
)
def test_what_cannot_be_read_is_none(coding: bytes, body: bytes) -> None:
    """An unknown coding, two of them, or a body that is not of it."""
    assert decode_start(body, coding, 1000) is None
