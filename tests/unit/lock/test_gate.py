"""Which locks a gate lets through."""

import pytest

from bailee.lock.gate import satisfies
from bailee.model import Gate, LockState

PASSING = {
    Gate.NONE: set(LockState),
    Gate.DECLARED: {LockState.DECLARED, LockState.ENFORCED},
    Gate.ENFORCED: {LockState.ENFORCED},
}


@pytest.mark.parametrize("gate", Gate)
@pytest.mark.parametrize("lock", LockState)
def test_a_gate_lets_through_what_it_asks_for_or_better(gate: Gate, lock: LockState) -> None:
    """`none` asks for nothing; a lock that is open, blocked or unproven passes no other gate."""
    assert satisfies(gate, lock) == (lock in PASSING[gate])
