"""Tokens: digests, never the tokens themselves."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from bailee.model import CallerId, Role, TenantId, TokenId
from bailee.store import schema
from bailee.store.paging import paged

_table = schema.tokens


@dataclass(frozen=True, slots=True)
class StoredToken:
    """What is known of a token besides its digest. `caller` is None for an operator's."""

    id: TokenId
    tenant: TenantId
    role: Role
    caller: CallerId | None
    label: str
    created_at: float
    expires_at: float
    revoked_at: float | None = None


def insert(conn: sa.Connection, token: StoredToken, digest: bytes) -> None:
    """Store a token under its digest (SHA-256, 32 bytes)."""
    conn.execute(
        sa.insert(_table).values(
            id=token.id,
            digest=digest,
            role=token.role,
            tenant_id=token.tenant,
            caller_id=token.caller,
            label=token.label,
            created_at=token.created_at,
            expires_at=token.expires_at,
            revoked_at=token.revoked_at,
        )
    )


def find_by_digest(conn: sa.Connection, digest: bytes) -> StoredToken | None:
    """Find a token of any tenant, live or not: the token is what says whose the request is."""
    row = conn.execute(sa.select(_table).where(_table.c.digest == digest)).one_or_none()
    return None if row is None else _token(row)


def find(conn: sa.Connection, tenant: TenantId, token: TokenId) -> StoredToken | None:
    """Find a tenant's token by its id."""
    row = conn.execute(
        sa.select(_table).where(_table.c.tenant_id == tenant, _table.c.id == token)
    ).one_or_none()
    return None if row is None else _token(row)


def list_page(
    conn: sa.Connection,
    tenant: TenantId,
    *,
    caller: CallerId | None = None,
    after: str | None,
    limit: int,
) -> list[StoredToken]:
    """List a tenant's tokens, of one caller or all, in the order of their ids."""
    wanted = sa.select(_table).where(_table.c.tenant_id == tenant)
    if caller is not None:
        wanted = wanted.where(_table.c.caller_id == caller)
    return [_token(row) for row in conn.execute(paged(wanted, _table.c.id, after, limit))]


def revoke(conn: sa.Connection, tenant: TenantId, token: TokenId, now: float) -> bool:
    """Revoke a token; False if there is no live one."""
    changed = conn.execute(
        sa.update(_table)
        .where(_table.c.tenant_id == tenant, _table.c.id == token, _table.c.revoked_at.is_(None))
        .values(revoked_at=now)
    )
    return changed.rowcount == 1


def revoke_of_caller(conn: sa.Connection, tenant: TenantId, caller: CallerId, now: float) -> int:
    """Revoke every live token of a caller and return how many there were."""
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


def _token(row: sa.Row[Any]) -> StoredToken:
    return StoredToken(
        id=TokenId(row.id),
        tenant=TenantId(row.tenant_id),
        role=Role(row.role),
        caller=None if row.caller_id is None else CallerId(row.caller_id),
        label=row.label,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )
