"""The one row of the authority: its public half and its wrapped private half."""

from dataclasses import dataclass, field

import sqlalchemy as sa

from bailee.store import schema

_table = schema.authority


@dataclass(frozen=True, slots=True)
class StoredAuthority:
    """The authority as the database has it. The public half that counts stands in the config."""

    public: str
    wrapped_private: bytes = field(repr=False)


def insert(conn: sa.Connection, authority: StoredAuthority) -> None:
    """Store the authority; there is one, and a second one is a Conflict."""
    conn.execute(
        sa.insert(_table).values(
            id=1, public=authority.public, wrapped_private=authority.wrapped_private
        )
    )


def find(conn: sa.Connection) -> StoredAuthority | None:
    """Find the authority, None before `init`."""
    row = conn.execute(sa.select(_table.c.public, _table.c.wrapped_private)).one_or_none()
    return None if row is None else StoredAuthority(row.public, row.wrapped_private)
