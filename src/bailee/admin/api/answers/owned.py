"""What one tenant owns: connections, callers, grants, tokens, jobs."""

import base64
from typing import Any, Self

from pydantic import Field

from bailee.admin.api.answers.base import Answer, Time
from bailee.admin.api.examples import Example, examples
from bailee.manage.connections import ConnectionDetail
from bailee.manage.tokens import IssuedToken
from bailee.model import ConnectionState, Job, JobState, Role
from bailee.store.callers import StoredCaller
from bailee.store.connections import StoredConnection
from bailee.store.grants import StoredGrant
from bailee.store.tokens import StoredToken

CONNECTION_ID = "k3v7q2mzt5hbdpa4cezrxk6l3n"
_TOKEN_ID = "tok_zrxk6l3n4mvq2yw7t5hbdpa4ce"
_CALLER_ID = "clr_zrxk6l3n4mvq2yw7t5hbdpa4ce"
_CONNECTION: Example = {
    "id": CONNECTION_ID,
    "tenant": "default",
    "provider": "kraken",
    "subject": "user-17",
    "state": "active",
    "version": 1,
    "egress": "egr_zrxk6l3n4mvq2yw7t5hbdpa4ce",
    "created_at": 1795564800.0,
    "revoked_at": None,
}
_CALLER: Example = {
    "id": _CALLER_ID,
    "name": "reports",
    "allow_from": ["192.0.2.0/24"],
    "created_at": 1795564800.0,
    "revoked_at": None,
    "calls_per_second": 20,
    "concurrent": None,
}
_TOKEN: Example = {
    "id": _TOKEN_ID,
    "tenant": "default",
    "role": "caller",
    "caller": _CALLER_ID,
    "label": "",
    "created_at": 1795564800.0,
    "expires_at": 1795565700.0,
    "revoked_at": None,
    "subject": "user-17",
    "connection": None,
    "methods": ["GET"],
    "parent": "tok_p4cezrxk6l3n4mvq2yw7t5hbda",
}
_SHOWN = "bailee_..."


class Connection(Answer):
    """A connection. Its credential is not shown, sealed or not."""

    model_config = examples(_CONNECTION)

    id: str
    tenant: str
    provider: str
    subject: str
    state: ConnectionState
    version: int = Field(description="Of its credential; a new one is sealed as the next.")
    egress: str = Field(description="The id of the address that its calls leave from.")
    created_at: Time
    revoked_at: Time | None

    @classmethod
    def of(cls, row: StoredConnection, **more: Any) -> Self:
        """Tell of a connection."""
        return cls(
            id=row.id,
            tenant=row.tenant,
            provider=row.provider,
            subject=row.subject,
            state=row.state,
            version=row.version,
            egress=row.egress,
            created_at=row.created_at,
            revoked_at=row.revoked_at,
            **more,
        )


class ConnectionWhole(Connection):
    """A connection with its egress address, and whether its credential fits the trust record."""

    model_config = examples(
        _CONNECTION
        | {
            "egress_name": "a",
            "egress_public": "203.0.113.7",
            "egress_state": "active",
            "sealed_at": 1795564800.0,
            "fits_trust": True,
        }
    )

    egress_name: str | None
    egress_public: str | None
    egress_state: str | None
    sealed_at: Time | None
    fits_trust: bool = Field(
        description="Whether it was sealed to the provider as it is approved now; if not, it has "
        "to be entered again."
    )

    @classmethod
    def with_egress(cls, detail: ConnectionDetail) -> Self:
        """Tell all of a connection."""
        address = detail.egress
        return cls.of(
            detail.connection,
            egress_name=None if address is None else address.name,
            egress_public=None if address is None else address.public,
            egress_state=None if address is None else address.state,
            sealed_at=detail.sealed_at,
            fits_trust=detail.fits_trust,
        )


class Caller(Answer):
    """A caller. Its tokens are not shown."""

    model_config = examples(_CALLER)

    id: str
    name: str
    allow_from: list[str]
    created_at: Time
    revoked_at: Time | None
    calls_per_second: int | None = Field(description="Null: as the gateway's config says.")
    concurrent: int | None = Field(description="Calls under way in one worker; null: likewise.")

    @classmethod
    def of(cls, row: StoredCaller, **more: Any) -> Self:
        """Tell of a caller."""
        return cls(
            id=row.caller.id,
            name=row.caller.name,
            allow_from=list(row.caller.allow_from),
            created_at=row.created_at,
            revoked_at=row.revoked_at,
            calls_per_second=row.caller.limits.calls_per_second,
            concurrent=row.caller.limits.concurrent,
            **more,
        )


class NewCallerShown(Caller):
    """A new caller with its first token, which is shown this once."""

    model_config = examples(
        _CALLER | {"token": _SHOWN, "token_id": _TOKEN_ID, "expires_at": 1803340800.0}
    )

    token: str
    token_id: str
    expires_at: Time


class Token(Answer):
    """A token as far as it is stored: what it is for, never the token itself."""

    model_config = examples(_TOKEN)

    id: str
    tenant: str
    role: Role
    caller: str | None
    label: str
    created_at: Time
    expires_at: Time
    revoked_at: Time | None
    subject: str | None = Field(description="Of a derived token: whose connections alone.")
    connection: str | None = Field(description="Of a derived token: which connection alone.")
    methods: list[str] | None = Field(description="Of a derived token: which methods alone.")
    parent: str | None = Field(description="The token that it was derived with, and dies with.")

    @classmethod
    def of(cls, row: StoredToken, **more: Any) -> Self:
        """Tell of a token."""
        return cls(
            id=row.id,
            tenant=row.tenant,
            role=row.role,
            caller=row.caller,
            label=row.label,
            created_at=row.created_at,
            expires_at=row.expires_at,
            revoked_at=row.revoked_at,
            subject=row.subject,
            connection=row.connection,
            methods=None if row.methods is None else list(row.methods),
            parent=row.parent,
            **more,
        )


class NewTokenShown(Token):
    """A new token, which is shown this once."""

    model_config = examples(_TOKEN | {"token": _SHOWN})

    token: str

    @classmethod
    def issued(cls, issued: IssuedToken) -> Self:
        """Show a token at the one moment when its text is known."""
        return cls.of(issued.token, token=issued.text.reveal().decode("ascii"))


class Grant(Answer):
    """What a caller may do with one connection, or with all of a provider or a subject."""

    model_config = examples(
        {
            "id": "grt_zrxk6l3n4mvq2yw7t5hbdpa4ce",
            "caller": _CALLER_ID,
            "connection": None,
            "provider": "kraken",
            "subject": None,
            "allow": ["POST /0/private/Balance"],
            "created_at": 1795564800.0,
            "expires_at": None,
            "revoked_at": None,
        }
    )

    id: str
    caller: str
    connection: str | None
    provider: str | None
    subject: str | None
    allow: list[str]
    created_at: Time
    expires_at: Time | None
    revoked_at: Time | None

    @classmethod
    def of(cls, row: StoredGrant) -> Self:
        """Tell of a grant."""
        return cls(
            id=row.grant.id,
            caller=row.grant.caller,
            connection=row.grant.connection,
            provider=row.grant.provider,
            subject=row.grant.subject,
            allow=[str(rule) for rule in row.grant.allow],
            created_at=row.created_at,
            expires_at=row.grant.expires_at,
            revoked_at=row.revoked_at,
        )


class JobShown(Answer):
    """A job. Its result is worth what `result_signature` is worth."""

    model_config = examples(
        {
            "id": "job_zrxk6l3n4mvq2yw7t5hbdpa4ce",
            "kind": "learn_pin",
            "arguments": {"provider": "kraken", "origin": "rest"},
            "egress": "a",
            "state": "waiting",
            "created_at": 1795564800.0,
            "finished_at": None,
            "result": None,
            "result_signature": None,
            "error": None,
        }
    )

    id: str
    kind: str
    arguments: dict[str, str]
    egress: str = Field(description="The name of the address that it needs.")
    state: JobState
    created_at: Time
    finished_at: Time | None
    result: dict[str, Any] | None
    result_signature: str | None
    error: dict[str, str] | None = Field(description="Code, detail and hint, where it failed.")

    @classmethod
    def of(cls, job: Job) -> Self:
        """Tell of a job."""
        mark = job.result_signature
        return cls(
            id=job.id,
            kind=job.kind,
            arguments=job.arguments,
            egress=job.egress,
            state=job.state,
            created_at=job.created_at,
            finished_at=job.finished_at,
            result=job.result,
            result_signature=None if mark is None else base64.b64encode(mark).decode(),
            error=job.error,
        )
