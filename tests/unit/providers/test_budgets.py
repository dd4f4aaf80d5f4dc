"""`providers.budgets`: what a file says of how many calls its provider takes."""

from dataclasses import replace

import pytest

from bailee.errors import BadInput
from bailee.model import Budget
from bailee.providers.budgets import MAX_BUDGETS
from bailee.providers.load import (
    decode_provider,
    encode_provider,
    inspect_provider,
    parse_provider,
)
from providers_samples import MINIMAL, read_ca


def budget(*lines: str) -> str:
    return "[[budget]]\n" + "\n".join(lines) + "\n"


PER, CALLS, SECONDS, BURST = 'per = "egress"', "calls = 20", "seconds = 1", "burst = 3"
WHOLE = budget(PER, CALLS, SECONDS, BURST)


def budgets_of(text: str) -> tuple[Budget, ...]:
    return parse_provider(MINIMAL + text, read_ca).budgets


def test_file_without_budgets() -> None:
    """Nothing is limited that nobody knows a limit of."""
    assert budgets_of("") == ()


def test_budgets_are_read_in_their_order() -> None:
    """An address and a connection have budgets each, also several of other lengths."""
    text = WHOLE + budget('per = "connection"', "calls = 1", "seconds = 0.25")
    assert budgets_of(text + budget(PER, "calls = 600", "seconds = 60.0")) == (
        Budget("egress", 20, 1.0, 3),
        Budget("connection", 1, 0.25, 1),
        Budget("egress", 600, 60.0, 120),
    )


@pytest.mark.parametrize(
    ("calls", "burst"), [(1, 1), (4, 1), (5, 1), (20, 4), (1_000_000, 200_000)]
)
def test_burst_when_none_is_given(calls: int, burst: int) -> None:
    """A fifth may go at once, and one at least."""
    assert budgets_of(budget(PER, f"calls = {calls}", SECONDS))[0].burst == burst


@pytest.mark.parametrize(
    "lines",
    [
        (PER, "calls = 1", SECONDS, "burst = 1"),
        (PER, "calls = 1000000", SECONDS, "burst = 1000000"),
        (PER, CALLS, "seconds = 0.001"),
        (PER, CALLS, "seconds = 86400"),
    ],
)
def test_bounds_are_within(lines: tuple[str, ...]) -> None:
    """The least and the most that a budget may say."""
    assert len(budgets_of(budget(*lines))) == 1


REFUSED: dict[str, tuple[str, str]] = {
    "no per": (budget(CALLS, SECONDS), "budget[0].per is missing"),
    "another per": (
        budget('per = "key"', CALLS, SECONDS),
        'budget[0].per must be "egress" or "connection"',
    ),
    "no calls": (budget(PER, SECONDS), "budget[0].calls is missing"),
    "no seconds": (budget(PER, CALLS), "budget[0].seconds is missing"),
    "calls that are no number": (
        budget(PER, 'calls = "20"', SECONDS),
        "budget[0].calls must be a whole number",
    ),
    "half a call": (
        budget(PER, "calls = 2.5", SECONDS),
        "budget[0].calls must be a whole number",
    ),
    "calls that are a boolean": (
        budget(PER, "calls = true", SECONDS),
        "budget[0].calls must be a whole number",
    ),
    "seconds that are no number": (
        budget(PER, CALLS, 'seconds = "1s"'),
        "budget[0].seconds must be a number of seconds",
    ),
    "seconds that are a boolean": (
        budget(PER, CALLS, "seconds = true"),
        "budget[0].seconds must be a number of seconds",
    ),
    "seconds beyond all numbers": (
        budget(PER, CALLS, "seconds = 1" + "0" * 400),
        "budget[0].seconds must be a number of seconds",
    ),
    "half a burst": (
        budget(PER, CALLS, SECONDS, "burst = 1.5"),
        "budget[0].burst must be a whole number",
    ),
    "an unknown key": (
        budget(PER, CALLS, SECONDS, "weight = 2"),
        "budget[0].weight is not a known key",
    ),
    "one table and no list": (
        WHOLE.replace("[[budget]]", "[budget]"),
        "budget must be written as [[budget]] tables",
    ),
    "0 calls": (
        budget(PER, "calls = 0", SECONDS),
        "budget of 0 in 1 s per egress: calls must be 1 to 1000000",
    ),
    "fewer than 0 calls": (
        budget(PER, "calls = -1", SECONDS),
        "budget of -1 in 1 s per egress: calls must be 1 to 1000000",
    ),
    "too many calls": (
        budget(PER, "calls = 1000001", SECONDS),
        "budget of 1000001 in 1 s per egress: calls must be 1 to 1000000",
    ),
    "0 seconds": (
        budget(PER, CALLS, "seconds = 0"),
        "budget of 20 in 0 s per egress: seconds must be 0.001 to 86400",
    ),
    "fewer than 0 seconds": (
        budget(PER, CALLS, "seconds = -1"),
        "budget of 20 in -1 s per egress: seconds must be 0.001 to 86400",
    ),
    "more than a day": (
        budget(PER, CALLS, "seconds = 86401"),
        "budget of 20 in 86401 s per egress: seconds must be 0.001 to 86400",
    ),
    "seconds without an end": (
        budget(PER, CALLS, "seconds = inf"),
        "budget of 20 in inf s per egress: seconds must be 0.001 to 86400",
    ),
    "seconds that are nan": (
        budget(PER, CALLS, "seconds = nan"),
        "budget of 20 in nan s per egress: seconds must be 0.001 to 86400",
    ),
    "no burst": (
        budget(PER, CALLS, SECONDS, "burst = 0"),
        "budget of 20 in 1 s per egress: burst must be 1 to its calls",
    ),
    "a burst of more than the calls": (
        budget(PER, CALLS, SECONDS, "burst = 21"),
        "budget of 20 in 1 s per egress: burst must be 1 to its calls",
    ),
    "two of the same": (
        WHOLE + budget(PER, "calls = 30", "seconds = 1.0"),
        "budget per egress stands there twice for 1 s",
    ),
    "too many": (
        "".join(budget(PER, CALLS, f"seconds = {n + 1}") for n in range(MAX_BUDGETS + 1)),
        "budget has more than 8 entries",
    ),
}


@pytest.mark.parametrize(("text", "fault"), REFUSED.values(), ids=REFUSED.keys())
def test_budgets_that_are_refused(text: str, fault: str) -> None:
    """What can't be kept, or means nothing, is named as it stands in the file."""
    assert inspect_provider(MINIMAL + text, read_ca) == (None, (fault,))


def test_budgets_go_through_the_store() -> None:
    """They are part of what the authority signs."""
    provider = parse_provider(MINIMAL + WHOLE, read_ca)
    encoded = encode_provider(provider)
    assert b'"budgets":[{"burst":3,"calls":20,"per":"egress","seconds":1.0}]' in encoded
    assert decode_provider(encoded) == provider


@pytest.mark.parametrize(
    "wrong",
    [
        Budget("egress", 0, 1.0, 1),
        Budget("egress", 20, -1.0, 1),
        Budget("egress", 20, 1.0, 21),
        Budget("other", 20, 1.0, 1),  # type: ignore[arg-type]  # that is what is wrong
        Budget("egress", 20, float("nan"), 1),
    ],
)
def test_stored_budgets_that_no_file_could_hold_are_refused(wrong: Budget) -> None:
    """What a document says is checked like a file."""
    provider = replace(parse_provider(MINIMAL, read_ca), budgets=(wrong,))
    with pytest.raises(BadInput):
        decode_provider(encode_provider(provider))


def test_stored_budget_with_a_surplus_member_is_refused() -> None:
    """A newer version's words are not passed over."""
    encoded = encode_provider(parse_provider(MINIMAL + WHOLE, read_ca))
    with pytest.raises(BadInput, match="a member that this version does not know"):
        decode_provider(encoded.replace(b'"calls":20', b'"calls":20,"weight":2'))
