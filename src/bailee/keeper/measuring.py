"""One check of one credential: which probes are sent, in which order, and what stops them.

Nothing is sent twice that was refused explicitly: only what was not answered, or failed in the
provider, is tried once more, and so is a decoy that was served, for one answer may be a mistake.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from bailee.errors import (
    AnswerLost,
    AnswerMalformed,
    BaileeError,
    CertificateRefused,
    NameUnresolved,
    PinMismatch,
    ProviderTimeout,
    ProviderUnreachable,
)
from bailee.keeper.decoys import Decoy, Decoys
from bailee.keeper.exchange import Answered
from bailee.keeper.probing import Bearing, can_be_wrong
from bailee.keeper.target import Target
from bailee.lock.declaration import Declaration, Word, declaration_of
from bailee.lock.run import Cause, Observation, Run
from bailee.model import Condition, Meaning, Probe, ProviderRequest, Report
from bailee.providers.refusal import holds, meaning_of_call, meaning_of_probe
from bailee.providers.report import read_report

CHECK_SECONDS: Final = 34.0
"""After so long no further probe is sent, so that the job ends before its own deadline."""
_NO_ANSWER: Final = (
    ProviderUnreachable, NameUnresolved, ProviderTimeout, AnswerLost, AnswerMalformed
)  # fmt: skip
_FALSE_PEER: Final = (CertificateRefused, PinMismatch)
"""From a decoy that is an observation as others; at the egress address it ends the check."""
Meant = Callable[[Answered], Meaning]


class Sender(Protocol):
    """Sends one probe, as `Prober.send`, and records it before."""

    async def __call__(
        self, name: str, asked: ProviderRequest, source: str, bearing: Bearing
    ) -> Answered:
        """Send a probe; `name` is what the journal calls it."""
        ...


@dataclass(slots=True)
class Measuring:
    """A check under way.

    Args:
        target: What is checked.
        send: Sends a probe.
        decoy: From where; or why there is none.
        decoys: Remembers what providers made of it.
        published: All published egress addresses.
        fresh: Whether this version was never measured.
    """

    target: Target
    send: Sender
    decoy: Decoy | Cause
    decoys: Decoys
    published: frozenset[str]
    fresh: bool
    clock: Callable[[], float] = time.time
    report: Report | None = None
    """What the provider told of the credential; None when it was not asked."""
    _deadline: float = field(init=False)
    _told: Answered | None = None
    """The last answer of the egress address; None when there was none."""

    def __post_init__(self) -> None:
        self._deadline = time.monotonic() + CHECK_SECONDS

    async def run(self) -> Run:
        """Take the measurements.

        Raises:
            BaileeError: The credential does not open, or something is not recorded; or whoever
                answers at the provider's address is not the provider.
        """
        if self.target.provider.probe is None:
            return await self._report_alone()
        run = Run(fresh=self.fresh)
        if isinstance(self.decoy, Cause):
            run = replace(run, no_decoy=self.decoy)
        if self.fresh:
            run = replace(run, before=await self._at_egress("E+ before"))
            if not _served(run.before):
                return run
        if isinstance(self.decoy, Decoy):
            run = await self._from_decoy(run, self.decoy)
        if run.at_decoy or not self.fresh:
            run = replace(run, after=await self._at_egress("E+"))
        return replace(run, declaration=await self._declaration(run.after or run.before))

    async def _from_decoy(self, run: Run, decoy: Decoy) -> Run:
        """D0, D- and D+, for as long as each leaves a reason for the next."""
        run = replace(run, public_at_decoy=await self._public(decoy))
        if not _served(run.public_at_decoy):
            return run
        run = replace(run, wrong_at_decoy=await self._wrong(decoy))
        if run.wrong_at_decoy and run.wrong_at_decoy.meaning is Meaning.LIMITED:
            return replace(run, no_decoy=Cause.DECOY_HELD)
        seen = await self._real(decoy)
        run = replace(run, at_decoy=(seen,))
        if seen.meaning in (None, Meaning.SERVED):
            run = replace(run, at_decoy=(seen, await self._real(decoy)))
        return run

    async def _public(self, decoy: Decoy) -> Observation:
        probe = self._probe()
        meant = self._meant_by(probe.public_success)
        seen = await self._observe("D0", probe.public, decoy.bind, Bearing.NOTHING, meant, decoy)
        if _may_repeat(seen):
            again = await self._observe(
                "D0 again", probe.public, decoy.bind, Bearing.NOTHING, meant, decoy
            )
            seen = again
        return seen

    async def _wrong(self, decoy: Decoy) -> Observation | None:
        """D-, at most once a day; None where no wrong credential can be made."""
        provider = self.target.provider
        seen = self.decoys.wrong(decoy, provider.id, self.clock())
        if seen is None and can_be_wrong(provider.auth):
            asked = self._probe().request
            seen = await self._observe("D-", asked, decoy.bind, Bearing.WRONG, self._meant, decoy)
            self.decoys.keep_wrong(decoy, provider.id, seen)
        return seen

    async def _real(self, decoy: Decoy) -> Observation:
        asked = self._probe().request
        return await self._observe("D+", asked, decoy.bind, Bearing.REAL, self._meant, decoy)

    async def _at_egress(self, name: str) -> Observation:
        asked, source = self._probe().request, self.target.source.bind
        seen = await self._observe(name, asked, source, Bearing.REAL, self._meant, None)
        if _may_repeat(seen):
            seen = await self._observe(name, asked, source, Bearing.REAL, self._meant, None)
        return seen

    async def _declaration(self, last: Observation | None) -> Declaration | None:
        """Ask the provider itself, once the credential is known to be served."""
        report = self.target.provider.report
        if report is None or not _served(last):
            return None
        if report.request != self._probe().request:
            meant = self._meant_by(report.success)
            source = self.target.source.bind
            await self._observe("report", report.request, source, Bearing.REAL, meant, None)
        return self._read_report()

    async def _report_alone(self) -> Run:
        """A provider without a probe: its report is all that can be had."""
        report = self.target.provider.report
        if report is None:
            return Run(self.fresh, no_decoy=Cause.NO_PROBE)
        meant, source = self._meant_by(report.success), self.target.source.bind
        seen = await self._observe("report", report.request, source, Bearing.REAL, meant, None)
        declaration = self._read_report() if _served(seen) else None
        return Run(self.fresh, after=seen, no_decoy=Cause.NO_PROBE, declaration=declaration)

    def _read_report(self) -> Declaration:
        if self._told is None:
            return Declaration(Word.UNREADABLE)
        provider, answer = self.target.provider, self._told
        self.report = read_report(provider, answer.body, answer.status)
        return declaration_of(self.report, self.target.egress.public, self.published)

    async def _observe(
        self,
        name: str,
        asked: ProviderRequest,
        source: str,
        bearing: Bearing,
        meant: Meant,
        decoy: Decoy | None,
    ) -> Observation:
        """Send a probe and say what came of it; a decoy that is limited rests from now on."""
        if decoy is None:
            self._told = None
        if time.monotonic() > self._deadline:
            return Observation(None, trouble="no time left", at=self.clock())
        try:
            answer = await self.send(name, asked, source, bearing)
        except BaileeError as error:
            if not isinstance(error, _NO_ANSWER if decoy is None else _NO_ANSWER + _FALSE_PEER):
                raise
            return Observation(None, trouble=error.code, at=self.clock())
        now = self.clock()
        meaning = meant(answer)
        if decoy is None:
            self._told = answer
        elif meaning is Meaning.LIMITED:
            self.decoys.hold(decoy, self.target.provider.id, answer, now)
        return Observation(
            meaning,
            answer.status,
            skew_seconds=None if answer.date is None else answer.date - now,
            shape="" if meaning is Meaning.SERVED else self.decoys.shape(answer),
            at=now,
        )

    def _meant(self, answer: Answered) -> Meaning:
        return meaning_of_probe(self.target.provider, answer.status, answer.body)

    def _meant_by(self, success: Condition) -> Meant:
        """What an answer means to a request with a success of its own."""

        def meant(answer: Answered) -> Meaning:
            meaning = meaning_of_call(self.target.provider, answer.status, answer.body)
            if meaning not in (Meaning.SERVED, Meaning.UNCLEAR):
                return meaning
            served = holds(success, answer.status, answer.body)
            return Meaning.SERVED if served else Meaning.UNCLEAR

        return meant

    def _probe(self) -> Probe:
        probe = self.target.provider.probe
        assert probe is not None  # `run` goes another way without one
        return probe


def _served(seen: Observation | None) -> bool:
    return seen is not None and seen.meaning is Meaning.SERVED


def _may_repeat(seen: Observation) -> bool:
    """Not answered, or failed in the provider: nobody refused anything."""
    failed = seen.meaning is Meaning.UNCLEAR and seen.status is not None and seen.status >= 500
    return failed or (seen.meaning is None and seen.trouble != "no time left")
