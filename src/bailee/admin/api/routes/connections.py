"""Connections: sealed credentials come in, and never go out."""

from fastapi import APIRouter

from bailee.admin.api import render
from bailee.admin.api.desk import AtDesk
from bailee.admin.api.forms import NewConnection, NewVersion
from bailee.manage import connections as manage
from bailee.model import ConnectionId, ConnectionState, ProviderId

router = APIRouter(prefix="/v1/connections")


@router.post("", status_code=201)
def add_connection(desk: AtDesk, form: NewConnection) -> render.Json:
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
    return render.connection(added)


@router.get("")
def list_connections(
    desk: AtDesk,
    provider: str | None = None,
    subject: str | None = None,
    state: ConnectionState | None = None,
    after: str | None = None,
    limit: int = 100,
) -> render.Json:
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
    return render.listed([render.connection(each) for each in page], limit)


@router.get("/{connection}")
def show_connection(desk: AtDesk, connection: str) -> render.Json:
    """Show a connection."""
    return render.connection_detail(
        manage.show(desk.store, desk.verifier, desk.tenant, ConnectionId(connection))
    )


@router.post("/{connection}/versions", status_code=201)
def rotate_connection(desk: AtDesk, connection: str, form: NewVersion) -> render.Json:
    """Put a new sealed credential in the place of the last one."""
    with desk.change("connection.rotate", connection, version=str(form.version)):
        rotated = manage.rotate(
            desk.store, desk.verifier, desk.tenant, form.sealed(connection), desk.now
        )
    return render.connection(rotated)


@router.delete("/{connection}")
def revoke_connection(desk: AtDesk, connection: str) -> render.Json:
    """Revoke a connection for good and delete its credential; again changes nothing."""
    with desk.change("connection.revoke", connection):
        revoked = manage.revoke(desk.store, desk.tenant, ConnectionId(connection), desk.now)
    return render.connection(revoked)
