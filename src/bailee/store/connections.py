"""Connections, their subjects and their sealed versions."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from bailee.model import (
    ConnectionId,
    ConnectionState,
    EgressId,
    ProviderId,
    SealedCredential,
    TenantId,
)
from bailee.secret import Secret
from bailee.store import schema
from bailee.store.paging import paged
from bailee.store.scope import Scope, within

_table = schema.connections
_sealed = schema.sealed_versions
_subjects = schema.subjects


@dataclass(frozen=True, slots=True)
class StoredConnection:
    """One subject's link to one provider, without its credential."""

    id: ConnectionId
    tenant: TenantId
    provider: ProviderId
    subject: str
    state: ConnectionState
    version: int
    egress: EgressId
    created_at: float
    revoked_at: float | None = None


@dataclass(frozen=True, slots=True)
class SealedFacts:
    """What may be shown of a sealed version: to what it was sealed, and when."""

    key_id: str
    trust_digest: bytes
    created_at: float


def subject_key(conn: sa.Connection, tenant: TenantId, subject: str) -> Secret | None:
    """Find the key under which a subject stands in the journal: 32 bytes."""
    key = conn.execute(
        sa.select(_subjects.c.journal_key).where(
            _subjects.c.tenant_id == tenant, _subjects.c.subject == subject
        )
    ).scalar_one_or_none()
    return None if key is None else Secret(key)


def insert_subject(conn: sa.Connection, tenant: TenantId, subject: str, key: Secret) -> None:
    """Store a subject with its journal key (32 bytes); one that exists is a Conflict."""
    insert_subjects(conn, tenant, {subject: key})


def insert_subjects(conn: sa.Connection, tenant: TenantId, keys: Mapping[str, Secret]) -> None:
    """Store subjects, at least one, each with its journal key; one that exists is a Conflict."""
    conn.execute(
        sa.insert(_subjects),
        [
            {"tenant_id": tenant, "subject": subject, "journal_key": key.reveal()}
            for subject, key in keys.items()
        ],
    )


def insert(conn: sa.Connection, connection: StoredConnection) -> None:
    """Store a connection; its subject must exist, and an id that exists is a Conflict."""
    conn.execute(sa.insert(_table), [_row(connection)])


def insert_sealed(conn: sa.Connection, sealed: SealedCredential, now: float) -> None:
    """Store a sealed version; one that exists is a Conflict."""
    conn.execute(sa.insert(_sealed), [_sealed_row(sealed, now)])


def insert_many(
    conn: sa.Connection,
    added: Sequence[tuple[StoredConnection, SealedCredential]],
    now: float,
) -> None:
    """Store connections with their first sealed versions; their subjects must exist.

    An id that exists is a Conflict of all.
    """
    conn.execute(sa.insert(_table), [_row(connection) for connection, _ in added])
    conn.execute(sa.insert(_sealed), [_sealed_row(sealed, now) for _, sealed in added])


def find_taken(
    conn: sa.Connection, tenant: TenantId, ids: Collection[ConnectionId]
) -> dict[ConnectionId, StoredConnection | None]:
    """Tell which ids exist already, of a few hundred: another tenant's connection is None."""
    found = conn.execute(sa.select(_table).where(_table.c.id.in_(ids)))
    return {
        ConnectionId(row.id): _connection(row) if row.tenant_id == tenant else None for row in found
    }


def known_subjects(conn: sa.Connection, tenant: TenantId, names: Collection[str]) -> set[str]:
    """Tell which subjects exist already, of a few hundred."""
    wanted = sa.select(_subjects.c.subject).where(
        _subjects.c.tenant_id == tenant, _subjects.c.subject.in_(names)
    )
    return set(conn.execute(wanted).scalars())


def sealed_facts(
    conn: sa.Connection, tenant: TenantId, connection: ConnectionId, version: int
) -> SealedFacts | None:
    """Find what may be shown of a sealed version of a tenant's connection."""
    row = conn.execute(
        sa.select(_sealed.c.key_id, _sealed.c.trust_digest, _sealed.c.created_at)
        .join(_table, _table.c.id == _sealed.c.connection_id)
        .where(
            _table.c.tenant_id == tenant,
            _sealed.c.connection_id == connection,
            _sealed.c.version == version,
        )
    ).one_or_none()
    return None if row is None else SealedFacts(row.key_id, row.trust_digest, row.created_at)


def drop_sealed(conn: sa.Connection, connection: ConnectionId, below: int) -> None:
    """Delete the sealed versions of a connection that are lower than `below`."""
    conn.execute(
        sa.delete(_sealed).where(_sealed.c.connection_id == connection, _sealed.c.version < below)
    )


def find(
    conn: sa.Connection, tenant: TenantId, connection: ConnectionId
) -> StoredConnection | None:
    """Find a tenant's connection."""
    row = conn.execute(
        sa.select(_table).where(_table.c.tenant_id == tenant, _table.c.id == connection)
    ).one_or_none()
    return None if row is None else _connection(row)


def list_page(
    conn: sa.Connection,
    scope: Scope,
    *,
    provider: ProviderId | None = None,
    subject: str | None = None,
    state: ConnectionState | None = None,
    revoked_since: float | None = None,
    after: str | None,
    limit: int,
) -> list[StoredConnection]:
    """List the connections of a scope in the order of their ids; each filter given must fit."""
    wanted = sa.select(_table).where(within(_table.c.tenant_id, scope))
    if provider is not None:
        wanted = wanted.where(_table.c.provider_id == provider)
    if subject is not None:
        wanted = wanted.where(_table.c.subject == subject)
    if state is not None:
        wanted = wanted.where(_table.c.state == state)
    if revoked_since is not None:
        wanted = wanted.where(_table.c.revoked_at >= revoked_since)
    return [_connection(row) for row in conn.execute(paged(wanted, _table.c.id, after, limit))]


def set_version(
    conn: sa.Connection, tenant: TenantId, connection: ConnectionId, version: int
) -> bool:
    """Make `version` the current one; False unless an active connection is one version behind."""
    changed = conn.execute(
        sa.update(_table)
        .where(
            _table.c.tenant_id == tenant,
            _table.c.id == connection,
            _table.c.state == ConnectionState.ACTIVE,
            _table.c.version == version - 1,
        )
        .values(version=version)
    )
    return changed.rowcount == 1


def count_by_egress(conn: sa.Connection) -> dict[EgressId, int]:
    """Count the active connections of every tenant on each egress address that has any."""
    rows = conn.execute(
        sa.select(_table.c.egress_id, sa.func.count().label("connections"))
        .where(_table.c.state == ConnectionState.ACTIVE)
        .group_by(_table.c.egress_id)
    )
    return {EgressId(row.egress_id): row.connections for row in rows}


def _row(connection: StoredConnection) -> dict[str, object]:
    return {
        "id": connection.id,
        "tenant_id": connection.tenant,
        "provider_id": connection.provider,
        "subject": connection.subject,
        "state": connection.state,
        "version": connection.version,
        "egress_id": connection.egress,
        "created_at": connection.created_at,
        "revoked_at": connection.revoked_at,
    }


def _sealed_row(sealed: SealedCredential, now: float) -> dict[str, object]:
    return {
        "connection_id": sealed.connection,
        "version": sealed.version,
        "key_id": sealed.key_id,
        "trust_digest": sealed.trust_digest,
        "ciphertext": sealed.ciphertext,
        "created_at": now,
    }


def _connection(row: sa.Row[Any]) -> StoredConnection:
    return StoredConnection(
        id=ConnectionId(row.id),
        tenant=TenantId(row.tenant_id),
        provider=ProviderId(row.provider_id),
        subject=row.subject,
        state=ConnectionState(row.state),
        version=row.version,
        egress=EgressId(row.egress_id),
        created_at=row.created_at,
        revoked_at=row.revoked_at,
    )
