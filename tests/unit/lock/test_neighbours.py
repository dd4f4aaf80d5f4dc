"""Addresses that are too near each other for one to be the other's decoy."""

import pytest

from bailee.lock.neighbours import are_neighbours

NEAR = [
    ("203.0.113.7", "203.0.113.7"),
    ("203.0.113.0", "203.0.113.255"),
    ("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff"),
]
FAR = [
    ("203.0.113.7", "203.0.112.7"),
    ("203.0.113.255", "203.0.114.0"),
    ("2001:db8::1", "2001:db8:0:1::1"),
    ("203.0.113.7", "2001:db8::1"),
]


@pytest.mark.parametrize(("one", "other"), NEAR)
def test_neighbours_when_network_is_the_same(one: str, other: str) -> None:
    """The same /24, or the same /64 in IPv6, in either order."""
    assert are_neighbours(one, other)
    assert are_neighbours(other, one)


@pytest.mark.parametrize(("one", "other"), FAR)
def test_strangers_when_network_or_family_differs(one: str, other: str) -> None:
    """Another network is far enough, and so is another family."""
    assert not are_neighbours(one, other)
    assert not are_neighbours(other, one)
