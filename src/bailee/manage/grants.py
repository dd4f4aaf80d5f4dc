"""Grants: nothing is allowed but what one of them names."""

from collections.abc import Iterable

from bailee.errors import BadInput, Conflict, ConnectionRevoked, NotFound
from bailee.manage import callers
from bailee.manage.forms import parse_limit
from bailee.manage.ids import new_id
from bailee.model import ConnectionId, ConnectionState, Grant, GrantId, TenantId
from bailee.policy.rules import parse_rule
from bailee.store import connections as connection_rows
from bailee.store import grants as rows
from bailee.store.engine import Store
from bailee.store.grants import StoredGrant

RULE_LIMIT = 64
RULE_CHARACTERS = 1024


def add(
    store: Store,
    tenant: TenantId,
    caller: str,
    connection: ConnectionId,
    rules: Iterable[str],
    now: float,
    *,
    expires_at: float | None = None,
) -> StoredGrant:
    """Let a caller use a connection for what the rules name.

    Args:
        store: The database.
        tenant: Whose caller and connection they are.
        caller: Its id or name.
        connection: An active connection.
        rules: 1 to 64 rules such as `GET /v1/**`, each at most 1024 characters.
        now: Unix seconds.
        expires_at: Unix seconds, after `now`; None for no end.

    Raises:
        BadInput: A rule is not of the right form, there is none or too many, or the end is past.
        NotFound: The tenant has no such caller or connection.
        Conflict: The caller is revoked.
        ConnectionRevoked: The connection is.
    """
    texts = list(dict.fromkeys(rules))
    if not 1 <= len(texts) <= RULE_LIMIT or any(len(text) > RULE_CHARACTERS for text in texts):
        raise BadInput(
            f"a grant has 1 to {RULE_LIMIT} rules of at most {RULE_CHARACTERS} characters",
            "name what is allowed, as in 'GET /v1/**'",
        )
    allow = tuple(parse_rule(text) for text in texts)
    if expires_at is not None and not now < expires_at:
        raise BadInput("the grant would have expired already")
    with store.write() as conn:
        found = callers.find(conn, tenant, caller)
        if found.revoked_at is not None:
            raise Conflict("the caller was revoked")
        target = connection_rows.find(conn, tenant, connection)
        if target is None:
            raise NotFound("there is no such connection")
        if target.state is not ConnectionState.ACTIVE:
            raise ConnectionRevoked()
        grant = Grant(GrantId(new_id("grt")), found.caller.id, connection, allow, expires_at)
        rows.insert(conn, tenant, grant, now)
    return StoredGrant(grant, now)


def show(store: Store, tenant: TenantId, grant: GrantId) -> StoredGrant:
    """Find a grant.

    Raises:
        NotFound: The tenant has no such grant.
    """
    with store.read() as conn:
        found = rows.find(conn, tenant, grant)
    if found is None:
        raise NotFound("there is no such grant")
    return found


def page(
    store: Store,
    tenant: TenantId,
    *,
    caller: str | None = None,
    connection: ConnectionId | None = None,
    after: str | None = None,
    limit: int = 100,
) -> list[StoredGrant]:
    """List a tenant's grants in the order of their ids; each filter that is given must fit.

    Raises:
        BadInput: `limit` is not 1 to 1000.
        NotFound: The tenant has no such caller.
    """
    with store.read() as conn:
        found = None if caller is None else callers.find(conn, tenant, caller).caller.id
        return rows.list_page(
            conn,
            tenant,
            caller=found,
            connection=connection,
            after=after,
            limit=parse_limit(limit),
        )


def revoke(store: Store, tenant: TenantId, grant: GrantId, now: float) -> StoredGrant:
    """Revoke a grant; one that was revoked stays as it is.

    Raises:
        NotFound: The tenant has no such grant.
    """
    with store.write() as conn:
        rows.revoke(conn, tenant, grant, now)
        found = rows.find(conn, tenant, grant)
    if found is None:
        raise NotFound("there is no such grant")
    return found
