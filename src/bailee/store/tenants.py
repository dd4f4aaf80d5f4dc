"""Tenants and their key pairs."""

from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from bailee.model import Gate, Probing, Signed, TenantId
from bailee.store import schema
from bailee.store.paging import paged

_table = schema.tenants
_keys = schema.tenant_keys


@dataclass(frozen=True, slots=True)
class StoredTenant:
    """One application that owns callers and connections."""

    id: TenantId
    name: str
    created_at: float
    gate: Gate = Gate.NONE
    """Which lock its connections need before they may be used."""
    probing: Probing = Probing.NONE
    """What of its users' credentials may be tried from a decoy."""


@dataclass(frozen=True, slots=True)
class StoredTenantKey:
    """A tenant's key pair: the signed public half, and the private half wrapped by the root key."""

    id: str
    tenant: TenantId
    signed: Signed
    wrapped_private: bytes = field(repr=False)
    created_at: float


def insert(conn: sa.Connection, tenant: StoredTenant) -> None:
    """Store a tenant; an id that exists is a Conflict."""
    conn.execute(
        sa.insert(_table).values(
            id=tenant.id,
            name=tenant.name,
            created_at=tenant.created_at,
            gate=tenant.gate,
            probing=tenant.probing,
        )
    )


def find(conn: sa.Connection, tenant: TenantId) -> StoredTenant | None:
    """Find a tenant by its id."""
    row = conn.execute(sa.select(_table).where(_table.c.id == tenant)).one_or_none()
    return None if row is None else _tenant(row)


def list_page(conn: sa.Connection, *, after: str | None, limit: int) -> list[StoredTenant]:
    """List tenants in the order of their ids."""
    rows = conn.execute(paged(sa.select(_table), _table.c.id, after, limit))
    return [_tenant(row) for row in rows]


def set_lock_policy(conn: sa.Connection, tenant: TenantId, gate: Gate, probing: Probing) -> bool:
    """Set gate and probing of a tenant; False if there is none."""
    changed = conn.execute(
        sa.update(_table).where(_table.c.id == tenant).values(gate=gate, probing=probing)
    )
    return changed.rowcount == 1


def insert_key(conn: sa.Connection, key: StoredTenantKey) -> None:
    """Store a key pair; from now on it is the tenant's current one."""
    conn.execute(
        sa.insert(_keys).values(
            id=key.id,
            tenant_id=key.tenant,
            payload=key.signed.payload,
            signature=key.signed.signature,
            wrapped_private=key.wrapped_private,
            created_at=key.created_at,
        )
    )


def current_key(conn: sa.Connection, tenant: TenantId) -> StoredTenantKey | None:
    """Find the newest key pair of a tenant: the one that new credentials are sealed to."""
    newest = (
        sa.select(_keys)
        .where(_keys.c.tenant_id == tenant)
        .order_by(_keys.c.created_at.desc(), _keys.c.id.desc())
        .limit(1)
    )
    row = conn.execute(newest).one_or_none()
    return None if row is None else _key(row)


def list_keys(conn: sa.Connection, tenant: TenantId) -> list[StoredTenantKey]:
    """List a tenant's key pairs, the oldest first."""
    rows = conn.execute(
        sa.select(_keys).where(_keys.c.tenant_id == tenant).order_by(_keys.c.created_at, _keys.c.id)
    )
    return [_key(row) for row in rows]


def _tenant(row: sa.Row[Any]) -> StoredTenant:
    return StoredTenant(
        id=TenantId(row.id),
        name=row.name,
        created_at=row.created_at,
        gate=Gate(row.gate),
        probing=Probing(row.probing),
    )


def _key(row: sa.Row[Any]) -> StoredTenantKey:
    return StoredTenantKey(
        id=row.id,
        tenant=TenantId(row.tenant_id),
        signed=Signed(row.payload, row.signature),
        wrapped_private=row.wrapped_private,
        created_at=row.created_at,
    )
