"""The journal's chains and checkpoints, as the database remembers them."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from bailee.errors import NotFound
from bailee.model import Signed
from bailee.store import schema
from bailee.store.engine import Store
from bailee.store.paging import paged

_table = schema.journal_chains
_checkpoints = schema.journal_checkpoints


@dataclass(frozen=True, slots=True)
class StoredChain:
    """A chain that was begun; the head (hash in 64 hex digits) is None until one was stored."""

    id: str
    role: str
    file: str
    started_at: float
    head_seq: int | None = None
    head_hash: str | None = None
    head_at: float | None = None
    closed_at: float | None = None


@dataclass(frozen=True, slots=True)
class StoredCheckpoint:
    """A signed statement of every chain's head."""

    id: int
    signed: Signed
    created_at: float


class ChainRows:
    """Where the journal of one process makes its chains known. Any thread may call it."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def register(self, chain: str, role: str, file: str, started_at: float) -> None:
        """Note a chain before its file exists."""
        with self._store.write() as conn:
            register(conn, StoredChain(chain, role, file, started_at))

    def store_head(self, chain: str, seq: int, hash: str, at: float) -> None:
        """Note how far a chain has come."""
        with self._store.write() as conn:
            store_head(conn, chain, seq, hash, at)

    def close(self, chain: str, seq: int, hash: str, at: float) -> None:
        """Note the last line of a chain, which is its end record."""
        with self._store.write() as conn:
            close(conn, chain, seq, hash, at)


def register(conn: sa.Connection, chain: StoredChain) -> None:
    """Store a chain without a head; an id that exists is a Conflict."""
    conn.execute(
        sa.insert(_table).values(
            id=chain.id, role=chain.role, file=chain.file, started_at=chain.started_at
        )
    )


def store_head(conn: sa.Connection, chain: str, seq: int, hash: str, at: float) -> None:
    """Store a chain's head; one behind the stored head, or after the end, changes nothing.

    Raises:
        NotFound: No such chain was registered.
    """
    _advance(conn, chain, seq, head_seq=seq, head_hash=hash, head_at=at)


def close(conn: sa.Connection, chain: str, seq: int, hash: str, at: float) -> None:
    """Store the last head of a chain and that it ended.

    Raises:
        NotFound: No such chain was registered.
    """
    _advance(conn, chain, seq, head_seq=seq, head_hash=hash, head_at=at, closed_at=at)


def list_page(conn: sa.Connection, *, after: str | None, limit: int) -> list[StoredChain]:
    """List chains in the order of their ids."""
    rows = conn.execute(paged(sa.select(_table), _table.c.id, after, limit))
    return [_chain(row) for row in rows]


def insert_checkpoint(conn: sa.Connection, signed: Signed, now: float) -> None:
    """Store a signed checkpoint after all others."""
    conn.execute(
        sa.insert(_checkpoints).values(
            payload=signed.payload, signature=signed.signature, created_at=now
        )
    )


def list_checkpoints(
    conn: sa.Connection, *, after: int | None, limit: int
) -> list[StoredCheckpoint]:
    """List checkpoints in the order in which they were made."""
    rows = conn.execute(
        sa.select(_checkpoints)
        .where(_checkpoints.c.id > (after or 0))
        .order_by(_checkpoints.c.id)
        .limit(limit)
    )
    return [
        StoredCheckpoint(row.id, Signed(row.payload, row.signature), row.created_at) for row in rows
    ]


def _advance(conn: sa.Connection, chain: str, seq: int, **values: object) -> None:
    ahead = sa.or_(_table.c.head_seq.is_(None), _table.c.head_seq <= seq)
    changed = conn.execute(
        sa.update(_table)
        .where(_table.c.id == chain, ahead, _table.c.closed_at.is_(None))
        .values(**values)
    )
    if (
        changed.rowcount == 0
        and not conn.execute(sa.select(_table.c.id).where(_table.c.id == chain)).all()
    ):
        raise NotFound("this chain of the journal was never registered")


def _chain(row: sa.Row[Any]) -> StoredChain:
    return StoredChain(
        id=row.id,
        role=row.role,
        file=row.file,
        started_at=row.started_at,
        head_seq=row.head_seq,
        head_hash=row.head_hash,
        head_at=row.head_at,
        closed_at=row.closed_at,
    )
