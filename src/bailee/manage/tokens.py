"""Tokens: made, shown once, stored as a digest, expiring, revoked."""

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from bailee.errors import BadInput, Forbidden, NotFound, Unauthenticated
from bailee.manage.forms import parse_label, parse_limit
from bailee.manage.ids import new_id
from bailee.model import CallerId, Role, TenantId, TokenId
from bailee.policy import token as form
from bailee.secret import Secret
from bailee.store import callers as caller_rows
from bailee.store import tenants as tenant_rows
from bailee.store import tokens as rows
from bailee.store.engine import Store
from bailee.store.tokens import StoredToken

DAY_SECONDS = 86_400.0
CALLER_TOKEN_SECONDS = 90 * DAY_SECONDS
OPERATOR_TOKEN_SECONDS = 365 * DAY_SECONDS
LONGEST_SECONDS = 5 * 365 * DAY_SECONDS
ALL_ROLES: Final = frozenset(Role)
ADMIN_ROLES: Final = ALL_ROLES - {Role.CALLER}
"""The roles that the admin API knows."""


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A token at the one moment when its text is known."""

    token: StoredToken
    text: Secret
    """ASCII; to be shown once and kept nowhere."""


def mint() -> tuple[Secret, bytes]:
    """Make a token of 256 random bits. Returns its text and the digest to store it under."""
    text = form.format_token(secrets.token_bytes(form.RANDOM_BYTES))
    digest = form.digest(text)
    assert digest is not None, "a token is always of its own form"
    return Secret(text.encode("ascii")), digest


def issue(
    store: Store,
    tenant: TenantId,
    role: Role,
    label: str,
    now: float,
    *,
    seconds: float = OPERATOR_TOKEN_SECONDS,
) -> IssuedToken:
    """Issue a token for the admin API that is good for `seconds`.

    An application's is for this tenant alone. An operator's and an auditor's see all tenants, and
    this one where none is named.

    Raises:
        BadInput: The role is a caller's, the label is not of the right form, or `seconds` not more
            than 0 and at most 5 years.
        NotFound: There is no such tenant.
    """
    if role not in ADMIN_ROLES:
        raise BadInput("the token of a caller is issued for one caller", "add or name the caller")
    with store.write() as conn:
        if tenant_rows.find(conn, tenant) is None:
            raise NotFound("there is no such tenant")
        return insert_token(conn, tenant, role, None, label, now, seconds)


def issue_operator(
    store: Store,
    tenant: TenantId,
    label: str,
    now: float,
    *,
    seconds: float = OPERATOR_TOKEN_SECONDS,
) -> IssuedToken:
    """Issue an operator's token, as `issue` does.

    Raises:
        BadInput: The label is not of the right form, or `seconds` not more than 0 and at most 5
            years.
        NotFound: There is no such tenant.
    """
    return issue(store, tenant, Role.OPERATOR, label, now, seconds=seconds)


def issue_caller(
    store: Store,
    tenant: TenantId,
    caller: CallerId,
    label: str,
    now: float,
    *,
    seconds: float = CALLER_TOKEN_SECONDS,
) -> IssuedToken:
    """Issue one more token for a caller, as for a change of tokens without a gap.

    Raises:
        BadInput: The label is not of the right form, or `seconds` not more than 0 and at most 5
            years.
        NotFound: The tenant has no such live caller.
    """
    with store.write() as conn:
        found = caller_rows.find(conn, tenant, caller)
        if found is None or found.revoked_at is not None:
            raise NotFound("there is no such caller, or it was revoked")
        return insert_token(conn, tenant, Role.CALLER, caller, label, now, seconds)


def insert_token(
    conn: Connection,
    tenant: TenantId,
    role: Role,
    caller: CallerId | None,
    label: str,
    now: float,
    seconds: float,
) -> IssuedToken:
    """Make and store a token inside of a transaction that has checked whose it is.

    Raises:
        BadInput: The label is not of the right form, or `seconds` not more than 0 and at most 5
            years.
    """
    if not 0 < seconds <= LONGEST_SECONDS:
        raise BadInput("a token is good for more than 0 seconds and at most 5 years")
    return insert_minted(
        conn,
        StoredToken(
            id=TokenId(new_id("tok")),
            tenant=tenant,
            role=role,
            caller=caller,
            label=parse_label(label),
            created_at=now,
            expires_at=now + seconds,
        ),
    )


def insert_minted(conn: Connection, token: StoredToken) -> IssuedToken:
    """Make the text of a token and store the token under its digest."""
    text, digest = mint()
    rows.insert(conn, token, digest)
    return IssuedToken(token, text)


def show(
    store: Store, tenant: TenantId, token: TokenId, *, roles: Collection[Role] = ALL_ROLES
) -> StoredToken:
    """Find a token of one of the roles; another's is not found.

    Raises:
        NotFound: The tenant has no such token.
    """
    with store.read() as conn:
        return _find(conn, tenant, token, roles)


def revoke(
    store: Store,
    tenant: TenantId,
    token: TokenId,
    now: float,
    *,
    roles: Collection[Role] = ALL_ROLES,
) -> StoredToken:
    """Revoke a token of one of the roles, and what was derived by means of it.

    One that was revoked stays as it is.

    Raises:
        NotFound: The tenant has no such token.
    """
    with store.write() as conn:
        _find(conn, tenant, token, roles)
        rows.revoke(conn, tenant, token, now)
        rows.revoke_derived(conn, token, now)
        return _find(conn, tenant, token, roles)


def page(
    store: Store,
    tenant: TenantId,
    *,
    caller: CallerId | None = None,
    roles: Collection[Role] = ALL_ROLES,
    derived: bool | None = None,
    after: str | None = None,
    limit: int = 100,
) -> list[StoredToken]:
    """List a tenant's tokens in the order of their ids; each filter that is given must fit.

    Raises:
        BadInput: `limit` is not 1 to 1000.
    """
    with store.read() as conn:
        return rows.list_page(
            conn,
            tenant,
            caller=caller,
            roles=roles,
            derived=derived,
            after=after,
            limit=parse_limit(limit),
        )


def authenticate(
    store: Store, text: str, now: float, *, roles: Collection[Role] = ADMIN_ROLES
) -> StoredToken:
    """Return the live token whose text this is.

    Raises:
        Unauthenticated: It is malformed, unknown, expired or revoked; which, is not said.
        Forbidden: It is live and of another role than these.
        StoreUnavailable: The database does not answer.
    """
    digest = form.digest(text)
    if digest is None:
        raise Unauthenticated()
    with store.read() as conn:
        token = rows.find_by_digest(conn, digest)
    if token is None or token.revoked_at is not None or not now < token.expires_at:
        raise Unauthenticated()
    if token.role not in roles:
        raise Forbidden(f"this needs a token of the role {' or '.join(sorted(roles))}")
    return token


def _find(
    conn: Connection, tenant: TenantId, token: TokenId, roles: Collection[Role]
) -> StoredToken:
    found = rows.find(conn, tenant, token)
    if found is None or found.role not in roles:
        raise NotFound("there is no such token")
    return found
