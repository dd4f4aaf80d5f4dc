"""How many rows a tenant has."""

from dataclasses import dataclass

import sqlalchemy as sa

from bailee.model import ConnectionState, JobState, TenantId
from bailee.store import schema


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts of a tenant's rows; every state stands in its table, with 0 too."""

    connections: dict[str, int]
    callers: int
    """Not revoked."""
    grants: int
    """Not revoked."""
    jobs: dict[str, int]


def count(conn: sa.Connection, tenant: TenantId) -> Counts:
    """Count a tenant's rows. It reads them all."""
    connections = dict.fromkeys(map(str, ConnectionState), 0)
    jobs = dict.fromkeys(map(str, JobState), 0)
    return Counts(
        connections=connections | _by_state(conn, schema.connections, tenant),
        callers=_live(conn, schema.callers, tenant),
        grants=_live(conn, schema.grants, tenant),
        jobs=jobs | _by_state(conn, schema.jobs, tenant),
    )


def _by_state(conn: sa.Connection, table: sa.Table, tenant: TenantId) -> dict[str, int]:
    rows = conn.execute(
        sa.select(table.c.state, sa.func.count().label("rows"))
        .where(table.c.tenant_id == tenant)
        .group_by(table.c.state)
    )
    return {row.state: row.rows for row in rows}


def _live(conn: sa.Connection, table: sa.Table, tenant: TenantId) -> int:
    live = sa.and_(table.c.tenant_id == tenant, table.c.revoked_at.is_(None))
    return int(conn.execute(sa.select(sa.func.count()).where(live)).scalar_one())
