"""Tokens: digests, never the tokens themselves."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from bailee.model import CallerId, ConnectionId, Role, TenantId, TokenId
from bailee.store import schema
from bailee.store.paging import paged

_table = schema.tokens


@dataclass(frozen=True, slots=True)
class StoredToken:
    """What is known of a token besides its digest.

    `caller` is None for all but a caller's. The last four are for tokens that were derived: each is
    bound to one subject or one connection, and perhaps to some methods.
    """

    id: TokenId
    tenant: TenantId
    role: Role
    caller: CallerId | None
    label: str
    created_at: float
    expires_at: float
    revoked_at: float | None = None
    subject: str | None = None
    connection: ConnectionId | None = None
    methods: tuple[str, ...] | None = None
    """None for any."""
    parent: TokenId | None = None
    """The token of who derived it; it may be of another tenant, as an operator's."""


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
            parent_id=token.parent,
            subject=token.subject,
            connection_id=token.connection,
            methods=None if token.methods is None else list(token.methods),
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


def find_any(conn: sa.Connection, token: TokenId) -> StoredToken | None:
    """Find a token of any tenant by its id: for the token of who asks, and for nothing else."""
    row = conn.execute(sa.select(_table).where(_table.c.id == token)).one_or_none()
    return None if row is None else _token(row)


def list_page(
    conn: sa.Connection,
    tenant: TenantId,
    *,
    caller: CallerId | None = None,
    roles: Collection[Role] | None = None,
    derived: bool | None = None,
    after: str | None,
    limit: int,
) -> list[StoredToken]:
    """List a tenant's tokens in the order of their ids; each filter that is given must fit."""
    wanted = sa.select(_table).where(_table.c.tenant_id == tenant)
    if caller is not None:
        wanted = wanted.where(_table.c.caller_id == caller)
    if roles is not None:
        wanted = wanted.where(_table.c.role.in_(roles))
    if derived is not None:
        wanted = wanted.where(_table.c.parent_id.is_not(None) == derived)
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
    return _revoke(conn, now, _table.c.tenant_id == tenant, _table.c.caller_id == caller)


def revoke_derived(conn: sa.Connection, parent: TokenId, now: float) -> int:
    """Revoke every live token that was derived by means of another, of whatever tenant they are."""
    return _revoke(conn, now, _table.c.parent_id == parent)


def purge_derived(conn: sa.Connection, now: float, limit: int) -> int:
    """Delete derived tokens that have expired, at most `limit`, and return how many there were."""
    expired = (
        sa.select(_table.c.id)
        .where(_table.c.parent_id.is_not(None), _table.c.expires_at <= now)
        .limit(limit)
    )
    return conn.execute(sa.delete(_table).where(_table.c.id.in_(expired))).rowcount


def _revoke(conn: sa.Connection, now: float, *which: "sa.ColumnElement[bool]") -> int:
    live = sa.and_(*which, _table.c.revoked_at.is_(None))
    return conn.execute(sa.update(_table).where(live).values(revoked_at=now)).rowcount


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
        subject=row.subject,
        connection=None if row.connection_id is None else ConnectionId(row.connection_id),
        methods=None if row.methods is None else tuple(row.methods),
        parent=None if row.parent_id is None else TokenId(row.parent_id),
    )
