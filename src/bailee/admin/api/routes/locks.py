"""Locks: which allowlists are in force, and how exposed the whole is."""

from bailee.admin.api.answers.base import Page, page_of
from bailee.admin.api.answers.locks import ExposureShown, Lock, LockWhole
from bailee.admin.api.desk import AtDesk
from bailee.admin.api.paging import DEFAULT_LIMIT, After, Limit
from bailee.admin.api.router import new_router
from bailee.lock.exposure import Held, expose
from bailee.manage import locks as manage
from bailee.model import ConnectionId, LockState, ProviderId

router = new_router("/v1")


@router.get("/locks")
def list_locks(
    desk: AtDesk,
    provider: str | None = None,
    state: LockState | None = None,
    after: After = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[Lock]:
    """List the locks of active connections, those never checked too; each filter must fit."""
    page = manage.page(
        desk.store,
        desk.scope,
        provider=None if provider is None else ProviderId(provider),
        state=state,
        after=after,
        limit=limit,
    )
    return page_of(page, Lock.of, lambda each: each.connection, limit)


@router.get("/locks/{connection}")
def show_lock(desk: AtDesk, connection: str) -> LockWhole:
    """Show a connection's lock, with what it rests on."""
    return LockWhole.with_grounds(manage.show(desk.store, desk.tenant, ConnectionId(connection)))


@router.get("/exposure")
def show_exposure(desk: AtDesk) -> ExposureShown:
    """Tell how many credentials would work for a thief today, and the step that helps most."""
    counts = manage.exposure(desk.store, desk.scope)
    held = [
        Held(each.provider, each.state, each.connections, each.cause, frozenset(each.powers))
        for each in counts
    ]
    return ExposureShown.of(expose(held))
