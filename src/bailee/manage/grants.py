"""Grants: nothing is allowed but what one of them names."""

from collections.abc import Iterable

from sqlalchemy import Connection

from bailee.errors import BadInput, Conflict, ConnectionRevoked, NotFound
from bailee.manage import callers
from bailee.manage.forms import parse_limit
from bailee.manage.ids import new_id
from bailee.model import ConnectionId, ConnectionState, Grant, GrantId, ProviderId, Rule, TenantId
from bailee.policy.rules import parse_grant_rule
from bailee.store import connections as connection_rows
from bailee.store import grants as rows
from bailee.store import providers as provider_rows
from bailee.store.engine import Store
from bailee.store.grants import StoredGrant

RULE_LIMIT = 64
RULE_CHARACTERS = 4096


def add(
    store: Store,
    tenant: TenantId,
    caller: str,
    connection: ConnectionId | None,
    rules: Iterable[str],
    now: float,
    *,
    provider: ProviderId | None = None,
    subject: str | None = None,
    expires_at: float | None = None,
) -> StoredGrant:
    """Let a caller use connections for what the rules name.

    Exactly one of `connection`, `provider` and `subject` says which: the last two stand for all of
    the tenant's connections to a provider, or of a subject, those made later included.

    Args:
        store: The database.
        tenant: Whose caller and connections they are.
        caller: Its id or name.
        connection: An active connection.
        rules: 1 to 64 rules such as `GET /v1/**` or `POST /rpc body $.method = "eth_call"`, each
            at most 4096 characters.
        now: Unix seconds.
        provider: One that is approved or proposed.
        subject: One that has, or had, a connection.
        expires_at: Unix seconds, after `now`; None for no end.

    Raises:
        BadInput: A rule is not of the right form, there is none or too many, the end is past, or
            not exactly one thing is named.
        NotFound: The tenant has no such caller, connection or subject, or there is no such
            provider.
        Conflict: The caller is revoked.
        ConnectionRevoked: The connection is.
    """
    allow = _parse_rules(rules)
    if [connection, provider, subject].count(None) != 2:
        raise BadInput("a grant is over one of: a connection, a provider, a subject")
    if expires_at is not None and not now < expires_at:
        raise BadInput("the grant would have expired already")
    with store.write() as conn:
        found = callers.find(conn, tenant, caller)
        if found.revoked_at is not None:
            raise Conflict("the caller was revoked")
        _check_target(conn, tenant, connection, provider, subject)
        grant = Grant(
            id=GrantId(new_id("grt")),
            caller=found.caller.id,
            connection=connection,
            allow=allow,
            expires_at=expires_at,
            provider=provider,
            subject=subject,
        )
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
    provider: ProviderId | None = None,
    subject: str | None = None,
    after: str | None = None,
    limit: int = 100,
) -> list[StoredGrant]:
    """List a tenant's grants in the order of their ids.

    Each filter that is given must be what the grant itself names: a grant over a provider is not
    listed under one of its connections.

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
            provider=provider,
            subject=subject,
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


def _parse_rules(rules: Iterable[str]) -> tuple[Rule, ...]:
    texts = list(dict.fromkeys(rules))
    if not 1 <= len(texts) <= RULE_LIMIT or any(len(text) > RULE_CHARACTERS for text in texts):
        raise BadInput(
            f"a grant has 1 to {RULE_LIMIT} rules of at most {RULE_CHARACTERS} characters",
            "name what is allowed, as in 'GET /v1/**'",
        )
    return tuple(parse_grant_rule(text) for text in texts)


def _check_target(
    conn: Connection,
    tenant: TenantId,
    connection: ConnectionId | None,
    provider: ProviderId | None,
    subject: str | None,
) -> None:
    if connection is not None:
        target = connection_rows.find(conn, tenant, connection)
        if target is None:
            raise NotFound("there is no such connection")
        if target.state is not ConnectionState.ACTIVE:
            raise ConnectionRevoked()
    elif provider is not None:
        known = provider_rows.newest(conn, provider) or provider_rows.find_proposal(conn, provider)
        if known is None:
            raise NotFound("there is no such provider")
    elif subject is not None and connection_rows.subject_key(conn, tenant, subject) is None:
        raise NotFound("there is no such subject", "add a connection of it first")
