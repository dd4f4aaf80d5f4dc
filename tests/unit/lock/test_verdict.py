"""From observations to a verdict: every combination, and each reason."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import pytest

from bailee.lock.declaration import Declaration, Word
from bailee.lock.run import Cause, Observation, Run
from bailee.lock.verdict import Verdict, judge
from bailee.model import LockState, Meaning

MEANINGS: tuple[Meaning | None, ...] = (*Meaning, None)
TELLING = (Meaning.SERVED, Meaning.ADDRESS, Meaning.CREDENTIAL, None)
SERVED = Observation(Meaning.SERVED, 200)
ADDRESS = Observation(Meaning.ADDRESS, 403)
CREDENTIAL = Observation(Meaning.CREDENTIAL, 401, shape="like a wrong one")
BOTH = Observation(Meaning.CREDENTIAL_OR_ADDRESS, 401, shape="other")
LIMITED = Observation(Meaning.LIMITED, 429)
UNCLEAR = Observation(Meaning.UNCLEAR, 500)
LACKING = Observation(Meaning.PERMISSION, 403)
SILENT = Observation(None, trouble="provider-timeout")
OURS = Declaration(Word.OURS)
PROVEN = Run(
    fresh=True,
    before=SERVED,
    public_at_decoy=SERVED,
    wrong_at_decoy=CREDENTIAL,
    at_decoy=(ADDRESS,),
    after=SERVED,
)
"""What a restricted key of a provider that says so looks like, when it is new."""


def seen(meaning: Meaning | None) -> Observation:
    return SILENT if meaning is None else Observation(meaning, 200)


def every_run(
    meanings: tuple[Meaning | None, ...] = MEANINGS,
    wrong_ones: tuple[str, ...] = ("absent", Meaning.ADDRESS, Meaning.CREDENTIAL, Meaning.SERVED),
) -> Iterator[Run]:
    """Meanings at all places, those too that no keeper would go on to."""
    absent: tuple[Meaning | None | str, ...] = (*meanings, "absent")

    def maybe(meaning: Meaning | None | str) -> Observation | None:
        return None if meaning == "absent" else seen(meaning)  # type: ignore[arg-type]  # the rest

    for before, public, after in product(absent, repeat=3):
        for real in (*((each,) for each in MEANINGS), (Meaning.SERVED, None), ()):
            for fresh, wrong in product((True, False), wrong_ones):
                yield Run(
                    fresh, maybe(before), maybe(public), maybe(wrong),
                    tuple(map(seen, real)), maybe(after),
                )  # fmt: skip


def was(observation: Observation | None, meaning: Meaning) -> bool:
    return observation is not None and observation.meaning is meaning


def test_enforced_when_everything_was_seen_and_never_else() -> None:
    """In every combination `enforced` means: E+ served after D+ (for a new credential before it,
    too), D0 served, D+ refused for its address, and no such refusal of a wrong credential."""
    count = 0
    for run in every_run():
        proven = (
            was(run.public_at_decoy, Meaning.SERVED)
            and [each.meaning for each in run.at_decoy] == [Meaning.ADDRESS]
            and was(run.after, Meaning.SERVED)
            and (was(run.before, Meaning.SERVED) or not run.fresh)
            and not was(run.before, Meaning.ADDRESS)
            and not was(run.wrong_at_decoy, Meaning.ADDRESS)
            and not was(run.wrong_at_decoy, Meaning.SERVED)
        )
        assert (judge(run).state is LockState.ENFORCED) == proven, run
        count += proven
    assert count > 0


@pytest.mark.parametrize("word", [None, *Word])
def test_states_when_combined_with_a_report(word: Word | None) -> None:
    """Open is what was served at a decoy, blocked what was refused here for its address; a report
    alone makes nothing but `declared`, and that only where nothing spoke against it."""
    declaration = None if word is None else Declaration(word, int(word is Word.FOREIGN))
    for run in every_run(TELLING, ("absent",)):
        verdict = judge(replace(run, declaration=declaration))
        last = run.after or run.before
        if verdict.state is LockState.OPEN:
            assert any(was(each, Meaning.SERVED) for each in run.at_decoy)
        elif verdict.state is LockState.BLOCKED:
            assert was(run.before, Meaning.ADDRESS) or was(run.after, Meaning.ADDRESS)
        elif verdict.state is LockState.DECLARED:
            assert word in (Word.OURS, Word.RESTRICTED)
            assert was(last, Meaning.SERVED)
            assert not any(was(each, Meaning.SERVED) for each in run.at_decoy)
        elif verdict.state is LockState.ENFORCED:
            assert word is not Word.UNRESTRICTED
        assert verdict.state is not LockState.UNCHECKED
        assert verdict.reason
        assert verdict.reason == verdict.reason.strip(". ")


CASES: dict[str, tuple[Run, LockState, Cause, str]] = {
    "a restricted key, new": (PROVEN, LockState.ENFORCED, Cause.MEASURED, "refused at a decoy"),
    "a restricted key, known": (
        replace(PROVEN, fresh=False, before=None),
        LockState.ENFORCED, Cause.MEASURED, "served at the egress address",
    ),
    "its list has foreign addresses too": (
        replace(PROVEN, declaration=Declaration(Word.FOREIGN, 2)),
        LockState.ENFORCED, Cause.MEASURED, "names 2 addresses more that are not ours",
    ),
    "new, and not tried at the egress first": (
        replace(PROVEN, before=None), LockState.UNPROVEN, Cause.LOST, "not seen to be served",
    ),
    "the report contradicts": (
        replace(PROVEN, declaration=Declaration(Word.UNRESTRICTED)),
        LockState.UNPROVEN, Cause.CONTRADICTED, "is not restricted",
    ),
    "a firewall that speaks of addresses": (
        replace(PROVEN, wrong_at_decoy=ADDRESS),
        LockState.UNPROVEN, Cause.GENERAL_REFUSAL, "that is a firewall",
    ),
    "that firewall, and a report": (
        replace(PROVEN, wrong_at_decoy=ADDRESS, declaration=OURS),
        LockState.DECLARED, Cause.GENERAL_REFUSAL, "not proven: the decoy is refused",
    ),
    "a probe that asks for what everyone is given": (
        replace(PROVEN, wrong_at_decoy=SERVED, at_decoy=(SERVED, SERVED)),
        LockState.UNPROVEN, Cause.NO_DIFFERENCE, "something that everyone is given",
    ),
    "served twice at the decoy": (
        replace(PROVEN, at_decoy=(SERVED, SERVED)),
        LockState.OPEN, Cause.MEASURED, "served twice from a decoy",
    ),
    "served at the decoy, then silence": (
        replace(PROVEN, at_decoy=(SERVED, SILENT)), LockState.OPEN, Cause.MEASURED, "served once",
    ),
    "served at the decoy, and refused here": (
        replace(PROVEN, at_decoy=(SERVED, SERVED), after=ADDRESS),
        LockState.OPEN, Cause.MEASURED, "served twice",
    ),
    "served at the decoy, though its report says ours": (
        replace(PROVEN, at_decoy=(SERVED, SERVED), declaration=OURS),
        LockState.OPEN, Cause.MEASURED, "served twice",
    ),
    "served at the decoy, then refused": (
        replace(PROVEN, at_decoy=(SERVED, ADDRESS), declaration=OURS),
        LockState.UNPROVEN, Cause.CHANGED, "may have come into force",
    ),
    "refused here at once": (
        Run(True, before=ADDRESS), LockState.BLOCKED, Cause.MEASURED, "the user has to allow it",
    ),
    "refused here afterwards": (
        replace(PROVEN, after=ADDRESS), LockState.BLOCKED, Cause.MEASURED, "for that address",
    ),
    "a wrong credential": (
        Run(True, before=CREDENTIAL),
        LockState.UNPROVEN, Cause.CREDENTIAL_REFUSED, "refused for the credential (status 401)",
    ),
    "locked after the decoy": (
        replace(PROVEN, after=CREDENTIAL, declaration=OURS),
        LockState.UNPROVEN, Cause.LOST, "may have locked the credential",
    ),
    "known, and locked after the decoy": (
        replace(PROVEN, fresh=False, before=None, after=CREDENTIAL),
        LockState.UNPROVEN, Cause.LOST, "and served when it was checked last",
    ),
    "limited here": (
        Run(True, before=LIMITED), LockState.UNPROVEN, Cause.LIMITED, "a rate limit or a ban",
    ),
    "silence here": (
        Run(True, before=SILENT),
        LockState.UNPROVEN, Cause.EGRESS_UNANSWERED, "not answered (provider-timeout)",
    ),
    "something else here": (
        Run(True, before=UNCLEAR), LockState.UNPROVEN, Cause.UNKNOWN_REFUSAL, "does not explain",
    ),
    "a permission that it lacks": (
        Run(True, before=LACKING), LockState.UNPROVEN, Cause.UNKNOWN_REFUSAL, "a permission",
    ),
    "the decoy is shut out": (
        replace(PROVEN, public_at_decoy=UNCLEAR, wrong_at_decoy=None, at_decoy=()),
        LockState.UNPROVEN, Cause.DECOY_SHUT_OUT, "would prove nothing",
    ),
    "the decoy is shut out, and the provider reports": (
        replace(PROVEN, public_at_decoy=SILENT, at_decoy=(), declaration=OURS),
        LockState.DECLARED, Cause.DECOY_SHUT_OUT, "reports that it is restricted to our addresses",
    ),
    "restricted, to nobody knows what": (
        replace(PROVEN, public_at_decoy=SILENT, declaration=Declaration(Word.RESTRICTED)),
        LockState.DECLARED, Cause.DECOY_SHUT_OUT, "not to which addresses",
    ),
    "a time-out at the decoy": (
        replace(PROVEN, at_decoy=(SILENT, SILENT)),
        LockState.UNPROVEN, Cause.DECOY_UNANSWERED, "never proof",
    ),
    "a limit at the decoy": (
        replace(PROVEN, at_decoy=(LIMITED,)), LockState.UNPROVEN, Cause.LIMITED, "is no proof",
    ),
    "refused like a wrong credential": (
        replace(PROVEN, at_decoy=(CREDENTIAL,)),
        LockState.UNPROVEN, Cause.UNKNOWN_REFUSAL, "in the same way as a credential that does not",
    ),
    "refused otherwise than a wrong credential": (
        replace(PROVEN, at_decoy=(BOTH,)),
        LockState.UNPROVEN, Cause.UNKNOWN_REFUSAL, "can't be told from a banned decoy",
    ),
    "refused, and nothing to compare with": (
        replace(PROVEN, wrong_at_decoy=None, at_decoy=(BOTH,)),
        LockState.UNPROVEN, Cause.UNKNOWN_REFUSAL, "may mean credential or address",
    ),
    "no decoy": (
        Run(True, before=SERVED, no_decoy=Cause.NO_DECOY),
        LockState.UNPROVEN, Cause.NO_DECOY, "there is no decoy",
    ),
    "no decoy, and others' addresses in its list": (
        Run(True, before=SERVED, no_decoy=Cause.NO_DECOY, declaration=Declaration(Word.FOREIGN, 1)),
        LockState.UNPROVEN, Cause.NO_DECOY, "names 1 address more that are not ours",
    ),
    "no decoy, and a report that it is open": (
        Run(True, before=SERVED, no_decoy=Cause.NO_DECOY,
            declaration=Declaration(Word.UNRESTRICTED)),
        LockState.UNPROVEN, Cause.NO_DECOY, "not restricted to any address",
    ),
    "never by the file": (
        Run(True, before=SERVED, no_decoy=Cause.DECOY_NEVER, declaration=OURS),
        LockState.DECLARED, Cause.DECOY_NEVER, "the provider's file forbids",
    ),
    "no consent": (
        Run(False, after=SERVED, no_decoy=Cause.NOT_CONSENTED),
        LockState.UNPROVEN, Cause.NOT_CONSENTED, "has not consented",
    ),
    "no probe": (
        Run(True, no_decoy=Cause.NO_PROBE), LockState.UNPROVEN, Cause.NO_PROBE, "no [probe]"
    ),
    "a limit at D-": (
        replace(PROVEN, wrong_at_decoy=LIMITED, at_decoy=(), no_decoy=Cause.DECOY_HELD),
        LockState.UNPROVEN, Cause.DECOY_HELD, "limited or banned the decoy",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_verdict_when(case: str) -> None:
    """State, cause and reason of each thing that happens."""
    run, state, cause, words = CASES[case]
    verdict = judge(run)
    assert (verdict.state, verdict.cause) == (state, cause)
    assert words in verdict.reason


@pytest.mark.parametrize(
    ("skew", "told"),
    [
        (42.4, "this machine's clock is 42 seconds behind the provider's"),
        (-300.0, "this machine's clock is 300 seconds ahead of the provider's"),
    ],
)
@pytest.mark.parametrize("meaning", [Meaning.CREDENTIAL, Meaning.UNCLEAR])
def test_clock_is_named_when_it_is_off(skew: float, told: str, meaning: Meaning) -> None:
    """A refusal that a wrong clock explains names the skew in seconds, here and at a decoy."""
    refused = Observation(meaning, 401, skew_seconds=skew)
    for run in (Run(True, before=refused), replace(PROVEN, at_decoy=(refused,))):
        verdict = judge(run)
        assert (verdict.state, verdict.cause) == (LockState.UNPROVEN, Cause.CLOCK)
        assert told in verdict.reason


@pytest.mark.parametrize(
    "refused",
    [
        Observation(Meaning.CREDENTIAL, 401, skew_seconds=4.0),
        Observation(Meaning.CREDENTIAL, 401),
        Observation(Meaning.LIMITED, 429, skew_seconds=60.0),
    ],
    ids=["hardly off", "not known", "not what was refused"],
)
def test_clock_is_not_named_when_it_explains_nothing(refused: Observation) -> None:
    """A clock that is right enough, or a refusal that has nothing to do with it."""
    verdict = judge(Run(True, before=refused))
    assert verdict.cause is not Cause.CLOCK
    assert "clock" not in verdict.reason


def test_no_run_is_beyond_words() -> None:
    """Even a run without anything has a verdict."""
    assert judge(Run(True)) == Verdict(
        LockState.UNPROVEN, Cause.NO_PROBE, "the provider's file has no [probe] and no [report]"
    )
