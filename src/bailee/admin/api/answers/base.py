"""The forms that all answers share: pages, statements, problems."""

import base64
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from bailee.admin.api.examples import Example, examples
from bailee.model import Signed

Item = TypeVar("Item")
Row = TypeVar("Row")
Time = Annotated[float, Field(description="Unix seconds.")]

STATEMENT: Example = {
    "payload": "eyJraW5kIjoiLi4uIn0=",
    "signature": "5CrTSKlQPgXJ1Ou1QgvCNhjzRbGRxy4Rc5x8vZPkQLnMEmTtEzXbZyKpXQZ9bq1o5kXl7SfU1c5Q"
    "yN3r0k8XBw==",
}


class Answer(BaseModel):
    """Exactly the named members, all of them present."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, json_schema_serialization_defaults_required=True
    )


class Page(Answer, Generic[Item]):
    """A page of a list. `next` goes into `after` for the following one; null on the last one."""

    items: list[Item]
    next: str | None


class SignedParts(Answer):
    """A statement of the authority in base64; nulls where there is none, or a false one."""

    model_config = examples(STATEMENT)

    payload: str | None
    signature: str | None


class Problem(BaseModel):
    """An error (RFC 9457). A 401 says no more than that a token is required."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:bailee:error:not-found",
                    "title": "no such thing",
                    "status": 404,
                    "code": "not-found",
                    "detail": "there is no such connection",
                    "fault": "caller",
                    "reached": "nothing",
                    "retryable": False,
                }
            ]
        },
    )

    type: str
    title: str
    status: int
    code: str = Field(description="One of docs/errors.md; also in the header `Bailee-Error`.")
    detail: str = ""
    hint: str = Field(default="", description="What to do about it.")
    fault: str = Field(default="", description="Who can mend it.")
    reached: str = ""
    retryable: bool = False


def signed_parts(signed: Signed | None) -> dict[str, Any]:
    """The members of a statement."""
    if signed is None:
        return {"payload": None, "signature": None}
    return {
        "payload": base64.b64encode(signed.payload).decode(),
        "signature": base64.b64encode(signed.signature).decode(),
    }


def page_of(
    items: Iterable[Row], make: Callable[[Row], Item], cursor: Callable[[Item], str], limit: int
) -> Page[Item]:
    """Make a page of rows that were read with a limit: a full one may have a follower."""
    made = [make(each) for each in items]
    return Page(items=made, next=cursor(made[-1]) if len(made) >= limit else None)


def cut_page(
    items: Sequence[Item], cursor: Callable[[Item], str], after: str | None, limit: int
) -> Page[Item]:
    """Cut a page out of a whole list that is always short, in its own order.

    A cursor that names nothing of the list stands for its end.
    """
    left = list(items)
    while after is not None and left:
        if cursor(left.pop(0)) == after:
            after = None
    cut = left[:limit]
    return Page(items=cut, next=cursor(cut[-1]) if len(left) > limit else None)
