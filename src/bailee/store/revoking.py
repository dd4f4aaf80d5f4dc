"""The end of connections: many at once, or every trace of one subject.

With a connection go its sealed versions, and the grants and derived tokens that name it. Grants
over its provider or its subject stay: they cover what is made later.
"""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, quote_plus

import sqlalchemy as sa

from bailee.model import ConnectionId, ConnectionState, ProviderId, TenantId
from bailee.store import schema
from bailee.store.scope import Scope, within

_connections = schema.connections
_GONE = 410
_BOUND = (schema.sealed_versions, schema.locks, schema.nonces, schema.tokens, schema.grants)


@dataclass(frozen=True, slots=True)
class RevokedConnection:
    """A connection that was revoked, and whom to tell."""

    connection: ConnectionId
    subject: str
    provider: ProviderId
    tenant: TenantId


@dataclass(frozen=True, slots=True)
class Erased:
    """How much was deleted with a subject."""

    tenant: TenantId
    connections: tuple[ConnectionId, ...]
    grants: int
    tokens: int


def revoke_many(
    conn: sa.Connection,
    scope: Scope,
    now: float,
    *,
    connection: ConnectionId | None = None,
    provider: ProviderId | None = None,
    subject: str | None = None,
) -> list[RevokedConnection]:
    """Revoke the active connections of a scope that fit each filter given, in one transaction."""
    fitting = _fitting(scope, connection=connection, provider=provider, subject=subject)
    active = sa.and_(fitting, _connections.c.state == ConnectionState.ACTIVE)
    rows = conn.execute(
        sa.select(
            _connections.c.id,
            _connections.c.subject,
            _connections.c.provider_id,
            _connections.c.tenant_id,
        )
        .where(active)
        .order_by(_connections.c.id)
    ).all()
    revoked = {"state": ConnectionState.REVOKED, "revoked_at": now}
    conn.execute(sa.update(_connections).where(active).values(**revoked))
    gone = sa.select(_connections.c.id).where(
        fitting, _connections.c.state == ConnectionState.REVOKED
    )
    sealed = schema.sealed_versions
    conn.execute(sa.delete(sealed).where(sealed.c.connection_id.in_(gone)))
    for table in (schema.grants, schema.tokens):
        live = sa.and_(table.c.connection_id.in_(gone), table.c.revoked_at.is_(None))
        conn.execute(sa.update(table).where(live).values(revoked_at=now))
    return [
        RevokedConnection(
            connection=ConnectionId(row.id),
            subject=row.subject,
            provider=ProviderId(row.provider_id),
            tenant=TenantId(row.tenant_id),
        )
        for row in rows
    ]


def erase_subject(conn: sa.Connection, tenant: TenantId, subject: str) -> Erased | None:
    """Delete a subject, its journal key and all that is bound to it; None if there is none.

    Stored answers and jobs that quote its name go too: an answer becomes an empty 410. SQLite
    overwrites what is deleted with zeros. Names that someone wrote into a label or into a key of
    `Idempotency-Key` are not found.
    """
    subjects = schema.subjects
    named = sa.and_(subjects.c.tenant_id == tenant, subjects.c.subject == subject)
    if conn.execute(sa.select(subjects.c.subject).where(named)).first() is None:
        return None
    conn.exec_driver_sql("PRAGMA secure_delete = ON")
    owned = _fitting(tenant, subject=subject)
    ids = tuple(conn.execute(sa.select(_connections.c.id).where(owned)).scalars())
    deleted = dict.fromkeys((table.name for table in _BOUND), 0)
    for table in _BOUND:
        bound = table.c.connection_id.in_(sa.select(_connections.c.id).where(owned))
        deleted[table.name] += conn.execute(sa.delete(table).where(bound)).rowcount
    for table in (schema.tokens, schema.grants):
        about = sa.and_(table.c.tenant_id == tenant, table.c.subject == subject)
        deleted[table.name] += conn.execute(sa.delete(table).where(about)).rowcount
    conn.execute(sa.delete(_connections).where(owned))
    conn.execute(sa.delete(subjects).where(named))
    _forget_quotes(conn, tenant, subject)
    return Erased(
        tenant,
        tuple(ConnectionId(each) for each in ids),
        grants=deleted["grants"],
        tokens=deleted["tokens"],
    )


def _fitting(
    scope: Scope,
    *,
    connection: ConnectionId | None = None,
    provider: ProviderId | None = None,
    subject: str | None = None,
) -> "sa.ColumnElement[bool]":
    conditions = [within(_connections.c.tenant_id, scope)]
    for column, value in (
        (_connections.c.id, connection),
        (_connections.c.provider_id, provider),
        (_connections.c.subject, subject),
    ):
        if value is not None:
            conditions.append(column == value)
    return sa.and_(*conditions)


def _forget_quotes(conn: sa.Connection, tenant: TenantId, subject: str) -> None:
    """Look for the name as a JSON string or a query's value, in all its spellings.

    Answers about all tenants at once stand under no tenant's id, and are looked through too.
    """
    replays, jobs = schema.replays, schema.jobs
    about = sa.or_(
        replays.c.tenant_id == tenant,
        replays.c.tenant_id.not_in(sa.select(schema.tenants.c.id)),
    )
    for spelling in _spellings(subject):
        quoted = sa.func.instr(replays.c.body, spelling.encode()) > 0
        conn.execute(sa.update(replays).where(about, quoted).values(status=_GONE, body=b""))
        told: list[sa.ColumnElement[Any]] = [
            sa.func.instr(sa.cast(column, sa.Text), spelling) > 0
            for column in (jobs.c.arguments, jobs.c.result, jobs.c.error)
        ]
        conn.execute(sa.delete(jobs).where(jobs.c.tenant_id == tenant, sa.or_(*told)))


def _spellings(subject: str) -> set[str]:
    in_json = {json.dumps(subject), json.dumps(subject, ensure_ascii=False)}
    in_query = {quote_plus(subject), quote(subject, safe="")}
    return in_json | {f"={name}{end}" for name in in_query for end in '"&'}
