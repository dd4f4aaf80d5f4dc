"""Connections: sealed credentials come in, and never go out."""

from collections import Counter

from fastapi import Response

from bailee.admin.api.answers.base import Page, page_of
from bailee.admin.api.answers.locks import Batch, ImportedItem
from bailee.admin.api.answers.owned import Connection, ConnectionWhole, JobShown
from bailee.admin.api.desk import AtDesk
from bailee.admin.api.forms import LockCheck, NewConnection, NewConnections, NewVersion
from bailee.admin.api.paging import DEFAULT_LIMIT, After, Limit
from bailee.admin.api.router import new_router
from bailee.manage import connections as manage
from bailee.manage import imports, lock_checks
from bailee.manage.imports import ImportOutcome
from bailee.model import ConnectionId, ConnectionState, ProviderId

router = new_router("/v1/connections")


@router.post("", status_code=201)
def add_connection(desk: AtDesk, form: NewConnection) -> Connection:
    """Add a connection with its first sealed credential."""
    with desk.change("connection.add", form.id, provider=form.provider):
        added = manage.add(
            desk.store,
            desk.verifier,
            desk.tenant,
            ProviderId(form.provider),
            form.subject,
            form.sealed(form.id),
            desk.now,
            egress_name=form.egress,
        )
    return Connection.of(added)


@router.post("/batch")
def add_connections(desk: AtDesk, form: NewConnections) -> Batch:
    """Add up to 500 connections at once: those that are good, whatever becomes of the others.

    The same batch may be sent again: what is there already is told as existing.
    """
    with desk.change("connection.import", items=str(len(form.items))) as change:
        done = imports.add_many(
            desk.store,
            desk.verifier,
            desk.tenant,
            [each.to_import for each in form.items],
            desk.now,
        )
        counts = Counter(each.outcome for each in done)
        change.detail |= {str(outcome): str(counts[outcome]) for outcome in ImportOutcome}
    return Batch(
        added=counts[ImportOutcome.ADDED],
        existing=counts[ImportOutcome.EXISTS],
        refused=counts[ImportOutcome.REFUSED],
        items=[ImportedItem.of(each) for each in done],
    )


@router.get("")
def list_connections(
    desk: AtDesk,
    provider: str | None = None,
    subject: str | None = None,
    state: ConnectionState | None = None,
    after: After = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[Connection]:
    """List connections; each filter that is given must fit."""
    page = manage.page(
        desk.store,
        desk.tenant,
        provider=None if provider is None else ProviderId(provider),
        subject=subject,
        state=state,
        after=after,
        limit=limit,
    )
    return page_of(page, Connection.of, lambda each: each.id, limit)


@router.get("/{connection}")
def show_connection(desk: AtDesk, connection: str) -> ConnectionWhole:
    """Show a connection."""
    return ConnectionWhole.with_egress(
        manage.show(desk.store, desk.verifier, desk.tenant, ConnectionId(connection))
    )


@router.post("/{connection}/versions", status_code=201)
def rotate_connection(desk: AtDesk, connection: str, form: NewVersion) -> Connection:
    """Put a new sealed credential in the place of the last one."""
    with desk.change("connection.rotate", connection, version=str(form.version)):
        rotated = manage.rotate(
            desk.store, desk.verifier, desk.tenant, form.sealed(connection), desk.now
        )
    return Connection.of(rotated)


@router.post("/{connection}/lock-checks", status_code=202)
def check_lock(desk: AtDesk, connection: str, form: LockCheck, response: Response) -> JobShown:
    """Let the keeper measure the connection's allowlist; poll what `Location` names."""
    with desk.change("lock.check", connection) as change:
        job = lock_checks.request_check(
            desk.store,
            desk.tenant,
            ConnectionId(connection),
            desk.now,
            accept_risky=form.accept_risky,
        )
        change.detail["job"] = job.id
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return JobShown.of(job)


@router.delete("/{connection}")
def revoke_connection(desk: AtDesk, connection: str) -> Connection:
    """Revoke a connection for good and delete its credential; again changes nothing."""
    with desk.change("connection.revoke", connection):
        revoked = manage.revoke(desk.store, desk.tenant, ConnectionId(connection), desk.now)
    return Connection.of(revoked)
