"""Tokens that were derived: a caller's, bound to one subject or connection, for minutes.

An application makes one where it would not hand out the caller's own token: to a browser, a job or
an agent. It lets through less than the caller may do, never more.
"""

from collections.abc import Iterable
from typing import Final

from sqlalchemy import Connection

from bailee.errors import BadInput, Conflict, ConnectionRevoked, Forbidden, NotFound
from bailee.manage import callers
from bailee.manage.forms import parse_label
from bailee.manage.ids import new_id
from bailee.manage.tokens import IssuedToken, insert_minted
from bailee.model import (
    GRANTABLE_METHODS,
    CallerId,
    ConnectionId,
    ConnectionState,
    Role,
    TenantId,
    TokenId,
)
from bailee.store import connections as connection_rows
from bailee.store import grants as grant_rows
from bailee.store import tokens as rows
from bailee.store.engine import Store
from bailee.store.tokens import StoredToken

LONGEST_SECONDS: Final = 900.0


def derive(
    store: Store,
    tenant: TenantId,
    parent: TokenId,
    caller: str,
    now: float,
    *,
    subject: str | None = None,
    connection: ConnectionId | None = None,
    methods: Iterable[str] | None = None,
    seconds: float = LONGEST_SECONDS,
    label: str = "",
) -> IssuedToken:
    """Derive a token for a caller that is good for one subject or one connection.

    It ends with the caller, and with the token of who asks, if that is sooner.

    Args:
        store: The database.
        tenant: Whose caller it is.
        parent: The token of who asks: an operator's, or one of the tenant's application.
        caller: Its id or name.
        now: Unix seconds.
        subject: Whose connections it is for.
        connection: Which connection it is for.
        methods: For which methods (`GET` covers `HEAD`); None for all that the grants allow.
        seconds: How long it is good, at most 900.
        label: For people.

    Raises:
        BadInput: Not exactly one of `subject` and `connection` is given, a method is never relayed,
            or `seconds` or the label is not of the right form.
        Forbidden: The parent's role derives no tokens, or it is not live, or of another tenant.
        NotFound: The tenant has no such caller, subject or connection.
        ConnectionRevoked: The connection is revoked.
        Conflict: The caller is revoked, or none of its live grants covers what is named.
    """
    if (subject is None) == (connection is None):
        raise BadInput("a derived token is for one of: a subject, a connection")
    if not 0 < seconds <= LONGEST_SECONDS:
        raise BadInput("a derived token is good for more than 0 and at most 900 seconds")
    bound = None if methods is None else _parse_methods(methods)
    with store.write() as conn:
        ends_at = _check_parent(conn, tenant, parent, now)
        found = callers.find(conn, tenant, caller)
        if found.revoked_at is not None:
            raise Conflict("the caller was revoked")
        _check_target(conn, tenant, found.caller.id, subject, connection, now)
        return insert_minted(
            conn,
            StoredToken(
                id=TokenId(new_id("tok")),
                tenant=tenant,
                role=Role.CALLER,
                caller=found.caller.id,
                label=parse_label(label),
                created_at=now,
                expires_at=min(now + seconds, ends_at),
                subject=subject,
                connection=connection,
                methods=bound,
                parent=parent,
            ),
        )


def _parse_methods(methods: Iterable[str]) -> tuple[str, ...]:
    read = tuple(sorted({method.upper() for method in methods}))
    if not read or not GRANTABLE_METHODS.issuperset(read):
        known = ", ".join(sorted(GRANTABLE_METHODS))
        raise BadInput("a derived token is for methods that are relayed", f"methods: {known}")
    return read


def _check_parent(conn: Connection, tenant: TenantId, parent: TokenId, now: float) -> float:
    """Return when the token of who asks expires."""
    found = rows.find_any(conn, parent)
    if found is None or found.revoked_at is not None or not now < found.expires_at:
        raise Forbidden("the token that asks is not live any more")
    own = found.role is Role.APPLICATION and found.tenant == tenant
    if not own and found.role is not Role.OPERATOR:
        raise Forbidden("an application of the tenant or an operator derives tokens")
    return found.expires_at


def _check_target(
    conn: Connection,
    tenant: TenantId,
    caller: CallerId,
    subject: str | None,
    connection: ConnectionId | None,
    now: float,
) -> None:
    if connection is not None:
        target = connection_rows.find(conn, tenant, connection)
        if target is None:
            raise NotFound("there is no such connection")
        if target.state is not ConnectionState.ACTIVE:
            raise ConnectionRevoked()
    elif subject is not None and connection_rows.subject_key(conn, tenant, subject) is None:
        raise NotFound("there is no such subject")
    if not grant_rows.any_live(conn, tenant, caller, now, connection=connection, subject=subject):
        raise Conflict("no live grant of the caller covers this", "make a grant first")
