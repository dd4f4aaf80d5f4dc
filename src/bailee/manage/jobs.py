"""Jobs: asked for by admin and public, done by the keeper."""

from collections.abc import Collection, Mapping

from sqlalchemy import Connection

from bailee.errors import BaileeError, Conflict, NotFound
from bailee.manage.forms import parse_limit
from bailee.manage.ids import new_id
from bailee.model import Job, JobId, JobState, TenantId
from bailee.store import jobs as rows
from bailee.store import tenants as tenant_rows
from bailee.store.engine import Store


def request(
    store: Store,
    tenant: TenantId,
    kind: str,
    arguments: Mapping[str, str],
    egress: str,
    now: float,
) -> Job:
    """Ask for work that the keeper who can dial from the address named `egress` will take.

    Raises:
        NotFound: There is no such tenant.
    """
    with store.write() as conn:
        return insert(conn, tenant, kind, arguments, egress, now)


def insert(
    conn: Connection,
    tenant: TenantId,
    kind: str,
    arguments: Mapping[str, str],
    egress: str,
    now: float,
) -> Job:
    """Ask for work inside of a transaction.

    Raises:
        NotFound: There is no such tenant.
    """
    if tenant_rows.find(conn, tenant) is None:
        raise NotFound("there is no such tenant")
    job = Job(
        id=JobId(new_id("job")),
        kind=kind,
        tenant=tenant,
        arguments=dict(arguments),
        egress=egress,
        state=JobState.WAITING,
        created_at=now,
    )
    rows.insert(conn, job)
    return job


def show(store: Store, tenant: TenantId, job: JobId) -> Job:
    """Find a job.

    Raises:
        NotFound: The tenant has no such job.
    """
    with store.read() as conn:
        found = rows.find(conn, tenant, job)
    if found is None:
        raise NotFound("there is no such job")
    return found


def page(
    store: Store, tenant: TenantId, *, after: str | None = None, limit: int = 100
) -> list[Job]:
    """List a tenant's jobs in the order of their ids.

    Raises:
        BadInput: `limit` is not 1 to 1000.
    """
    with store.read() as conn:
        return rows.list_page(conn, tenant, after=after, limit=parse_limit(limit))


def take(
    store: Store,
    kinds: Collection[str],
    egress_names: Collection[str],
    taken_by: str,
    now: float,
) -> Job | None:
    """Take the oldest job that this keeper can do; None if there is none.

    Args:
        store: The database.
        kinds: The kinds of work that it knows.
        egress_names: The addresses that it can dial from.
        taken_by: Its own name, new at each start.
        now: Unix seconds. What was taken 60 s before may be taken again.
    """
    with store.read() as conn:  # most polls find nothing: they need not wait for a writer
        if not rows.any_free(conn, kinds, egress_names, now):
            return None
    with store.write() as conn:
        return rows.take(conn, kinds, egress_names, taken_by, now)


def finish(
    store: Store,
    job: JobId,
    taken_by: str,
    result: Mapping[str, object],
    signature: bytes,
    now: float,
) -> None:
    """Store what a job found out, with the authority's signature (`statements.sign_job_result`).

    Raises:
        Conflict: The job is not held by `taken_by` any more.
    """
    with store.write() as conn:
        if not rows.finish(conn, job, taken_by, dict(result), signature, now):
            raise _not_held()


def fail(store: Store, job: JobId, taken_by: str, error: BaileeError, now: float) -> None:
    """Store why a job failed: code, detail and hint of the error.

    Raises:
        Conflict: The job is not held by `taken_by` any more.
    """
    told = {"code": error.code, "detail": error.detail, "hint": error.hint}
    with store.write() as conn:
        if not rows.fail(conn, job, taken_by, told, now):
            raise _not_held()


def _not_held() -> Conflict:
    return Conflict("the job was taken by another keeper, or is done")
