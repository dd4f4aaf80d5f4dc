"""What a worker holds of one budget: the oldest tokens are used first, and none too late."""

from bailee.gateway.purse import Purse
from bailee.policy.budget import LEASE_SECONDS, Limit

LARGE = Limit.of(2000, 1.0)


def test_tokens_when_some_are_old() -> None:
    """Each may be used for as long as it was lent from when it was asked for."""
    purse = Purse("k", LARGE)
    assert purse.idle
    purse.add(5.0, 2)
    purse.add(5.05, 3)
    assert purse.has(5.0)
    assert [purse.pop(), purse.count] == [5.0, 4]
    assert purse.has(5.0 + LEASE_SECONDS + 0.01)
    assert [purse.pop(), purse.count] == [5.05, 2]
    assert purse.take_late(5.11) == 1
    assert purse.take_late(5.11) == 0
    assert not purse.has(5.2)
    assert not purse.idle
    assert purse.take_late(5.2) == 2
    assert purse.idle


def test_tokens_when_older_ones_come_later() -> None:
    """Those that a refused call gives back are older than what came meanwhile."""
    purse = Purse("k", LARGE)
    purse.add(5.05, 1)
    purse.add(5.0, 1)
    assert purse.take_late(5.0 + LEASE_SECONDS) == 1
    assert purse.pop() == 5.05
