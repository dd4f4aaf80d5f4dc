"""Callers: programs that may ask for calls."""

from bailee.admin.api.answers.base import Page, page_of
from bailee.admin.api.answers.owned import Caller, NewCallerShown
from bailee.admin.api.desk import AtDesk
from bailee.admin.api.forms import CallerChange, NewCaller
from bailee.admin.api.paging import DEFAULT_LIMIT, After, Limit
from bailee.admin.api.router import new_router
from bailee.manage import callers as manage
from bailee.manage.tokens import DAY_SECONDS
from bailee.model import CallerLimits
from bailee.store.callers import StoredCaller

router = new_router("/v1/callers")


@router.post("", status_code=201)
def add_caller(desk: AtDesk, form: NewCaller) -> NewCallerShown:
    """Add a caller. Its token is in this answer and nowhere else, ever."""
    with desk.change("caller.add", form.name) as change:
        added = manage.add(
            desk.store,
            desk.tenant,
            form.name,
            desk.now,
            allow_from=form.allow_from,
            limits=CallerLimits(form.calls_per_second, form.concurrent),
            seconds=form.token_days * DAY_SECONDS,
        )
        change.target = added.caller.id
        change.detail |= {"name": added.caller.name, "token": added.token.token.id}
    issued = added.token.token
    return NewCallerShown.of(
        StoredCaller(added.caller, issued.created_at),
        token=added.token.text.reveal().decode("ascii"),
        token_id=issued.id,
        expires_at=issued.expires_at,
    )


@router.get("")
def list_callers(desk: AtDesk, after: After = None, limit: Limit = DEFAULT_LIMIT) -> Page[Caller]:
    """List callers, revoked ones too."""
    page = manage.page(desk.store, desk.tenant, after=after, limit=limit)
    return page_of(page, Caller.of, lambda each: each.id, limit)


@router.get("/{caller}")
def show_caller(desk: AtDesk, caller: str) -> Caller:
    """Show a caller by its id, or a live one by its name."""
    return Caller.of(manage.show(desk.store, desk.tenant, caller))


@router.patch("/{caller}")
def change_caller(desk: AtDesk, caller: str, form: CallerChange) -> Caller:
    """Set how much a caller, by its id or name, may ask for."""
    wanted = form.limits
    told = {name: "default" if limit is None else str(limit) for name, limit in wanted.items()}
    with desk.change("caller.change", caller, **told) as change:
        changed = manage.set_limits(desk.store, desk.tenant, caller, wanted)
        change.target = changed.caller.id
    return Caller.of(changed)


@router.delete("/{caller}")
def revoke_caller(desk: AtDesk, caller: str) -> Caller:
    """Revoke a caller by its id or name, with its tokens and grants."""
    with desk.change("caller.revoke", caller) as change:
        revoked = manage.revoke(desk.store, desk.tenant, caller, desk.now)
        change.target = revoked.caller.id
    return Caller.of(revoked)
