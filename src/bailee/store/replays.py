"""Requests to the admin API that were given an `Idempotency-Key`, and how they were answered."""

from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from bailee.model import TenantId
from bailee.store import schema

_table = schema.replays


@dataclass(frozen=True, slots=True)
class StoredReplay:
    """A request and its answer. `status` is None while it is under way, `body` where none is kept.

    `digest` is SHA-256 of the request: 32 bytes.
    """

    digest: bytes
    created_at: float
    status: int | None
    body: bytes | None = field(repr=False)


def reserve(
    conn: sa.Connection, tenant: TenantId, actor: str, key: str, digest: bytes, now: float
) -> bool:
    """Note that a request begins; False if its key is known. Of two at once only one begins."""
    reserved = conn.execute(
        insert(_table)
        .values(tenant_id=tenant, actor=actor, key=key, digest=digest, created_at=now)
        .on_conflict_do_nothing()
    )
    return reserved.rowcount == 1


def renew(
    conn: sa.Connection, tenant: TenantId, actor: str, key: str, digest: bytes, now: float
) -> None:
    """Let a request begin in the place of an old one with the same key."""
    conn.execute(
        sa.update(_table)
        .where(_is(tenant, actor, key))
        .values(digest=digest, status=None, body=None, created_at=now)
    )


def find(conn: sa.Connection, tenant: TenantId, actor: str, key: str) -> StoredReplay | None:
    """Find the request that an actor gave this key."""
    row = conn.execute(
        sa.select(_table.c.digest, _table.c.created_at, _table.c.status, _table.c.body).where(
            _is(tenant, actor, key)
        )
    ).one_or_none()
    return None if row is None else StoredReplay(row.digest, row.created_at, row.status, row.body)


def answer(
    conn: sa.Connection, tenant: TenantId, actor: str, key: str, status: int, body: bytes | None
) -> bool:
    """Store how a request was answered; False if it does not wait for an answer."""
    answered = conn.execute(
        sa.update(_table)
        .where(_is(tenant, actor, key), _table.c.status.is_(None))
        .values(status=status, body=body)
    )
    return answered.rowcount == 1


def drop(conn: sa.Connection, tenant: TenantId, actor: str, key: str) -> None:
    """Forget a request that has no answer yet."""
    conn.execute(sa.delete(_table).where(_is(tenant, actor, key), _table.c.status.is_(None)))


def purge(conn: sa.Connection, before: float, limit: int) -> int:
    """Delete requests up to a time, at most `limit`, and return how many there were."""
    old = (
        sa.select(_table.c.tenant_id, _table.c.actor, _table.c.key)
        .where(_table.c.created_at <= before)
        .limit(limit)
    )
    which = sa.tuple_(_table.c.tenant_id, _table.c.actor, _table.c.key)
    return conn.execute(sa.delete(_table).where(which.in_(old))).rowcount


def _is(tenant: TenantId, actor: str, key: str) -> "sa.ColumnElement[bool]":
    return sa.and_(_table.c.tenant_id == tenant, _table.c.actor == actor, _table.c.key == key)
