"""Bytes that stay bytes, whatever someone wrote into the column.

SQLite keeps text in a column of bytes if it is told to, as `replace(payload, ...)` does. Such a row
must fail at its signature or its seal like any altered one, not with a TypeError on the way there.
"""

import sqlalchemy as sa


def as_bytes(value: object) -> bytes:
    """Return bytes as they are, text as UTF-8, and anything else as nothing."""
    if isinstance(value, bytes):
        return value
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else b""


class Blob(sa.TypeDecorator[bytes]):
    """A column of bytes."""

    impl = sa.LargeBinary
    cache_ok = True

    def process_result_value(self, value: object, dialect: sa.Dialect) -> bytes | None:
        """Give back bytes, or None for NULL."""
        return None if value is None else as_bytes(value)
