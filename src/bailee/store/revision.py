"""The number that says whether anything the gateway reads has changed."""

import sqlalchemy as sa

from bailee.store import schema


def current(conn: sa.Connection) -> int:
    """Return the revision: it grows with every change of a row that the gateway relies on."""
    return int(conn.execute(sa.select(schema.revision.c.value)).scalar_one())
