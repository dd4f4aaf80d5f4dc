"""Callers: programs that may ask for calls, once they have a grant."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, TypedDict

from sqlalchemy import Connection

from bailee.errors import BadInput, Conflict, NotFound
from bailee.manage.forms import parse_limit, parse_name
from bailee.manage.ids import new_id
from bailee.manage.tokens import CALLER_TOKEN_SECONDS, IssuedToken, insert_token
from bailee.model import NO_CALLER_LIMITS, Caller, CallerId, CallerLimits, Role, TenantId
from bailee.policy.allowlist import Allowlist
from bailee.store import callers as rows
from bailee.store import grants as grant_rows
from bailee.store import tenants as tenant_rows
from bailee.store import tokens as token_rows
from bailee.store.callers import StoredCaller
from bailee.store.engine import Store

HIGHEST_LIMIT: Final = 1_000_000


class LimitChange(TypedDict, total=False):
    """Which limits of a caller change; `None` is for what the gateway's config says."""

    calls_per_second: int | None
    concurrent: int | None


@dataclass(frozen=True, slots=True)
class AddedCaller:
    """A new caller with its first token."""

    caller: Caller
    token: IssuedToken


def add(
    store: Store,
    tenant: TenantId,
    name: str,
    now: float,
    *,
    allow_from: Iterable[str] = (),
    limits: CallerLimits = NO_CALLER_LIMITS,
    seconds: float = CALLER_TOKEN_SECONDS,
) -> AddedCaller:
    """Add a caller and issue its first token, good for `seconds`.

    Args:
        store: The database.
        tenant: Whose caller it is.
        name: Unique among the tenant's live callers.
        now: Unix seconds.
        allow_from: Addresses and CIDR that it may call from; empty means any.
        limits: How much it may ask for.
        seconds: How long the token is good.

    Raises:
        BadInput: The name or an entry of `allow_from` is not of the right form, or `seconds` or a
            limit is out of bounds.
        NotFound: There is no such tenant.
        Conflict: A live caller has this name.
    """
    caller = Caller(
        id=CallerId(new_id("clr")),
        tenant=tenant,
        name=parse_name(name, "a caller"),
        allow_from=Allowlist.parse(allow_from).entries,
        limits=_bounded(limits),
    )
    with store.write() as conn:
        if tenant_rows.find(conn, tenant) is None:
            raise NotFound("there is no such tenant")
        if rows.find_live(conn, tenant, name) is not None:
            raise Conflict(
                f"there is a caller named {name} already", "revoke it, or choose another"
            )
        rows.insert(conn, caller, now)
        token = insert_token(conn, tenant, Role.CALLER, caller.id, "", now, seconds)
    return AddedCaller(caller, token)


def show(store: Store, tenant: TenantId, caller: str) -> StoredCaller:
    """Find a caller by its id, or a live one by its name.

    Raises:
        NotFound: The tenant has none.
    """
    with store.read() as conn:
        return find(conn, tenant, caller)


def find(conn: Connection, tenant: TenantId, caller: str) -> StoredCaller:
    """Find a caller by its id, or a live one by its name, inside of a transaction.

    Raises:
        NotFound: The tenant has none.
    """
    found = rows.find(conn, tenant, CallerId(caller)) or rows.find_live(conn, tenant, caller)
    if found is None:
        raise NotFound("there is no such caller")
    return found


def page(
    store: Store, tenant: TenantId, *, after: str | None = None, limit: int = 100
) -> list[StoredCaller]:
    """List a tenant's callers, revoked ones too, in the order of their ids.

    Raises:
        BadInput: `limit` is not 1 to 1000.
    """
    with store.read() as conn:
        return rows.list_page(conn, tenant, after=after, limit=parse_limit(limit))


def set_limits(store: Store, tenant: TenantId, caller: str, change: LimitChange) -> StoredCaller:
    """Change the limits of a caller, by its id or name; what is not given stays as it is.

    Raises:
        BadInput: A limit is out of bounds.
        NotFound: The tenant has no such caller.
        Conflict: The caller is revoked.
    """
    with store.write() as conn:
        found = find(conn, tenant, caller)
        limits = _bounded(replace(found.caller.limits, **change))
        if not rows.set_limits(conn, tenant, found.caller.id, limits):
            raise Conflict("the caller was revoked")
        return find(conn, tenant, found.caller.id)


def revoke(store: Store, tenant: TenantId, caller: str, now: float) -> StoredCaller:
    """Revoke a caller by its id or name, with all its tokens and grants.

    Raises:
        NotFound: The tenant has none.
    """
    with store.write() as conn:
        found = find(conn, tenant, caller)
        rows.revoke(conn, tenant, found.caller.id, now)
        token_rows.revoke_of_caller(conn, tenant, found.caller.id, now)
        grant_rows.revoke_of_caller(conn, tenant, found.caller.id, now)
        return find(conn, tenant, found.caller.id)


def _bounded(limits: CallerLimits) -> CallerLimits:
    for limit in (limits.calls_per_second, limits.concurrent):
        if limit is not None and not 1 <= limit <= HIGHEST_LIMIT:
            raise BadInput(f"a limit of a caller must be 1 to {HIGHEST_LIMIT}")
    return limits
