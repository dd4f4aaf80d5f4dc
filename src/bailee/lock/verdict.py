"""From what was seen to what may be said.

The credential is tried where it must work and where it must not. D is a decoy, an address that was
never published; E is the egress address:

| probe | from | with | says |
|---|---|---|---|
| D0 | decoy | nothing, a public request | whether the decoy is let in at all |
| D- | decoy | a random, wrong credential | what a refusal looks like that no allowlist made |
| D+ | decoy | the real credential | whether a thief could use it |
| E+ | egress | the real credential | whether it works where it must, before and after D+ |

The first line that holds counts:

| state | when |
|---|---|
| unproven | D- was served: what everyone is given proves nothing |
| open | D+ was served, and served or not answered when it was tried again at once |
| unproven | D+ was served and then refused |
| blocked | E+ was refused for its address |
| unproven | the last E+ was not served: nothing else can be told from the credential |
| enforced | D0 was served, D+ was refused for its address, E+ was served after it and, for a |
|  | credential that was never measured, before; D- was not refused for its address, for of |
|  | a credential that does not exist there is no allowlist; the report does not contradict |
| declared | the provider's report names our addresses and no other, or says restricted |
| unproven | anything else, with the reason |

A time-out at a decoy is never proof, and neither is a refusal that only differs from D-: a decoy
that was banned looks the same.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from bailee.lock.declaration import Word
from bailee.lock.run import Cause, Observation, Run
from bailee.lock.words import clock_in_words, report_remark
from bailee.model import LockState, Meaning

SKEW_SECONDS: Final = 5.0
"""Clocks that differ by so much are named: signed requests are refused for less than a minute."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What may be said of an allowlist."""

    state: LockState
    cause: Cause
    reason: str
    """One sentence in lower case without a full stop. It names no address of a decoy."""


def judge(run: Run) -> Verdict:
    """Say what a run shows."""
    for rule in _RULES:
        verdict = rule(run)
        if verdict is not None:
            return verdict
    raise AssertionError("the last rule always has a verdict")


def _without_difference(run: Run) -> Verdict | None:
    if run.wrong_at_decoy is None or run.wrong_at_decoy.meaning is not Meaning.SERVED:
        return None
    return _unproven(
        Cause.NO_DIFFERENCE,
        "a credential that does not exist is served like a real one: the [probe] of the provider's "
        "file asks for something that everyone is given",
    )


def _open(run: Run) -> Verdict | None:
    meanings = [seen.meaning for seen in run.at_decoy]
    if Meaning.SERVED not in meanings:
        return None
    if meanings[-1] in _REFUSALS:
        return _unproven(
            Cause.CHANGED,
            "the decoy was served, and refused when it was tried again at once: the list may have "
            "come into force just now, check again",
        )
    times = "twice" if meanings.count(Meaning.SERVED) > 1 else "once"
    return Verdict(
        LockState.OPEN,
        Cause.MEASURED,
        f"served {times} from a decoy, an address that nobody allowed: whoever has the credential "
        "can use it (provisional until it was seen again)",
    )


def _blocked(run: Run) -> Verdict | None:
    if not any(seen and seen.meaning is Meaning.ADDRESS for seen in (run.before, run.after)):
        return None
    return Verdict(
        LockState.BLOCKED,
        Cause.MEASURED,
        "refused at the egress address, for that address: the user has to allow it",
    )


def _without_egress(run: Run) -> Verdict | None:
    """Nothing is said of a credential that is not seen to work after all else was tried."""
    last = run.after or run.before
    if last is None:
        return _unproven(Cause.NO_PROBE, "the provider's file has no [probe] and no [report]")
    if last.meaning is Meaning.SERVED:
        return None
    said = f"{last.said} at the egress address"
    if run.at_decoy and last.meaning in _REFUSALS:
        before = "when it was checked last" if run.before is None else "before"
        return _unproven(
            Cause.LOST,
            f"{said} after the decoy was tried, and served {before}: the provider may have locked "
            "the credential",
            last,
        )
    return _unproven(_CAUSES[last.meaning], said, last)


def _enforced(run: Run) -> Verdict | None:
    if not run.at_decoy or run.at_decoy[-1].meaning is not Meaning.ADDRESS:
        return None
    served = [run.public_at_decoy, run.after, *([run.before] if run.fresh else [])]
    if not all(seen and seen.meaning is Meaning.SERVED for seen in served):
        return None
    if run.wrong_at_decoy and run.wrong_at_decoy.meaning is Meaning.ADDRESS:
        return None
    if run.declaration and run.declaration.word is Word.UNRESTRICTED:
        return _unproven(
            Cause.CONTRADICTED,
            "the decoy was refused for its address, and the provider reports that the credential "
            "is not restricted: something else than an allowlist may have refused",
        )
    return Verdict(
        LockState.ENFORCED,
        Cause.MEASURED,
        "served at the egress address, and refused at a decoy for its address"
        + report_remark(run.declaration),
    )


def _declared(run: Run) -> Verdict | None:
    word = run.declaration.word if run.declaration else None
    if word is Word.OURS:
        reason = "the provider reports that it is restricted to our addresses"
    elif word is Word.RESTRICTED:
        reason = "the provider reports that it is restricted, and not to which addresses"
    else:
        return None
    why = _why_unproven(run)
    return Verdict(LockState.DECLARED, why.cause, f"{reason}; not proven: {why.reason}")


def _why_unproven(run: Run) -> Verdict:
    if run.no_decoy is not None:
        told = _NO_DECOY[run.no_decoy]
        return _unproven(run.no_decoy, told + report_remark(run.declaration))
    public, real = run.public_at_decoy, run.at_decoy[-1] if run.at_decoy else None
    if public is None or public.meaning is not Meaning.SERVED:
        said = public.said if public else "not tried"
        return _unproven(
            Cause.DECOY_SHUT_OUT,
            f"the decoy is not let in even to a public request ({said}): its refusal would prove "
            "nothing",
            public,
        )
    if real is None:
        return _unproven(Cause.DECOY_HELD, _NO_DECOY[Cause.DECOY_HELD])
    if real.meaning is None:
        reason = f"{real.said} at the decoy, which is never proof"
        return _unproven(Cause.DECOY_UNANSWERED, reason)
    if real.meaning is Meaning.LIMITED:
        return _unproven(Cause.LIMITED, f"{real.said} at the decoy, which is no proof")
    if real.meaning is Meaning.ADDRESS:
        return _general_refusal(run)
    return _unproven(Cause.UNKNOWN_REFUSAL, f"{real.said} at the decoy{_likeness(run, real)}", real)


def _general_refusal(run: Run) -> Verdict:
    """D+ was refused for its address, and yet that is no proof."""
    wrong = run.wrong_at_decoy
    if wrong is not None and wrong.meaning is Meaning.ADDRESS:
        return _unproven(
            Cause.GENERAL_REFUSAL,
            "the decoy is refused for its address even with a credential that does not exist: "
            "that is a firewall, and says nothing of the allowlist",
        )
    return _unproven(
        Cause.LOST, "refused at the decoy for its address, and not seen to be served around it"
    )


def _likeness(run: Run, real: Observation) -> str:
    wrong = run.wrong_at_decoy
    if wrong is not None and wrong.shape and wrong.shape == real.shape:
        return ", in the same way as a credential that does not exist"
    if wrong is not None and wrong.meaning is not None:
        return (
            ", otherwise than a credential that does not exist; that alone can't be told from a "
            "banned decoy"
        )
    return ""


def _unproven(cause: Cause, reason: str, seen: Observation | None = None) -> Verdict:
    """Unproven; a clock that is off is named where it can be what the refusal is about."""
    skew = None if seen is None or seen.meaning not in _OF_CLOCK else seen.skew_seconds
    if skew is None or abs(skew) < SKEW_SECONDS:
        return Verdict(LockState.UNPROVEN, cause, reason)
    return Verdict(LockState.UNPROVEN, Cause.CLOCK, f"{reason}; {clock_in_words(skew)}")


_RULES: tuple[Callable[[Run], Verdict | None], ...] = (
    _without_difference,
    _open,
    _blocked,
    _without_egress,
    _enforced,
    _declared,
    _why_unproven,
)
_REFUSALS = frozenset({Meaning.ADDRESS, Meaning.CREDENTIAL, Meaning.CREDENTIAL_OR_ADDRESS})
"""What says explicitly that the credential is not served here."""
_OF_CLOCK = frozenset({Meaning.CREDENTIAL, Meaning.CREDENTIAL_OR_ADDRESS, Meaning.UNCLEAR})
_CAUSES: dict[Meaning | None, Cause] = {
    None: Cause.EGRESS_UNANSWERED,
    Meaning.LIMITED: Cause.LIMITED,
    Meaning.CREDENTIAL: Cause.CREDENTIAL_REFUSED,
    Meaning.CREDENTIAL_OR_ADDRESS: Cause.UNKNOWN_REFUSAL,
    Meaning.PERMISSION: Cause.UNKNOWN_REFUSAL,
    Meaning.UNCLEAR: Cause.UNKNOWN_REFUSAL,
}
_NO_DECOY = {
    Cause.NO_PROBE: "the provider's file has no [probe]",
    Cause.NO_DECOY: "there is no decoy to try it from",
    Cause.NOT_CONSENTED: "the tenant has not consented to probes from a decoy",
    Cause.DECOY_NEVER: "the provider's file forbids probes from a decoy",
    Cause.DECOY_HELD: "the provider has limited or banned the decoy, so that it waits",
}
