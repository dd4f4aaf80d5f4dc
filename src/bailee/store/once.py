"""Keys of `Bailee-Once`: which call was the first that a caller gave a key to.

A key stands as its SHA-256: nobody needs its text again.
"""

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from bailee.model import CallerId, CallId, TenantId
from bailee.store import schema

_table = schema.once_keys


def claim(
    conn: sa.Connection,
    tenant: TenantId,
    caller: CallerId,
    digest: bytes,
    call: CallId,
    now: float,
) -> CallId:
    """Give a key to a call, if no other call has it, inside of a write transaction.

    Of two calls at once, in whatever processes, one gets it; after a commit nothing but `release`
    and `purge` takes it away again.

    Args:
        conn: The writing connection; nothing of the call may leave before its commit.
        tenant: Whose caller it is.
        caller: Keys of two callers are different keys.
        digest: SHA-256 of the key: 32 bytes.
        call: Which call wants it.
        now: Unix seconds.

    Returns:
        The call that has it: `call`, or the one before.

    Raises:
        Conflict: There is no such caller.
    """
    conn.execute(
        insert(_table)
        .values(tenant_id=tenant, caller_id=caller, digest=digest, call_id=call, created_at=now)
        .on_conflict_do_nothing()
    )
    return find(conn, tenant, caller, digest) or call


def find(conn: sa.Connection, tenant: TenantId, caller: CallerId, digest: bytes) -> CallId | None:
    """Find the call that has a key."""
    found = conn.execute(sa.select(_table.c.call_id).where(_is(tenant, caller, digest))).scalar()
    return None if found is None else CallId(found)


def release(
    conn: sa.Connection, tenant: TenantId, caller: CallerId, digest: bytes, call: CallId
) -> bool:
    """Take a key back from a call of which nothing was sent; False if it does not have it."""
    held = sa.and_(_is(tenant, caller, digest), _table.c.call_id == call)
    return conn.execute(sa.delete(_table).where(held)).rowcount == 1


def purge(conn: sa.Connection, before: float, limit: int) -> int:
    """Forget keys up to a time, at most `limit`, and return how many there were."""
    old = (
        sa.select(_table.c.tenant_id, _table.c.caller_id, _table.c.digest)
        .where(_table.c.created_at <= before)
        .limit(limit)
    )
    which = sa.tuple_(_table.c.tenant_id, _table.c.caller_id, _table.c.digest)
    return conn.execute(sa.delete(_table).where(which.in_(old))).rowcount


def _is(tenant: TenantId, caller: CallerId, digest: bytes) -> "sa.ColumnElement[bool]":
    return sa.and_(
        _table.c.tenant_id == tenant, _table.c.caller_id == caller, _table.c.digest == digest
    )
