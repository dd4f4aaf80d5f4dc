"""Loads are one for all who count in them, and the first that is full refuses."""

import pytest

from bailee.errors import BaileeError, Overloaded, TooManyCalls
from bailee.gateway.limits import CallLimits, Loads
from bailee.model import CallerId

LIMITS = CallLimits(caller_concurrent=2, provider_concurrent=3)
A, B = CallerId("a"), CallerId("b")


def test_calls_of_one_caller_share_one_load() -> None:
    """Whatever they go to; another caller's do not count in it."""
    loads = Loads(LIMITS)
    first, second = loads.of_call(A, None, "p", "s"), loads.of_call(A, None, "q", "s")
    other = loads.of_call(B, None, "q", "s")
    first.enter()
    second.enter()
    assert isinstance(first.refusal(), TooManyCalls)
    assert isinstance(second.refusal(), TooManyCalls)
    assert other.refusal() is None
    first.leave()
    assert second.refusal() is None


@pytest.mark.parametrize(
    ("provider", "source", "refused"),
    [("p", "s", Overloaded), ("p", "t", None), ("q", "s", None)],
)
def test_provider_is_full_for_one_address(
    provider: str, source: str, refused: type[BaileeError] | None
) -> None:
    """(provider, egress address) is what fills up, over all callers."""
    loads = Loads(LIMITS)
    entered = [loads.of_call(CallerId(str(number)), None, "p", "s") for number in range(3)]
    for each in entered:
        each.enter()
    found = loads.of_call(A, None, provider, source).refusal()
    assert found is None if refused is None else isinstance(found, refused)


def test_callers_own_limit_goes_before_and_takes_effect_at_once() -> None:
    """What is under way when a limit changes counts in the new one."""
    loads = Loads(LIMITS)
    before = loads.of_call(A, None, "p", "s")
    before.enter()
    assert before.refusal() is None
    assert isinstance(loads.of_call(A, 1, "p", "s").refusal(), TooManyCalls)
    assert isinstance(before.refusal(), TooManyCalls)
    assert loads.of_call(A, 5, "p", "s").refusal() is None


def test_loads_that_nobody_counts_in_are_forgotten() -> None:
    """They are bounded by what is remembered and under way."""
    loads = Loads(LIMITS)
    for number in range(100):
        loads.of_call(CallerId(str(number)), None, "p", "s")
    assert repr(loads) == "Loads(0)"
    kept = loads.of_call(A, None, "p", "s")
    assert repr(loads) == "Loads(2)"
    kept.enter()
