"""Nonces: leased in blocks, so that none is used twice and none is lower than one before."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from bailee.errors import BadInput
from bailee.model import ConnectionId
from bailee.store import schema

COUNT_LIMIT: Final = 1_000_000_000
"""Enough for a second in nanoseconds."""
_HIGHEST: Final = 2**63 - 1
"""What a 64-bit integer of the database holds."""

_table = schema.nonces


def lease(conn: sa.Connection, connection: ConnectionId, at_least: int, count: int) -> range:
    """Lease the next `count` nonces of a connection, inside of a write transaction.

    Once that is committed, no other lease of the connection, of whatever process, has one of them
    or a lower one; not even when the clock that `at_least` comes from goes back. What a process
    leased and did not use before it died is lost, and nothing else. A commit waits for the disk:
    lease as many as a while needs.

    Args:
        conn: The writing connection; nothing of the lease may be used before its commit.
        connection: An existing one.
        at_least: No nonce is lower, as with one that tells the time.
        count: How many, at most 1,000,000,000.

    Raises:
        BadInput: `at_least` or `count` is out of range, or the connection has used up all nonces.
        Conflict: There is no such connection.
    """
    if not 0 <= at_least <= _HIGHEST or not 1 <= count <= COUNT_LIMIT:
        raise BadInput("a lease of nonces is out of range")
    # SQLite would turn a sum that is too large into a float, and a float would skip nonces.
    start = sa.func.max(_table.c.ceiling, at_least)
    wanted = (
        insert(_table)
        .values(connection_id=connection, ceiling=min(at_least, _HIGHEST - count) + count)
        .on_conflict_do_update(
            index_elements=[_table.c.connection_id],
            set_={"ceiling": start + count},
            where=start <= _HIGHEST - count,
        )
        .returning(_table.c.ceiling)
    )
    ceiling = conn.execute(wanted).scalar_one_or_none()
    if ceiling is None or ceiling - count < at_least:
        raise BadInput("the connection has used up its nonces")
    return range(ceiling - count, ceiling)
