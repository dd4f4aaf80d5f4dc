"""Grants: which caller may use which connections, for which rules."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from bailee.errors import BadInput
from bailee.model import (
    CallerId,
    ConnectionId,
    ConnectionState,
    Grant,
    GrantId,
    ProviderId,
    Rule,
    TenantId,
)
from bailee.policy.rules import parse_grant_rule
from bailee.store import schema
from bailee.store.paging import paged
from bailee.store.statements import GRANTS

_table = schema.grants
_connections = schema.connections


@dataclass(frozen=True, slots=True)
class StoredGrant:
    """A grant and whether it still holds."""

    grant: Grant
    created_at: float
    revoked_at: float | None = None


def rules_from_json(texts: Iterable[str]) -> tuple[Rule, ...]:
    """Turn the stored form of rules (`METHOD /pattern ...`) back into rules."""
    return tuple(map(_rule_from_text, texts))


def _rule_from_text(text: str) -> Rule:
    method, _, pattern = text.partition(" ")
    if " " in pattern:
        # What can't be read, as a later version may have written it, allows nothing as a pattern.
        with suppress(BadInput):
            return parse_grant_rule(text)
    return Rule(method, pattern)


def insert(conn: sa.Connection, tenant: TenantId, grant: Grant, now: float) -> None:
    """Store a grant; a caller, connection or subject that is not the tenant's is a Conflict."""
    conn.execute(
        sa.insert(_table).values(
            id=grant.id,
            tenant_id=tenant,
            caller_id=grant.caller,
            connection_id=grant.connection,
            provider_id=grant.provider,
            subject=grant.subject,
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
    provider: ProviderId | None = None,
    subject: str | None = None,
    after: str | None,
    limit: int,
) -> list[StoredGrant]:
    """List a tenant's grants in the order of their ids.

    Each filter that is given must be what the grant itself names.
    """
    wanted = sa.select(_table).where(_table.c.tenant_id == tenant)
    for column, value in (
        (_table.c.caller_id, caller),
        (_table.c.connection_id, connection),
        (_table.c.provider_id, provider),
        (_table.c.subject, subject),
    ):
        if value is not None:
            wanted = wanted.where(column == value)
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


def any_live(
    conn: sa.Connection,
    tenant: TenantId,
    caller: CallerId,
    now: float,
    *,
    connection: ConnectionId | None = None,
    subject: str | None = None,
) -> bool:
    """Say whether a live grant of a caller covers an active connection, or one of a subject's.

    What covers a connection is what the gateway reads as its grants. A grant over the subject
    itself counts before the subject has a connection.
    """
    if subject is not None:
        over_subject = sa.select(_table.c.id).where(
            _table.c.tenant_id == tenant,
            _table.c.caller_id == caller,
            _table.c.subject == subject,
            _table.c.revoked_at.is_(None),
            sa.or_(_table.c.expires_at.is_(None), _table.c.expires_at > now),
        )
        if conn.execute(over_subject.limit(1)).first() is not None:
            return True
    named = (
        _connections.c.id == connection
        if connection is not None
        else _connections.c.subject == subject
    )
    active = sa.select(_connections.c.id).where(
        _connections.c.tenant_id == tenant, _connections.c.state == ConnectionState.ACTIVE, named
    )
    return any(
        row.revoked_at is None and (row.expires_at is None or row.expires_at > now)
        for door in conn.execute(active).scalars().all()
        for row in conn.exec_driver_sql(GRANTS, (caller, door) * 3).all()
    )


def _grant(row: sa.Row[Any]) -> StoredGrant:
    grant = Grant(
        id=GrantId(row.id),
        caller=CallerId(row.caller_id),
        connection=None if row.connection_id is None else ConnectionId(row.connection_id),
        allow=rules_from_json(row.allow),
        expires_at=row.expires_at,
        provider=None if row.provider_id is None else ProviderId(row.provider_id),
        subject=row.subject,
    )
    return StoredGrant(grant, row.created_at, row.revoked_at)
