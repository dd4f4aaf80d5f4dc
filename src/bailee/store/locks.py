"""Locks: what was measured of a connection's allowlist.

A measurement is of one version of one connection. Once that is rotated or revoked, the row says
nothing any more, and the lock reads `unchecked`.
"""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from bailee.model import (
    ConnectionId,
    ConnectionState,
    EgressId,
    LockState,
    ProviderId,
    TenantId,
)
from bailee.store import schema
from bailee.store.paging import paged
from bailee.store.scope import Scope, within

_table = schema.locks
_connections = schema.connections

_HOLDS = sa.and_(
    _table.c.connection_id == _connections.c.id,
    _table.c.tenant_id == _connections.c.tenant_id,
    _table.c.version == _connections.c.version,
    _connections.c.state == ConnectionState.ACTIVE,
)
_MEASURED = ("reason", "egress_id", "decoy", "checked_at", "report", "observations")
_CAUSE = _table.c.observations[0]["cause"].as_string()
_POWERS = _table.c.report["powers"].as_json()
_STATE = sa.func.coalesce(_table.c.state, LockState.UNCHECKED.value)


@dataclass(frozen=True, slots=True)
class StoredLock:
    """A measurement, or `unchecked` where there is none that holds."""

    connection: ConnectionId
    tenant: TenantId
    state: LockState
    version: int
    """Of the connection's credential."""
    reason: str = ""
    egress: EgressId | None = None
    decoy: str | None = None
    """The name of the `[[decoy]]` entry."""
    checked_at: float | None = None
    """None where nothing was measured."""
    report: dict[str, object] | None = None
    """What the provider itself said of the credential."""
    observations: list[dict[str, object]] | None = None


@dataclass(frozen=True, slots=True)
class LockStanding:
    """The lock of a connection, with whose it is."""

    provider: ProviderId
    subject: str
    lock: StoredLock


@dataclass(frozen=True, slots=True)
class LockCount:
    """How many active connections to a provider have a lock of one state, for one cause."""

    provider: ProviderId
    state: LockState
    connections: int
    cause: str = ""
    """Why, as the keeper wrote it first among the observations; empty where nothing was."""
    powers: tuple[str, ...] = ()
    """What these credentials may do, as the provider reported."""


def put(conn: sa.Connection, lock: StoredLock) -> bool:
    """Store a measurement in the place of the last one, inside of a write transaction.

    False unless its connection is the tenant's, is active and still has the version measured.
    """
    measured = sa.select(_connections.c.id).where(
        _connections.c.id == lock.connection,
        _connections.c.tenant_id == lock.tenant,
        _connections.c.version == lock.version,
        _connections.c.state == ConnectionState.ACTIVE,
    )
    if conn.execute(measured).first() is None:
        return False
    values = {
        "tenant_id": lock.tenant,
        "state": lock.state,
        "reason": lock.reason,
        "version": lock.version,
        "egress_id": lock.egress,
        "decoy": lock.decoy,
        "checked_at": lock.checked_at,
        "report": lock.report,
        "observations": lock.observations,
    }
    conn.execute(
        insert(_table)
        .values(connection_id=lock.connection, **values)
        .on_conflict_do_update(index_elements=[_table.c.connection_id], set_=values)
    )
    return True


def find(conn: sa.Connection, tenant: TenantId, connection: ConnectionId) -> LockStanding | None:
    """Find the lock of a tenant's connection, `unchecked` if nothing holds; None without one."""
    row = conn.execute(_standings(tenant).where(_connections.c.id == connection)).one_or_none()
    return None if row is None else _standing(row)


def list_page(
    conn: sa.Connection,
    scope: Scope,
    *,
    provider: ProviderId | None = None,
    state: LockState | None = None,
    after: str | None,
    limit: int,
) -> list[LockStanding]:
    """List the locks of active connections in the order of the connections' ids."""
    wanted = _standings(scope).where(_connections.c.state == ConnectionState.ACTIVE)
    if provider is not None:
        wanted = wanted.where(_connections.c.provider_id == provider)
    if state is LockState.UNCHECKED:
        wanted = wanted.where(_STATE == state)
    elif state is not None:  # by the index on the states of locks
        wanted = wanted.where(within(_table.c.tenant_id, scope), _table.c.state == state)
    return [_standing(row) for row in conn.execute(paged(wanted, _connections.c.id, after, limit))]


def count(conn: sa.Connection, scope: Scope) -> list[LockCount]:
    """Count the active connections of a scope by provider, and state, cause and powers of the lock.

    Reads them all.
    """
    alike = (_connections.c.provider_id, _STATE, _CAUSE, _POWERS)
    rows = conn.execute(
        sa.select(
            _connections.c.provider_id,
            _STATE.label("state"),
            _CAUSE.label("cause"),
            _POWERS.label("powers"),
            sa.func.count().label("connections"),
        )
        .select_from(sa.outerjoin(_connections, _table, _HOLDS))
        .where(
            within(_connections.c.tenant_id, scope),
            _connections.c.state == ConnectionState.ACTIVE,
        )
        .group_by(*alike)
        .order_by(*alike)
    )
    return [
        LockCount(
            ProviderId(row.provider_id),
            LockState(row.state),
            row.connections,
            row.cause or "",
            tuple(row.powers or ()),
        )
        for row in rows
    ]


def _standings(scope: Scope) -> "sa.Select[Any]":
    return (
        sa.select(
            _connections.c.id,
            _connections.c.tenant_id,
            _connections.c.provider_id,
            _connections.c.subject,
            _connections.c.version,
            _STATE.label("state"),
            *(_table.c[name] for name in _MEASURED),
        )
        .select_from(sa.outerjoin(_connections, _table, _HOLDS))
        .where(within(_connections.c.tenant_id, scope))
    )


def _standing(row: sa.Row[Any]) -> LockStanding:
    lock = StoredLock(
        connection=ConnectionId(row.id),
        tenant=TenantId(row.tenant_id),
        state=LockState(row.state),
        version=row.version,
        reason=row.reason or "",
        egress=None if row.egress_id is None else EgressId(row.egress_id),
        decoy=row.decoy,
        checked_at=row.checked_at,
        report=row.report,
        observations=row.observations,
    )
    return LockStanding(ProviderId(row.provider_id), row.subject, lock)
