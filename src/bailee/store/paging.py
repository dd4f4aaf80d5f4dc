"""Lists are read in pages, in the order of their ids."""

from typing import Any

import sqlalchemy as sa


def paged(
    statement: "sa.Select[Any]", column: "sa.ColumnElement[str]", after: str | None, limit: int
) -> "sa.Select[Any]":
    """Cut a page out of a select: at most `limit` rows whose `column` is beyond `after`."""
    if after is not None:
        statement = statement.where(column > after)
    return statement.order_by(column).limit(limit)
