"""Grants: which caller may do what with which connections."""

from bailee.admin.api.answers.base import Page, page_of
from bailee.admin.api.answers.owned import Grant
from bailee.admin.api.desk import AtDesk
from bailee.admin.api.forms import NewGrant
from bailee.admin.api.paging import DEFAULT_LIMIT, After, Limit
from bailee.admin.api.router import new_router
from bailee.manage import grants as manage
from bailee.model import ConnectionId, GrantId, ProviderId

router = new_router("/v1/grants")


@router.post("", status_code=201)
def add_grant(desk: AtDesk, form: NewGrant) -> Grant:
    """Let a caller use one connection, or all of a provider or a subject, as the rules say."""
    over = {"connection": form.connection, "provider": form.provider}
    told = {name: text for name, text in over.items() if text is not None}
    with desk.change("grant.add", **told) as change:
        added = manage.add(
            desk.store,
            desk.tenant,
            form.caller,
            _connection(form.connection),
            form.allow,
            desk.now,
            provider=_provider(form.provider),
            subject=form.subject,
            expires_at=form.expires_at,
        )
        change.target = added.grant.id
        change.detail |= {"caller": added.grant.caller, "rules": str(len(added.grant.allow))}
    return Grant.of(added)


@router.get("")
def list_grants(
    desk: AtDesk,
    caller: str | None = None,
    connection: str | None = None,
    provider: str | None = None,
    subject: str | None = None,
    after: After = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[Grant]:
    """List grants; each filter that is given must fit what the grant itself names."""
    page = manage.page(
        desk.store,
        desk.tenant,
        caller=caller,
        connection=_connection(connection),
        provider=_provider(provider),
        subject=subject,
        after=after,
        limit=limit,
    )
    return page_of(page, Grant.of, lambda each: each.id, limit)


@router.get("/{grant}")
def show_grant(desk: AtDesk, grant: str) -> Grant:
    """Show a grant."""
    return Grant.of(manage.show(desk.store, desk.tenant, GrantId(grant)))


@router.delete("/{grant}")
def revoke_grant(desk: AtDesk, grant: str) -> Grant:
    """Revoke a grant; again changes nothing."""
    with desk.change("grant.revoke", grant):
        revoked = manage.revoke(desk.store, desk.tenant, GrantId(grant), desk.now)
    return Grant.of(revoked)


def _connection(text: str | None) -> ConnectionId | None:
    return None if text is None else ConnectionId(text)


def _provider(text: str | None) -> ProviderId | None:
    return None if text is None else ProviderId(text)
