"""The address feed as the authority signed it, one a serial."""

from dataclasses import dataclass

import sqlalchemy as sa

from bailee.model import Signed
from bailee.store import schema

_table = schema.feeds


@dataclass(frozen=True, slots=True)
class StoredFeed:
    """A signed feed. The addresses stand in the payload alone."""

    serial: int
    signed: Signed
    created_at: float


def insert(conn: sa.Connection, serial: int, signed: Signed, now: float) -> None:
    """Store a signed feed; a serial that exists is a Conflict."""
    conn.execute(
        sa.insert(_table).values(
            serial=serial, payload=signed.payload, signature=signed.signature, created_at=now
        )
    )


def newest(conn: sa.Connection) -> StoredFeed | None:
    """Find the feed with the highest serial."""
    row = conn.execute(sa.select(_table).order_by(_table.c.serial.desc()).limit(1)).one_or_none()
    if row is None:
        return None
    return StoredFeed(row.serial, Signed(row.payload, row.signature), row.created_at)


def drop_below(conn: sa.Connection, serial: int) -> int:
    """Delete the feeds with a lower serial and return how many there were."""
    return conn.execute(sa.delete(_table).where(_table.c.serial < serial)).rowcount
