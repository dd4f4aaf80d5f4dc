"""Callers: programs that ask for calls."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from bailee.model import Caller, CallerId, CallerLimits, TenantId
from bailee.store import schema
from bailee.store.paging import paged

_table = schema.callers


@dataclass(frozen=True, slots=True)
class StoredCaller:
    """A caller and whether it may still call."""

    caller: Caller
    created_at: float
    revoked_at: float | None = None


def insert(conn: sa.Connection, caller: Caller, now: float) -> None:
    """Store a caller; a name that a live caller of the tenant has is a Conflict."""
    conn.execute(
        sa.insert(_table).values(
            id=caller.id,
            tenant_id=caller.tenant,
            name=caller.name,
            allow_from=list(caller.allow_from),
            created_at=now,
            calls_per_second=caller.limits.calls_per_second,
            concurrent=caller.limits.concurrent,
        )
    )


def find(conn: sa.Connection, tenant: TenantId, caller: CallerId) -> StoredCaller | None:
    """Find a tenant's caller by its id."""
    row = conn.execute(
        sa.select(_table).where(_table.c.tenant_id == tenant, _table.c.id == caller)
    ).one_or_none()
    return None if row is None else _caller(row)


def find_live(conn: sa.Connection, tenant: TenantId, name: str) -> StoredCaller | None:
    """Find a tenant's caller by its name, unless it is revoked."""
    row = conn.execute(
        sa.select(_table).where(
            _table.c.tenant_id == tenant, _table.c.name == name, _table.c.revoked_at.is_(None)
        )
    ).one_or_none()
    return None if row is None else _caller(row)


def list_page(
    conn: sa.Connection, tenant: TenantId, *, after: str | None, limit: int
) -> list[StoredCaller]:
    """List a tenant's callers, revoked ones too, in the order of their ids."""
    wanted = sa.select(_table).where(_table.c.tenant_id == tenant)
    return [_caller(row) for row in conn.execute(paged(wanted, _table.c.id, after, limit))]


def set_limits(
    conn: sa.Connection, tenant: TenantId, caller: CallerId, limits: CallerLimits
) -> bool:
    """Set a caller's limits; False if there is no live one."""
    changed = conn.execute(
        sa.update(_table)
        .where(_table.c.tenant_id == tenant, _table.c.id == caller, _table.c.revoked_at.is_(None))
        .values(calls_per_second=limits.calls_per_second, concurrent=limits.concurrent)
    )
    return changed.rowcount == 1


def revoke(conn: sa.Connection, tenant: TenantId, caller: CallerId, now: float) -> bool:
    """Revoke a caller; False if there is no live one."""
    changed = conn.execute(
        sa.update(_table)
        .where(_table.c.tenant_id == tenant, _table.c.id == caller, _table.c.revoked_at.is_(None))
        .values(revoked_at=now)
    )
    return changed.rowcount == 1


def _caller(row: sa.Row[Any]) -> StoredCaller:
    caller = Caller(
        CallerId(row.id),
        TenantId(row.tenant_id),
        row.name,
        tuple(row.allow_from),
        CallerLimits(row.calls_per_second, row.concurrent),
    )
    return StoredCaller(caller, row.created_at, row.revoked_at)
