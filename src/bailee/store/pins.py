"""Signed pin sets, one a serial of an origin."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from bailee.model import ProviderId, Signed
from bailee.store import schema

_table = schema.pin_sets


@dataclass(frozen=True, slots=True)
class StoredPinSet:
    """A signed pin set. The pins stand in the payload alone."""

    provider: ProviderId
    origin: str
    serial: int
    signed: Signed
    approved_at: float


def insert(conn: sa.Connection, pins: StoredPinSet) -> None:
    """Store a signed pin set; a serial that exists is a Conflict."""
    conn.execute(
        sa.insert(_table).values(
            provider_id=pins.provider,
            origin=pins.origin,
            serial=pins.serial,
            payload=pins.signed.payload,
            signature=pins.signed.signature,
            approved_at=pins.approved_at,
        )
    )


def newest(conn: sa.Connection, provider: ProviderId, origin: str) -> StoredPinSet | None:
    """Find the pin set of an origin with the highest serial."""
    row = conn.execute(
        sa.select(_table)
        .where(_table.c.provider_id == provider, _table.c.origin == origin)
        .order_by(_table.c.serial.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else _pins(row)


def list_newest(conn: sa.Connection, provider: ProviderId | None = None) -> list[StoredPinSet]:
    """List the newest set of each origin, of one provider or of all: a few for each provider."""
    newest_of = sa.select(
        _table.c.provider_id, _table.c.origin, sa.func.max(_table.c.serial).label("serial")
    ).group_by(_table.c.provider_id, _table.c.origin)
    if provider is not None:
        newest_of = newest_of.where(_table.c.provider_id == provider)
    newest_sets = newest_of.subquery()
    same = sa.and_(
        newest_sets.c.provider_id == _table.c.provider_id,
        newest_sets.c.origin == _table.c.origin,
        newest_sets.c.serial == _table.c.serial,
    )
    rows = conn.execute(
        sa.select(_table).join(newest_sets, same).order_by(_table.c.provider_id, _table.c.origin)
    )
    return [_pins(row) for row in rows]


def _pins(row: sa.Row[Any]) -> StoredPinSet:
    return StoredPinSet(
        provider=ProviderId(row.provider_id),
        origin=row.origin,
        serial=row.serial,
        signed=Signed(row.payload, row.signature),
        approved_at=row.approved_at,
    )
