"""Providers: signed records, one a serial, and the proposals that wait for approval."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from bailee.model import ProviderId, Signed
from bailee.store import schema
from bailee.store.paging import paged

_table = schema.providers
_proposals = schema.provider_proposals


@dataclass(frozen=True, slots=True)
class StoredProvider:
    """A signed provider record. What is true of the provider stands in the payload alone."""

    id: ProviderId
    serial: int
    signed: Signed
    approved_at: float


@dataclass(frozen=True, slots=True)
class StoredProposal:
    """A provider's canonical document that nobody has signed yet."""

    provider: ProviderId
    document: bytes
    proposed_at: float


def insert(conn: sa.Connection, provider: StoredProvider) -> None:
    """Store a signed record; a serial that exists is a Conflict."""
    conn.execute(
        sa.insert(_table).values(
            id=provider.id,
            serial=provider.serial,
            payload=provider.signed.payload,
            signature=provider.signed.signature,
            approved_at=provider.approved_at,
        )
    )


def newest(conn: sa.Connection, provider: ProviderId) -> StoredProvider | None:
    """Find the record of a provider with the highest serial."""
    row = conn.execute(
        sa.select(_table).where(_table.c.id == provider).order_by(_table.c.serial.desc()).limit(1)
    ).one_or_none()
    return None if row is None else _provider(row)


def list_page(conn: sa.Connection, *, after: str | None, limit: int) -> list[StoredProvider]:
    """List the newest record of each provider in the order of their ids."""
    newest_of = sa.select(_table.c.id, sa.func.max(_table.c.serial).label("serial"))
    newest_of = paged(newest_of.group_by(_table.c.id), _table.c.id, after, limit)
    page = newest_of.subquery()
    rows = conn.execute(
        sa.select(_table)
        .join(page, sa.and_(page.c.id == _table.c.id, page.c.serial == _table.c.serial))
        .order_by(_table.c.id)
    )
    return [_provider(row) for row in rows]


def propose(conn: sa.Connection, proposal: StoredProposal) -> None:
    """Store a proposal in the place of the provider's earlier one."""
    drop_proposal(conn, proposal.provider)
    conn.execute(
        sa.insert(_proposals).values(
            provider_id=proposal.provider,
            document=proposal.document,
            proposed_at=proposal.proposed_at,
        )
    )


def find_proposal(conn: sa.Connection, provider: ProviderId) -> StoredProposal | None:
    """Find what is proposed for a provider."""
    row = conn.execute(
        sa.select(_proposals).where(_proposals.c.provider_id == provider)
    ).one_or_none()
    return None if row is None else _proposal(row)


def list_proposals(conn: sa.Connection, *, after: str | None, limit: int) -> list[StoredProposal]:
    """List proposals in the order of their providers' ids."""
    rows = conn.execute(paged(sa.select(_proposals), _proposals.c.provider_id, after, limit))
    return [_proposal(row) for row in rows]


def drop_proposal(conn: sa.Connection, provider: ProviderId) -> None:
    """Delete what is proposed for a provider, if anything is."""
    conn.execute(sa.delete(_proposals).where(_proposals.c.provider_id == provider))


def _provider(row: sa.Row[Any]) -> StoredProvider:
    signed = Signed(row.payload, row.signature)
    return StoredProvider(ProviderId(row.id), row.serial, signed, row.approved_at)


def _proposal(row: sa.Row[Any]) -> StoredProposal:
    return StoredProposal(ProviderId(row.provider_id), row.document, row.proposed_at)
