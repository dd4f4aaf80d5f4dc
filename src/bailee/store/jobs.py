"""Jobs: rows by which admin and public ask the keeper for work."""

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from bailee.model import Job, JobId, JobState, TenantId
from bailee.store import schema
from bailee.store.paging import paged

LEASE_SECONDS = 60.0
"""A job that was taken longer ago may be taken again: whoever took it is thought dead."""

_table = schema.jobs


def insert(conn: sa.Connection, job: Job) -> None:
    """Store a job that waits to be taken."""
    conn.execute(
        sa.insert(_table).values(
            id=job.id,
            kind=job.kind,
            tenant_id=job.tenant,
            arguments=job.arguments,
            egress=job.egress,
            state=JobState.WAITING,
            created_at=job.created_at,
        )
    )


def take(
    conn: sa.Connection,
    kinds: Collection[str],
    egress_names: Collection[str],
    taken_by: str,
    now: float,
) -> Job | None:
    """Take the oldest job of the kinds that needs one of the egress names; None if there is none.

    One statement in a write transaction: two takers never get the same job, unless the first has
    held it longer than the lease.
    """
    oldest = _oldest_free(kinds, egress_names, now)
    row = conn.execute(
        sa.update(_table)
        .where(_table.c.id == oldest.scalar_subquery())
        .values(state=JobState.RUNNING, taken_at=now, taken_by=taken_by)
        .returning(*_table.c)
    ).one_or_none()
    return None if row is None else _job(row)


def any_free(
    conn: sa.Connection, kinds: Collection[str], egress_names: Collection[str], now: float
) -> bool:
    """Say whether `take` would find a job at this moment."""
    return conn.execute(_oldest_free(kinds, egress_names, now)).one_or_none() is not None


def finish(
    conn: sa.Connection,
    job: JobId,
    taken_by: str,
    result: dict[str, object],
    signature: bytes,
    now: float,
) -> bool:
    """Store the result of a job; False unless `taken_by` still holds it."""
    return _end(
        conn,
        job,
        taken_by,
        state=JobState.DONE,
        result=result,
        result_signature=signature,
        finished_at=now,
    )


def fail(conn: sa.Connection, job: JobId, taken_by: str, error: dict[str, str], now: float) -> bool:
    """Store why a job failed; False unless `taken_by` still holds it."""
    return _end(conn, job, taken_by, state=JobState.FAILED, error=error, finished_at=now)


def find(conn: sa.Connection, tenant: TenantId, job: JobId) -> Job | None:
    """Find a tenant's job."""
    row = conn.execute(
        sa.select(_table).where(_table.c.tenant_id == tenant, _table.c.id == job)
    ).one_or_none()
    return None if row is None else _job(row)


def list_page(conn: sa.Connection, tenant: TenantId, *, after: str | None, limit: int) -> list[Job]:
    """List a tenant's jobs in the order of their ids."""
    wanted = sa.select(_table).where(_table.c.tenant_id == tenant)
    return [_job(row) for row in conn.execute(paged(wanted, _table.c.id, after, limit))]


def _oldest_free(
    kinds: Collection[str], egress_names: Collection[str], now: float
) -> "sa.Select[tuple[str]]":
    free = sa.or_(
        _table.c.state == JobState.WAITING,
        sa.and_(_table.c.state == JobState.RUNNING, _table.c.taken_at < now - LEASE_SECONDS),
    )
    return (
        sa.select(_table.c.id)
        .where(free, _table.c.kind.in_(kinds), _table.c.egress.in_(egress_names))
        .order_by(_table.c.created_at, _table.c.id)
        .limit(1)
    )


def _end(conn: sa.Connection, job: JobId, taken_by: str, **values: object) -> bool:
    changed = conn.execute(
        sa.update(_table)
        .where(
            _table.c.id == job,
            _table.c.state == JobState.RUNNING,
            _table.c.taken_by == taken_by,
        )
        .values(**values)
    )
    return changed.rowcount == 1


def _job(row: sa.Row[Any]) -> Job:
    return Job(
        id=JobId(row.id),
        kind=row.kind,
        tenant=TenantId(row.tenant_id),
        arguments=row.arguments,
        egress=row.egress,
        state=JobState(row.state),
        created_at=row.created_at,
        result=row.result,
        result_signature=row.result_signature,
        error=row.error,
        finished_at=row.finished_at,
    )
