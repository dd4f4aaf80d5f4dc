"""Egress addresses as published: signed, active or retired."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from bailee.model import EgressAddress, EgressId, EgressState, Signed
from bailee.store import schema

_table = schema.egress_addresses


@dataclass(frozen=True, slots=True)
class StoredEgress:
    """The columns of an address beside its signed statement, which alone is to be believed."""

    address: EgressAddress
    signed: Signed
    created_at: float


def insert(conn: sa.Connection, egress: StoredEgress) -> None:
    """Store an address; an id that exists, or a name that an active one has, is a Conflict."""
    address = egress.address
    conn.execute(
        sa.insert(_table).values(
            id=address.id,
            name=address.name,
            public=address.public,
            state=address.state,
            serial=address.serial,
            payload=egress.signed.payload,
            signature=egress.signed.signature,
            created_at=egress.created_at,
        )
    )


def update(conn: sa.Connection, address: EgressAddress, signed: Signed) -> bool:
    """Replace the statement of an address by its next one; False unless it is the next."""
    changed = conn.execute(
        sa.update(_table)
        .where(_table.c.id == address.id, _table.c.serial == address.serial - 1)
        .values(
            name=address.name,
            public=address.public,
            state=address.state,
            serial=address.serial,
            payload=signed.payload,
            signature=signed.signature,
        )
    )
    return changed.rowcount == 1


def find(conn: sa.Connection, egress: EgressId) -> StoredEgress | None:
    """Find an address by its id."""
    row = conn.execute(sa.select(_table).where(_table.c.id == egress)).one_or_none()
    return None if row is None else _egress(row)


def list_all(conn: sa.Connection) -> list[StoredEgress]:
    """List every address, the oldest first. There are as many as an operator can publish: few."""
    rows = conn.execute(sa.select(_table).order_by(_table.c.created_at, _table.c.id))
    return [_egress(row) for row in rows]


def _egress(row: sa.Row[Any]) -> StoredEgress:
    address = EgressAddress(
        EgressId(row.id), row.name, row.public, EgressState(row.state), row.serial
    )
    return StoredEgress(address, Signed(row.payload, row.signature), row.created_at)
