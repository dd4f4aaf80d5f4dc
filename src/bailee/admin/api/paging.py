"""Every list is paged in the same way: `after` and `limit` in the query, `next` in the answer."""

from typing import Annotated

from fastapi import Query

from bailee.manage.forms import PAGE_LIMIT

After = Annotated[
    str | None,
    Query(max_length=512, description="`next` of the page before; absent for the first."),
]
Limit = Annotated[int, Query(ge=1, le=PAGE_LIMIT, description="How many items a page may have.")]
DEFAULT_LIMIT = 100
