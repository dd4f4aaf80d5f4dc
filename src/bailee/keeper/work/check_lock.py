"""Measure whether the allowlist of a connection's credential is in force."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial

import structlog

from bailee.errors import BadInput, Conflict, ProbingNotAccepted
from bailee.journal.entry import Event
from bailee.journal.writer import Journal
from bailee.keeper.decoys import Decoy, Decoys
from bailee.keeper.exchange import Answered
from bailee.keeper.jobs import Finished
from bailee.keeper.measuring import Measuring
from bailee.keeper.probing import Bearing, Prober
from bailee.keeper.signing import AuthorityAccess
from bailee.keeper.target import Target, Targets
from bailee.lock.run import Cause, Observation, Run
from bailee.lock.verdict import Verdict, judge
from bailee.manage import egress
from bailee.model import (
    ConnectionId,
    DecoyPolicy,
    EgressState,
    Job,
    LockState,
    Probing,
    ProviderRequest,
    TenantId,
)
from bailee.store import locks
from bailee.store import tenants as tenant_rows
from bailee.store.engine import Store
from bailee.store.locks import StoredLock
from bailee.vault.authority import Authority, AuthorityVerifier
from bailee.vault.statements import JobResult, sign_job_result

_MEASURED = frozenset({LockState.ENFORCED, LockState.DECLARED, LockState.OPEN})
"""States in which the credential was served at its egress address, so that it is a working one."""
_log = structlog.get_logger("keeper")


@dataclass(frozen=True, slots=True)
class _Basis:
    """All that was read before a check."""

    target: Target
    last: StoredLock
    consent: Probing
    published: frozenset[str]


@dataclass(frozen=True, slots=True)
class CheckLock:
    """The work `check_lock`.

    Arguments of the job: `connection`; `accept` = `risky` where whoever asks accepts for this once
    what the provider's file says of probes from a decoy.

    The result is `{connection, provider, version, state, cause, reason, egress, decoy, checked_at,
    report, observations}`; it is stored as the connection's lock, too. Neither holds an answer's
    body, nor the address of a decoy.
    """

    store: Store
    verifier: AuthorityVerifier
    access: AuthorityAccess
    prober: Prober
    journal: Journal
    targets: Targets
    decoys: Decoys
    clock: Callable[[], float] = time.time
    _under_way: set[ConnectionId] = field(default_factory=set)

    async def __call__(self, job: Job) -> Finished:
        """Do the job.

        Raises:
            VaultClosed: The credential can't be opened, or the result not signed.
            NotFound, ConnectionRevoked, CredentialClosed, ProviderNotApproved, NoEgressAddress,
            TrustBroken: The connection can't be used; nothing was sent.
            ProbingNotAccepted: Probes from a decoy are risky, and nobody accepted that.
            Conflict: Another check of it is under way, or its credential was changed meanwhile.
            CertificateRefused, PinMismatch, AddressRefused, EgressAddressMissing: At the egress
                address; the credential did not leave.
            JournalUnavailable: A probe can't be recorded, so that it was not sent.
        """
        authority = await asyncio.to_thread(self.access.authority)
        connection = ConnectionId(job.arguments.get("connection", ""))
        if not connection:
            raise BadInput("the job names no connection")
        with self._alone(connection):
            basis = await asyncio.to_thread(self._read, job, connection)
            decoy = self._choose_decoy(basis)
            self._record(job, "lock.check", basis.target, decoy=_name(decoy) or str(decoy))
            measuring = Measuring(
                target=basis.target,
                send=partial(self._send, job, basis.target),
                decoy=decoy,
                decoys=self.decoys,
                published=basis.published,
                fresh=basis.last.state not in _MEASURED,
                clock=self.clock,
            )
            run = await measuring.run()
            verdict = judge(run)
            lock = self._lock(basis.target, measuring, run, verdict)
            await asyncio.to_thread(self._store_lock, lock)
        self._tell(job, basis, lock, verdict)
        return _finish(authority, job, basis.target, lock, verdict)

    @contextmanager
    def _alone(self, connection: ConnectionId) -> Iterator[None]:
        """Two checks at once would take each other's probes for the provider's doing."""
        if connection in self._under_way:
            raise Conflict("a check of this connection is under way", "wait for its end")
        self._under_way.add(connection)
        try:
            yield
        finally:
            self._under_way.discard(connection)

    def _read(self, job: Job, connection: ConnectionId) -> _Basis:
        target = self.targets.find(job.tenant, connection)
        with self.store.read() as conn:
            standing = locks.find(conn, job.tenant, connection)
            tenant = tenant_rows.find(conn, job.tenant)
            published = frozenset(
                each.address.public
                for each in egress.standings(conn, self.verifier)
                if each.address.state is EgressState.ACTIVE and not each.broken
            )
        if standing is None or tenant is None:
            raise Conflict("the connection was changed meanwhile", "check it again")
        accepted = job.arguments.get("accept") == Probing.RISKY
        consent = Probing.RISKY if accepted else tenant.probing
        return _Basis(target, standing.lock, consent, published)

    def _choose_decoy(self, basis: _Basis) -> Decoy | Cause:
        """Choose where to try from; a decoy is used with consent alone.

        Raises:
            ProbingNotAccepted: Without one, nothing could be told.
        """
        provider = basis.target.provider
        if provider.probe is None:
            return Cause.NO_PROBE
        if provider.probe.decoy is DecoyPolicy.NEVER:
            return Cause.DECOY_NEVER
        chosen = self.decoys.choose(
            provider.id, basis.target.source.bind, basis.published, self.clock()
        )
        if isinstance(chosen, Cause) or basis.consent is Probing.RISKY:
            return chosen
        if provider.probe.decoy is DecoyPolicy.OK and basis.consent is Probing.OK:
            return chosen
        if provider.probe.decoy is DecoyPolicy.RISKY and provider.report is None:
            raise ProbingNotAccepted(
                f"{provider.name or provider.id} may lock or flag a credential that is tried from "
                "a decoy, and the tenant has not accepted that",
                "give --accept-risky for this once, or let the tenant's probing be risky",
            )
        return Cause.NOT_CONSENTED

    async def _send(
        self,
        job: Job,
        target: Target,
        name: str,
        asked: ProviderRequest,
        source: str,
        bearing: Bearing,
    ) -> Answered:
        """Record a probe, then send it."""
        place = "egress" if source == target.source.bind else "decoy"
        self._record(job, "lock.probe", target, probe=name, place=place, bearing=str(bearing))
        return await self.prober.send(target, asked, source, bearing)

    def _lock(self, target: Target, measuring: Measuring, run: Run, verdict: Verdict) -> StoredLock:
        report = measuring.report
        told: dict[str, object] | None = None if report is None else asdict(report)
        used = measuring.decoy if run.public_at_decoy is not None else None
        return StoredLock(
            connection=target.connection,
            tenant=target.tenant,
            state=verdict.state,
            version=target.sealed.version,
            reason=verdict.reason,
            egress=target.egress.id,
            decoy=_name(used),
            checked_at=self.clock(),
            report=told,
            observations=[{"cause": str(verdict.cause)}, *described(run)],
        )

    def _store_lock(self, lock: StoredLock) -> None:
        with self.store.write() as conn:
            if not locks.put(conn, lock):
                raise Conflict("the credential was changed during the check", "check it again")

    def _tell(self, job: Job, basis: _Basis, lock: StoredLock, verdict: Verdict) -> None:
        """Journal the outcome; a lock that was in force and is open now is an alarm."""
        self._record(
            job, "lock.checked", basis.target, state=str(lock.state), cause=str(verdict.cause),
            was=str(basis.last.state), decoy=lock.decoy or "",
        )  # fmt: skip
        if basis.last.state is LockState.ENFORCED and lock.state is LockState.OPEN:
            self._record(job, "lock.opened", basis.target, decoy=lock.decoy or "")
            _log.error(
                "an allowlist is no longer in force",
                connection=lock.connection,
                provider=basis.target.provider.id,
            )

    def _record(self, job: Job, kind: str, target: Target, **detail: str) -> None:
        self.journal.record(
            Event(
                kind=kind,
                at=self.clock(),
                actor="keeper",
                tenant=TenantId(target.tenant),
                target=target.connection,
                detail={"job": job.id, "provider": target.provider.id} | detail,
            )
        )


def _finish(
    authority: Authority, job: Job, target: Target, lock: StoredLock, verdict: Verdict
) -> Finished:
    result: dict[str, object] = {
        "connection": lock.connection,
        "provider": target.provider.id,
        "version": lock.version,
        "state": str(verdict.state),
        "cause": str(verdict.cause),
        "reason": verdict.reason,
        "egress": target.egress.name,
        "decoy": lock.decoy,
        "checked_at": lock.checked_at,
        "report": lock.report,
        "observations": (lock.observations or [])[1:],
    }
    signed = sign_job_result(authority, JobResult(job.id, job.kind, job.arguments, result))
    return Finished(result, signed.signature)


def described(run: Run) -> list[dict[str, object]]:
    """Describe what was seen, in the order in which it was tried, in values of JSON."""
    seen: list[tuple[str, Observation | None]] = [
        ("E+ before", run.before),
        ("D0", run.public_at_decoy),
        ("D-", run.wrong_at_decoy),
        *(("D+", each) for each in run.at_decoy),
        ("E+", run.after),
    ]
    return [_described(name, each) for name, each in seen if each is not None]


def _described(name: str, seen: Observation) -> dict[str, object]:
    skew = seen.skew_seconds
    return {
        "probe": name,
        "meaning": None if seen.meaning is None else str(seen.meaning),
        "status": seen.status,
        "trouble": seen.trouble,
        "skew_seconds": None if skew is None else round(skew, 1),
        "at": seen.at,
    }


def _name(decoy: Decoy | Cause | None) -> str | None:
    return decoy.name if isinstance(decoy, Decoy) else None
