"""Of all credentials: how many would work for a thief today, and which one step helps most."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from bailee.lock.run import Cause
from bailee.model import LockState

SEVERITY = (
    LockState.OPEN,
    LockState.UNCHECKED,
    LockState.UNPROVEN,
    LockState.BLOCKED,
    LockState.DECLARED,
    LockState.ENFORCED,
)
"""The worst first."""


@dataclass(frozen=True, slots=True)
class Held:
    """Active connections that are alike."""

    provider: str
    state: LockState
    count: int
    cause: str = ""
    """Why the lock is in its state (`Cause`); empty when that is not known."""
    powers: frozenset[str] = frozenset()
    """What the provider's report says that these credentials may do."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do, and for how many connections it is."""

    text: str
    command: str
    """What the operator types; empty where it is for the users to do."""
    connections: int


@dataclass(frozen=True, slots=True)
class Exposure:
    """Counts, and the step that helps most."""

    total: int
    exposed: int
    """Seen to work from an address that nobody allowed."""
    unknown: int
    """Nobody knows: never checked, or not proven."""
    declared: int
    """Shut by the provider's word alone."""
    shut: int
    """Seen to be refused elsewhere, or refused even here."""
    exposed_powers: Mapping[str, int] = field(default_factory=dict)
    """Of the exposed: how many may do what, where the provider tells."""
    by_provider: Mapping[str, Mapping[LockState, int]] = field(default_factory=dict)
    step: Step | None = None
    """None when every lock is enforced, or there is no connection."""


def expose(groups: Iterable[Held]) -> Exposure:
    """Count connections by provider and lock, and choose the step that is for most of them.

    Where two steps are for as many, the one against the worse state counts.
    """
    held = [group for group in groups if group.count > 0]
    states: Counter[LockState] = Counter()
    by_provider: dict[str, Counter[LockState]] = {}
    powers: Counter[str] = Counter()
    for group in held:
        states[group.state] += group.count
        by_provider.setdefault(group.provider, Counter())[group.state] += group.count
        if group.state is LockState.OPEN:
            powers.update(dict.fromkeys(group.powers, group.count))
    return Exposure(
        total=states.total(),
        exposed=states[LockState.OPEN],
        unknown=states[LockState.UNCHECKED] + states[LockState.UNPROVEN],
        declared=states[LockState.DECLARED],
        shut=states[LockState.ENFORCED] + states[LockState.BLOCKED],
        exposed_powers=dict(sorted(powers.items())),
        by_provider={
            provider: {state: counts[state] for state in SEVERITY if counts[state]}
            for provider, counts in sorted(by_provider.items())
        },
        step=_best_step(held),
    )


def _best_step(held: Iterable[Held]) -> Step | None:
    """Add up whom each step is for; the largest number counts, then the worst state."""
    counts: Counter[tuple[str, str]] = Counter()
    worst: dict[tuple[str, str], int] = {}
    for group in held:
        step = _step_for(group)
        if step is not None:
            counts[step] += group.count
            severity = SEVERITY.index(group.state)
            worst[step] = min(severity, worst.get(step, severity))
    if not counts:
        return None
    text, command = min(counts, key=lambda step: (-counts[step], worst[step], step))
    return Step(text, command, counts[text, command])


def _step_for(group: Held) -> tuple[str, str] | None:
    """What would bring such connections on, as (text, command)."""
    provider = group.provider
    match group.state:
        case LockState.UNCHECKED:
            return "check the connections that were never checked", "bailee lock check --all"
        case LockState.OPEN:
            return f"ask the users of {provider} to allow our addresses and no others", ""
        case LockState.BLOCKED:
            return f"ask the users of {provider} to allow our addresses: calls fail now", ""
        case LockState.UNPROVEN | LockState.DECLARED:
            return _against_doubt(group)
    return None


def _against_doubt(group: Held) -> tuple[str, str] | None:
    provider = group.provider
    match group.cause:
        case Cause.NO_DECOY:
            return "add a [[decoy]] to the configuration, then check again", "bailee doctor"
        case Cause.NOT_CONSENTED:
            text = "consent to probes from a decoy, where they are safe or you accept the risk"
            return text, "bailee lock check --all --accept-risky"
        case Cause.CREDENTIAL_REFUSED | Cause.LOST:
            return f"ask the users of {provider} whose credentials are refused to connect anew", ""
        case Cause.CLOCK:
            return "set this machine's clock", "bailee doctor"
        case _ if group.state is LockState.DECLARED:
            return None  # the provider's word is the best that can be had here
    again = f"bailee lock list --state unproven --provider {provider}"
    return f"look why connections to {provider} are unproven, then check them again", again
