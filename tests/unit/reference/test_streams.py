"""Pseudo-random bodies are the same each time, of any length."""

import hashlib

import pytest

from bailee.reference.streams import PIECE_BYTES, pseudo_random, pseudo_random_sha256


@pytest.mark.parametrize("count", [0, 1, 15, PIECE_BYTES - 1, PIECE_BYTES, 3 * PIECE_BYTES + 7])
def test_pseudo_random_has_the_length_asked_for(count: int) -> None:
    """Pieces add up to the count and to the digest, and are no larger than 64 KiB."""
    pieces = list(pseudo_random(count))
    assert sum(map(len, pieces)) == count
    assert max(map(len, pieces), default=0) <= PIECE_BYTES
    assert hashlib.sha256(b"".join(pieces)).hexdigest() == pseudo_random_sha256(count)


def test_pseudo_random_differs_by_place_and_seed() -> None:
    """A lost, doubled or swapped piece changes the digest, and so does the seed."""
    first, second = pseudo_random(2 * PIECE_BYTES)
    assert first != second
    assert pseudo_random_sha256(100, seed=1) != pseudo_random_sha256(100, seed=2)
