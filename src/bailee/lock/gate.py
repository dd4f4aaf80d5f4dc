"""The gate: which locks are enough for a tenant."""

from typing import Final

from bailee.model import Gate, LockState

_ENOUGH: Final = {
    Gate.NONE: frozenset(LockState),
    Gate.DECLARED: frozenset({LockState.DECLARED, LockState.ENFORCED}),
    Gate.ENFORCED: frozenset({LockState.ENFORCED}),
}


def satisfies(gate: Gate, lock: LockState) -> bool:
    """Tell whether a connection with this lock may be used behind this gate."""
    return lock in _ENOUGH[gate]
