"""Counts of locks, and the one step that helps most."""

import pytest

from bailee.lock.exposure import SEVERITY, Exposure, Held, Step, expose
from bailee.lock.run import Cause
from bailee.model import LockState


def test_counts_when_there_are_many() -> None:
    """Each connection is counted once, by provider and by what a thief could do with it."""
    told = expose(
        [
            Held("kraken", LockState.OPEN, 3, powers=frozenset({"read", "withdraw"})),
            Held("kraken", LockState.OPEN, 2, powers=frozenset({"read"})),
            Held("kraken", LockState.ENFORCED, 40),
            Held("okx", LockState.UNCHECKED, 7),
            Held("okx", LockState.UNPROVEN, 1, Cause.LIMITED),
            Held("okx", LockState.DECLARED, 5),
            Held("okx", LockState.BLOCKED, 2),
            Held("bybit", LockState.OPEN, 0),
        ]
    )
    assert told == Exposure(
        total=60,
        exposed=5,
        unknown=8,
        declared=5,
        shut=42,
        exposed_powers={"read": 5, "withdraw": 3},
        by_provider={
            "kraken": {LockState.OPEN: 5, LockState.ENFORCED: 40},
            "okx": {
                LockState.UNCHECKED: 7,
                LockState.UNPROVEN: 1,
                LockState.BLOCKED: 2,
                LockState.DECLARED: 5,
            },
        },
        step=Step("check the connections that were never checked", "bailee lock check --all", 7),
    )


def test_states_are_all_ranked() -> None:
    """Every state has its place among the severities."""
    assert set(SEVERITY) == set(LockState)


STEPS: dict[str, tuple[Held, str]] = {
    "open": (Held("okx", LockState.OPEN, 1), "ask the users of okx to allow our addresses and no"),
    "blocked": (Held("okx", LockState.BLOCKED, 1), "calls fail now"),
    "unchecked": (Held("okx", LockState.UNCHECKED, 1), "check the connections"),
    "without a decoy": (Held("okx", LockState.UNPROVEN, 1, Cause.NO_DECOY), "add a [[decoy]]"),
    "declared, without a decoy": (Held("okx", LockState.DECLARED, 1, Cause.NO_DECOY), "[[decoy]]"),
    "without consent": (Held("okx", LockState.UNPROVEN, 1, Cause.NOT_CONSENTED), "consent"),
    "refused": (Held("okx", LockState.UNPROVEN, 1, Cause.CREDENTIAL_REFUSED), "connect anew"),
    "a wrong clock": (Held("okx", LockState.UNPROVEN, 1, Cause.CLOCK), "set this machine's clock"),
    "anything else": (Held("okx", LockState.UNPROVEN, 1, Cause.UNKNOWN_REFUSAL), "look why"),
}


@pytest.mark.parametrize("case", STEPS)
def test_step_when_connections_are(case: str) -> None:
    """Each state has the step that brings it on."""
    held, words = STEPS[case]
    step = expose([held]).step
    assert step is not None
    assert words in step.text
    assert step.connections == 1


@pytest.mark.parametrize(
    "held",
    [
        [],
        [Held("okx", LockState.ENFORCED, 9)],
        [Held("okx", LockState.DECLARED, 9, Cause.DECOY_NEVER)],
    ],
    ids=["none", "all enforced", "as good as can be had"],
)
def test_no_step_when_there_is_nothing_to_do(held: list[Held]) -> None:
    """No advice for advice's sake."""
    assert expose(held).step is None


def test_step_is_for_most_of_them() -> None:
    """One step for many goes before several for few; where it is the same, the worse state."""
    open_here, open_there = Held("a", LockState.OPEN, 6), Held("b", LockState.OPEN, 6)
    decoys = [
        Held("a", LockState.UNPROVEN, 4, Cause.NO_DECOY),
        Held("b", LockState.DECLARED, 4, Cause.NO_DECOY),
    ]
    step = expose([open_here, open_there, *decoys]).step
    assert step is not None
    assert (step.connections, "[[decoy]]" in step.text) == (8, True)
    step = expose([Held("a", LockState.UNPROVEN, 6), open_there]).step
    assert step is not None
    assert "users of b" in step.text
