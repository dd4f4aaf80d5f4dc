"""What is sealed to which key of a tenant."""

import sqlalchemy as sa

from bailee.store import schema


def count_sealed(conn: sa.Connection) -> dict[str, int]:
    """Count the sealed versions of each key, by the key's id; keys without any are absent."""
    sealed = schema.sealed_versions
    rows = conn.execute(
        sa.select(sealed.c.key_id, sa.func.count().label("rows")).group_by(sealed.c.key_id)
    )
    return {row.key_id: row.rows for row in rows}
