"""Grants: which caller may use which connection, for which rules."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from bailee.model import CallerId, ConnectionId, Grant, GrantId, Rule, TenantId
from bailee.store import schema
from bailee.store.paging import paged

_table = schema.grants


@dataclass(frozen=True, slots=True)
class StoredGrant:
    """A grant and whether it still holds."""

    grant: Grant
    created_at: float
    revoked_at: float | None = None


def rules_from_json(texts: Iterable[str]) -> tuple[Rule, ...]:
    """Turn the stored form of rules (`METHOD /pattern`) back into rules."""
    return tuple(Rule(method, pattern) for method, _, pattern in (t.partition(" ") for t in texts))


def insert(conn: sa.Connection, tenant: TenantId, grant: Grant, now: float) -> None:
    """Store a grant; a caller or a connection that is not the tenant's is a Conflict."""
    conn.execute(
        sa.insert(_table).values(
            id=grant.id,
            tenant_id=tenant,
            caller_id=grant.caller,
            connection_id=grant.connection,
            allow=[str(rule) for rule in grant.allow],
            created_at=now,
            expires_at=grant.expires_at,
        )
    )


def find(conn: sa.Connection, tenant: TenantId, grant: GrantId) -> StoredGrant | None:
    """Find a tenant's grant."""
    row = conn.execute(
        sa.select(_table).where(_table.c.tenant_id == tenant, _table.c.id == grant)
    ).one_or_none()
    return None if row is None else _grant(row)


def list_page(
    conn: sa.Connection,
    tenant: TenantId,
    *,
    caller: CallerId | None = None,
    connection: ConnectionId | None = None,
    after: str | None,
    limit: int,
) -> list[StoredGrant]:
    """List a tenant's grants in the order of their ids; each filter that is given must fit."""
    wanted = sa.select(_table).where(_table.c.tenant_id == tenant)
    if caller is not None:
        wanted = wanted.where(_table.c.caller_id == caller)
    if connection is not None:
        wanted = wanted.where(_table.c.connection_id == connection)
    return [_grant(row) for row in conn.execute(paged(wanted, _table.c.id, after, limit))]


def revoke(conn: sa.Connection, tenant: TenantId, grant: GrantId, now: float) -> bool:
    """Revoke a grant; False if there is no live one."""
    changed = conn.execute(
        sa.update(_table)
        .where(_table.c.tenant_id == tenant, _table.c.id == grant, _table.c.revoked_at.is_(None))
        .values(revoked_at=now)
    )
    return changed.rowcount == 1


def revoke_of_caller(conn: sa.Connection, tenant: TenantId, caller: CallerId, now: float) -> int:
    """Revoke every live grant of a caller and return how many there were."""
    changed = conn.execute(
        sa.update(_table)
        .where(
            _table.c.tenant_id == tenant,
            _table.c.caller_id == caller,
            _table.c.revoked_at.is_(None),
        )
        .values(revoked_at=now)
    )
    return changed.rowcount


def _grant(row: sa.Row[Any]) -> StoredGrant:
    grant = Grant(
        id=GrantId(row.id),
        caller=CallerId(row.caller_id),
        connection=ConnectionId(row.connection_id),
        allow=rules_from_json(row.allow),
        expires_at=row.expires_at,
    )
    return StoredGrant(grant, row.created_at, row.revoked_at)
