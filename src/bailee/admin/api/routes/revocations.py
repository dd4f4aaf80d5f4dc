"""The incident button: many connections at once, and whom to tell; and erasing a subject."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import Query, Response

from bailee.admin.api.answers.base import Page, page_of
from bailee.admin.api.answers.locks import Erasure, Revocation, Revoked
from bailee.admin.api.desk import AtDesk
from bailee.admin.api.forms import NewRevocation
from bailee.admin.api.paging import DEFAULT_LIMIT, After, Limit
from bailee.admin.api.router import new_router
from bailee.errors import BadInput
from bailee.manage import connections, erasure, incident
from bailee.manage.forms import PAGE_LIMIT
from bailee.model import ConnectionState, ProviderId

router = new_router("/v1")


@router.post("/revocations")
def revoke_many(desk: AtDesk, form: NewRevocation, response: Response) -> Revocation:
    """Revoke all connections, or those of one provider or subject. `Location` lists whom to tell.

    It is one change: all of it holds, everywhere, or nothing does.
    """
    if [form.all, form.provider is not None, form.subject is not None].count(True) != 1:
        raise BadInput("name exactly one of 'all', 'provider' and 'subject'")
    provider = None if form.provider is None else ProviderId(form.provider)
    what = "all" if form.all else "provider" if provider is not None else "subject"
    now = desk.now
    with desk.change("connection.revoke-many", provider or "", what=what) as change:
        revoked = incident.revoke_many(
            desk.store, desk.scope, now, provider=provider, subject=form.subject
        )
        change.detail["connections"] = str(len(revoked))
    chosen = {"provider": form.provider, "subject": form.subject}
    filters = {name: text for name, text in chosen.items() if text is not None}
    chosen = {"provider": form.provider, "subject": form.subject}
    filters = {name: text for name, text in chosen.items() if text is not None}
    export = "/v1/revocations?" + urlencode({"since": repr(now)} | filters)
    response.headers["Location"] = export
    first = [
        Revoked(
            connection=each.connection,
            tenant=each.tenant,
            provider=each.provider,
            subject=each.subject,
            revoked_at=now,
        )
        for each in revoked[:PAGE_LIMIT]
    ]
    return Revocation(
        revoked_at=now,
        connections=len(revoked),
        subjects=len({(each.tenant, each.subject) for each in revoked}),
        export=export,
        items=first,
        next=first[-1].connection if len(revoked) > PAGE_LIMIT else None,
    )


@router.get("/revocations")
def list_revoked(
    desk: AtDesk,
    since: Annotated[float, Query(allow_inf_nan=False, description="Unix seconds.")] = 0.0,
    provider: str | None = None,
    subject: str | None = None,
    after: After = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[Revoked]:
    """List connections that were revoked since a time, with the subjects to tell."""
    page = connections.page(
        desk.store,
        desk.scope,
        provider=None if provider is None else ProviderId(provider),
        subject=subject,
        state=ConnectionState.REVOKED,
        revoked_since=since,
        after=after,
        limit=limit,
    )
    return page_of(page, Revoked.of, lambda each: each.connection, limit)


@router.delete("/subjects/{subject:path}")
def erase_subject(desk: AtDesk, subject: str) -> Erasure:
    """Delete all that is kept of a subject; in the journal its hashes can't be tied to it again."""
    with desk.change("subject.erase") as change:
        erased = erasure.erase_subject(desk.store, desk.tenant, subject)
        change.detail["connections"] = str(len(erased.connections))
    return Erasure.of(erased)
