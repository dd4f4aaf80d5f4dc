"""Locks, exposure, imports, revocations, erasure."""

from typing import Any, Self

from pydantic import Field

from bailee.admin.api.answers.base import Answer, Page, Time
from bailee.admin.api.answers.owned import CONNECTION_ID
from bailee.admin.api.examples import Example, examples
from bailee.lock.exposure import Exposure
from bailee.manage.imports import Imported, ImportOutcome
from bailee.model import LockState
from bailee.store.connections import StoredConnection
from bailee.store.locks import LockStanding
from bailee.store.revoking import Erased

_LOCK: Example = {
    "connection": CONNECTION_ID,
    "tenant": "default",
    "provider": "kraken",
    "subject": "user-17",
    "state": "enforced",
    "reason": "",
    "version": 1,
    "egress": "egr_zrxk6l3n4mvq2yw7t5hbdpa4ce",
    "decoy": "d",
    "checked_at": 1795564800.0,
}
_REVOKED: Example = {
    "connection": CONNECTION_ID,
    "tenant": "default",
    "provider": "kraken",
    "subject": "user-17",
    "revoked_at": 1795564800.0,
}
_EXPOSURE: Example = {
    "total": 1042,
    "exposed": 17,
    "unknown": 3,
    "declared": 22,
    "shut": 1000,
    "exposed_powers": {"trade": 17, "withdraw": 1},
    "by_provider": {"kraken": {"open": 17, "enforced": 1000}},
    "step": {
        "text": "ask the users of kraken to allow our addresses and no others",
        "command": "",
        "connections": 17,
    },
}


class Lock(Answer):
    """The measured state of one connection's allowlist."""

    model_config = examples(_LOCK)

    connection: str
    tenant: str
    provider: str
    subject: str
    state: LockState
    reason: str = Field(description="Why it is not more; empty where there is nothing to say.")
    version: int = Field(description="Of the connection's credential.")
    egress: str | None
    decoy: str | None
    checked_at: Time | None

    @classmethod
    def of(cls, standing: LockStanding, **more: Any) -> Self:
        """Tell of a lock."""
        lock = standing.lock
        return cls(
            connection=lock.connection,
            tenant=lock.tenant,
            provider=standing.provider,
            subject=standing.subject,
            state=lock.state,
            reason=lock.reason,
            version=lock.version,
            egress=lock.egress,
            decoy=lock.decoy,
            checked_at=lock.checked_at,
            **more,
        )


class LockWhole(Lock):
    """A lock with what it rests on."""

    model_config = examples(
        _LOCK | {"report": None, "observations": [{"probe": "E+", "means": "served"}]}
    )

    report: dict[str, Any] | None = Field(description="What the provider says of the credential.")
    observations: list[dict[str, Any]] | None = Field(description="Each probe and its answer.")

    @classmethod
    def with_grounds(cls, standing: LockStanding) -> Self:
        """Tell all of a lock."""
        lock = standing.lock
        return cls.of(standing, report=lock.report, observations=lock.observations)


class StepShown(Answer):
    """One thing to do, and for how many connections it helps."""

    text: str
    command: str = Field(description="Empty where it is for the users to do.")
    connections: int


class ExposureShown(Answer):
    """Of all active connections: how many would work for a thief today."""

    model_config = examples(_EXPOSURE)

    total: int
    exposed: int = Field(description="Seen to work from an address that nobody allowed.")
    unknown: int = Field(description="Never checked, or not proven.")
    declared: int = Field(description="Shut by the provider's word alone.")
    shut: int = Field(description="Seen to be refused elsewhere, or refused even here.")
    exposed_powers: dict[str, int]
    by_provider: dict[str, dict[str, int]] = Field(description="Connections by lock.")
    step: StepShown | None = Field(description="The one that helps most; null: nothing is left.")

    @classmethod
    def of(cls, exposure: Exposure) -> Self:
        """Tell of the exposure."""
        step = exposure.step
        return cls(
            total=exposure.total,
            exposed=exposure.exposed,
            unknown=exposure.unknown,
            declared=exposure.declared,
            shut=exposure.shut,
            exposed_powers=dict(exposure.exposed_powers),
            by_provider={
                provider: {str(state): count for state, count in counts.items()}
                for provider, counts in exposure.by_provider.items()
            },
            step=None
            if step is None
            else StepShown(text=step.text, command=step.command, connections=step.connections),
        )


class ImportedItem(Answer):
    """What became of one item of a batch; code, detail and hint where it was refused."""

    id: str
    outcome: ImportOutcome
    code: str
    detail: str
    hint: str

    @classmethod
    def of(cls, imported: Imported) -> Self:
        """Tell of one item."""
        return cls(
            id=imported.connection,
            outcome=imported.outcome,
            code=imported.code,
            detail=imported.detail,
            hint=imported.hint,
        )


class Batch(Answer):
    """What became of a batch, item by item in the order in which they were sent."""

    model_config = examples(
        {
            "added": 1,
            "existing": 0,
            "refused": 1,
            "items": [
                {
                    "id": CONNECTION_ID,
                    "outcome": "added",
                    "code": "",
                    "detail": "",
                    "hint": "",
                },
                {
                    "id": "p4cezrxk6l3nk3v7q2mzt5hbda",
                    "outcome": "refused",
                    "code": "not-found",
                    "detail": "there is no such provider",
                    "hint": "",
                },
            ],
        }
    )

    added: int
    existing: int = Field(description="Had been added before.")
    refused: int
    items: list[ImportedItem]


class Revoked(Answer):
    """One revoked connection: whom to tell, and of which provider."""

    model_config = examples(_REVOKED)

    connection: str
    tenant: str
    provider: str
    subject: str
    revoked_at: Time

    @classmethod
    def of(cls, row: StoredConnection) -> Self:
        """Tell of a connection that was revoked."""
        return cls(
            connection=row.id,
            tenant=row.tenant,
            provider=row.provider,
            subject=row.subject,
            revoked_at=row.revoked_at or 0.0,
        )


class Revocation(Page[Revoked]):
    """What was revoked at once, with the first page of whom to tell; `export` lists all pages."""

    model_config = examples(
        {
            "revoked_at": 1795564800.0,
            "connections": 1,
            "subjects": 1,
            "export": "/v1/revocations?since=1795564800.0",
            "items": [_REVOKED],
            "next": None,
        }
    )

    revoked_at: Time
    connections: int
    subjects: int
    export: str


class Erasure(Answer):
    """What was deleted of a subject, besides its key in the journal."""

    model_config = examples(
        {
            "tenant": "default",
            "connections": [CONNECTION_ID],
            "grants": 1,
            "tokens": 0,
        }
    )

    tenant: str
    connections: list[str]
    grants: int
    tokens: int

    @classmethod
    def of(cls, erased: Erased) -> Self:
        """Tell of an erasure."""
        return cls(
            tenant=erased.tenant,
            connections=list(erased.connections),
            grants=erased.grants,
            tokens=erased.tokens,
        )
