"""Tokens: made for a role by operators, derived for a caller by applications, shown once."""

from collections.abc import Collection

from bailee.admin.api.answers.base import Page, page_of
from bailee.admin.api.answers.owned import NewTokenShown, Token
from bailee.admin.api.desk import AtDesk, Desk
from bailee.admin.api.forms import NewToken
from bailee.admin.api.paging import DEFAULT_LIMIT, After, Limit
from bailee.admin.api.router import new_router
from bailee.errors import BadInput, Forbidden
from bailee.manage import tokens as manage
from bailee.manage.derived import derive
from bailee.manage.tokens import DAY_SECONDS, IssuedToken
from bailee.model import ConnectionId, Role, TokenId

router = new_router("/v1/tokens")


@router.post("", status_code=201)
def add_token(desk: AtDesk, form: NewToken) -> NewTokenShown:
    """Make a token: of a role (by operators alone), or derived for a caller.

    A derived token is the caller's for one subject or one connection, for at most 15 minutes, and
    dies with the token that asked for it. The token is in this answer and nowhere else, ever.
    """
    make = _of_role if form.role is not None else _derived
    kind = "token.add" if form.role is not None else "token.derive"
    _check(desk, form)
    with desk.change(kind) as change:
        issued = make(desk, form)
        change.target = issued.token.id
        change.detail["role"] = issued.token.role
        if issued.token.caller is not None:
            change.detail["caller"] = issued.token.caller
    return NewTokenShown.issued(issued)


@router.get("")
def list_tokens(
    desk: AtDesk,
    derived: bool | None = None,
    after: After = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[Token]:
    """List tokens, those that ended too; an application sees its callers' alone."""
    page = manage.page(
        desk.store,
        desk.tenant,
        roles=_visible(desk),
        derived=derived,
        after=after,
        limit=limit,
    )
    return page_of(page, Token.of, lambda each: each.id, limit)


@router.get("/{token}")
def show_token(desk: AtDesk, token: str) -> Token:
    """Show what a token is for."""
    found = manage.show(desk.store, desk.tenant, TokenId(token), roles=_visible(desk))
    return Token.of(found)


@router.delete("/{token}")
def revoke_token(desk: AtDesk, token: str) -> Token:
    """Revoke a token, with what was derived with it; again changes nothing."""
    with desk.change("token.revoke", token):
        revoked = manage.revoke(
            desk.store, desk.tenant, TokenId(token), desk.now, roles=_visible(desk)
        )
    return Token.of(revoked)


def _visible(desk: Desk) -> Collection[Role]:
    return {Role.CALLER} if desk.role is Role.APPLICATION else frozenset(Role)


def _check(desk: Desk, form: NewToken) -> None:
    """Refuse a form that is of both kinds or of none.

    Raises:
        BadInput: It is.
        Forbidden: It is for a token of a role, and somebody else than an operator sent it.
    """
    given = form.model_fields_set - {"label"}
    if form.role is not None:
        if desk.role is not Role.OPERATOR:
            raise Forbidden("tokens of a role are made by operators alone")
        if given - {"role", "days"}:
            raise BadInput("a token of a role has 'role', 'days' and 'label', and no more")
    elif form.caller is None:
        raise BadInput("a token has a role, or is derived for a caller", "name one of the two")
    elif "days" in given:
        raise BadInput("a derived token is good for seconds, not for days")


def _of_role(desk: Desk, form: NewToken) -> IssuedToken:
    assert form.role is not None
    return manage.issue(
        desk.store,
        desk.tenant,
        Role(form.role),
        form.label,
        desk.now,
        seconds=form.days * DAY_SECONDS,
    )


def _derived(desk: Desk, form: NewToken) -> IssuedToken:
    assert form.caller is not None
    return derive(
        desk.store,
        desk.tenant,
        desk.actor.token,
        form.caller,
        desk.now,
        subject=form.subject,
        connection=None if form.connection is None else ConnectionId(form.connection),
        methods=form.methods,
        seconds=form.seconds,
        label=form.label,
    )
