"""How many rows a tenant has, or all tenants together."""

from dataclasses import dataclass

import sqlalchemy as sa

from bailee.model import ConnectionState, JobState
from bailee.store import schema
from bailee.store.scope import Scope, within


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts of the rows of a scope; every state stands in its table, with 0 too."""

    connections: dict[str, int]
    callers: int
    """Not revoked."""
    grants: int
    """Not revoked."""
    jobs: dict[str, int]


def count(conn: sa.Connection, scope: Scope) -> Counts:
    """Count the rows of a scope. It reads them all."""
    connections = dict.fromkeys(map(str, ConnectionState), 0)
    jobs = dict.fromkeys(map(str, JobState), 0)
    return Counts(
        connections=connections | _by_state(conn, schema.connections, scope),
        callers=_live(conn, schema.callers, scope),
        grants=_live(conn, schema.grants, scope),
        jobs=jobs | _by_state(conn, schema.jobs, scope),
    )


def _by_state(conn: sa.Connection, table: sa.Table, scope: Scope) -> dict[str, int]:
    rows = conn.execute(
        sa.select(table.c.state, sa.func.count().label("rows"))
        .where(within(table.c.tenant_id, scope))
        .group_by(table.c.state)
    )
    return {row.state: row.rows for row in rows}


def _live(conn: sa.Connection, table: sa.Table, scope: Scope) -> int:
    live = sa.and_(within(table.c.tenant_id, scope), table.c.revoked_at.is_(None))
    return int(conn.execute(sa.select(sa.func.count()).where(live)).scalar_one())
