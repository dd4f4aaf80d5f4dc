"""Grants: which caller may do what with which connection."""

from fastapi import APIRouter

from bailee.admin.api import render
from bailee.admin.api.desk import AtDesk
from bailee.admin.api.forms import NewGrant
from bailee.manage import grants as manage
from bailee.model import ConnectionId, GrantId

router = APIRouter(prefix="/v1/grants")


@router.post("", status_code=201)
def add_grant(desk: AtDesk, form: NewGrant) -> render.Json:
    """Let a caller use a connection for what the rules name."""
    with desk.change("grant.add", connection=form.connection) as change:
        added = manage.add(
            desk.store,
            desk.tenant,
            form.caller,
            ConnectionId(form.connection),
            form.allow,
            desk.now,
            expires_at=form.expires_at,
        )
        change.target = added.grant.id
        change.detail |= {"caller": added.grant.caller, "rules": str(len(added.grant.allow))}
    return render.grant(added)


@router.get("")
def list_grants(
    desk: AtDesk,
    caller: str | None = None,
    connection: str | None = None,
    after: str | None = None,
    limit: int = 100,
) -> render.Json:
    """List grants; each filter that is given must fit."""
    page = manage.page(
        desk.store,
        desk.tenant,
        caller=caller,
        connection=None if connection is None else ConnectionId(connection),
        after=after,
        limit=limit,
    )
    return render.listed([render.grant(each) for each in page], limit)


@router.get("/{grant}")
def show_grant(desk: AtDesk, grant: str) -> render.Json:
    """Show a grant."""
    return render.grant(manage.show(desk.store, desk.tenant, GrantId(grant)))


@router.delete("/{grant}")
def revoke_grant(desk: AtDesk, grant: str) -> render.Json:
    """Revoke a grant; again changes nothing."""
    with desk.change("grant.revoke", grant):
        revoked = manage.revoke(desk.store, desk.tenant, GrantId(grant), desk.now)
    return render.grant(revoked)
