"""How the installation stands."""

from typing import Self

from pydantic import Field

from bailee.admin.api.answers.base import Answer
from bailee.admin.api.answers.shared import EGRESS, Egress
from bailee.admin.api.examples import examples
from bailee.manage.status import Status
from bailee.model import Role


class Health(Answer):
    """It works."""

    model_config = examples({"status": "ok"})

    status: str


class StatusShown(Answer):
    """Counts of the tenant's rows, and of what all tenants share."""

    model_config = examples(
        {
            "version": "0.1.0",
            "tenant": "default",
            "schema": "0004",
            "revision": 4711,
            "providers": {"approved": 5, "proposed": 0, "changed": 0, "broken": 0},
            "pinned_origins": 5,
            "connections": {"active": 1042, "revoked": 3},
            "callers": 2,
            "grants": 6,
            "jobs": {"waiting": 0, "running": 0, "done": 12, "failed": 1},
            "egress": [EGRESS],
        }
    )

    version: str
    tenant: str
    schema_: str = Field(alias="schema", description="The revision of the database's schema.")
    revision: int = Field(description="Grows with every change that gateways obey.")
    providers: dict[str, int]
    pinned_origins: int
    connections: dict[str, int]
    callers: int = Field(description="Not revoked.")
    grants: int = Field(description="Not revoked.")
    jobs: dict[str, int]
    egress: list[Egress]

    @classmethod
    def of(cls, status: Status, version: str, tenant: str, role: Role) -> Self:
        """Tell a role the counts."""
        return cls(
            version=version,
            tenant=tenant,
            schema=status.schema,
            revision=status.revision,
            providers=status.providers,
            pinned_origins=status.pinned_origins,
            connections=status.connections,
            callers=status.callers,
            grants=status.grants,
            jobs=status.jobs,
            egress=[Egress.of(each, {}, role) for each in status.egress],
        )
