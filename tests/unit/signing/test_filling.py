"""`signing.filling`: where the parts of a signature go."""

import pytest

from bailee.errors import UnsignableRequest
from bailee.model import Filling, Slot
from bailee.signing.filling import Draft, FillingPlan
from bailee.signing.request import Unsigned

FORM = b"application/x-www-form-urlencoded"
JSON = b"application/json"
EARLY = frozenset({"time"})
VALUES = {b"time": b"2", b"signature": b"a+b"}
PARAMETERS = FillingPlan.of(
    (Filling(Slot.PARAMETER, "time", "{time}"), Filling(Slot.PARAMETER, "sig", "{signature}")),
    EARLY,
)
MEMBERS = FillingPlan.of(
    (Filling(Slot.BODY, "time", "{time}"), Filling(Slot.BODY, "sig", "{signature}")), EARLY
)


def filled(
    plan: FillingPlan, method: str, query: bytes = b"", body: bytes = b"", type: bytes = b""
) -> tuple[bytes, bytes, bytes | None]:
    draft: Draft = plan.draft(Unsigned(method, b"/", query, body, type), VALUES)
    assert b"sig=" not in draft.query + draft.body and b'"sig"' not in draft.body
    return *plan.finish(draft, VALUES), draft.content_type


PUT_PARAMETERS = {
    "a read has a query": (("GET",), (b"time=2&sig=a%2Bb", b"", None)),
    "an own time is replaced in place, an own signature comes last": (
        ("GET", b"sig=x&time=1&a=1"), (b"time=2&a=1&sig=a%2Bb", b"", None),
    ),
    "a form takes them": (
        ("POST", b"q=1", b"a=1", FORM), (b"q=1", b"a=1&time=2&sig=a%2Bb", None),
    ),
    "unless the caller had them in the query": (
        ("POST", b"time=1&sig=x", b"a=1", FORM), (b"time=2&sig=a%2Bb", b"a=1", None),
    ),
    "a time in the query and a signature in the form stay there": (
        ("POST", b"time=1", b"a=1&sig=x", FORM), (b"time=2", b"a=1&sig=a%2Bb", None),
    ),
    "a write without a body has a query": (("POST",), (b"time=2&sig=a%2Bb", b"", None)),
    "JSON is left alone": (
        ("POST", b"", b'{"time":1}', JSON), (b"time=2&sig=a%2Bb", b'{"time":1}', None),
    ),
    "another type is left alone": (
        ("POST", b"", b"time=1", b"text/plain"), (b"time=2&sig=a%2Bb", b"time=1", None),
    ),
    "a form without a type is called one": (
        ("POST", b"", b"a=1&time=1"), (b"", b"a=1&time=2&sig=a%2Bb", FORM),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("given", "expected"), PUT_PARAMETERS.values(), ids=PUT_PARAMETERS.keys())
def test_parameters_go_where_the_caller_has_them(
    given: tuple[str, bytes, bytes, bytes], expected: tuple[bytes, bytes, bytes | None]
) -> None:
    """Query or form: as the caller did it, else the form where there is one."""
    assert filled(PARAMETERS, *given) == expected


PUT_MEMBERS = {
    "a form": (("POST", b"", b"a=1", FORM), (b"", b"a=1&time=2&sig=a%2Bb", None)),
    "an own form": (
        ("POST", b"", b"sig=x&time=1&a=1", FORM), (b"", b"time=2&a=1&sig=a%2Bb", None),
    ),
    "JSON": (
        ("POST", b"", b'{"sig":"x","a":1}', JSON), (b"", b'{"a":1,"time":"2","sig":"a+b"}', None),
    ),
    "no body becomes a form": (("POST",), (b"", b"time=2&sig=a%2Bb", FORM)),
    "no body becomes JSON where the type says so": (
        ("POST", b"", b"", JSON), (b"", b'{"time":"2","sig":"a+b"}', None),
    ),
    "a read stays without a body": (("GET", b"a=1", b"", JSON), (b"a=1", b"", None)),
    "so does a removal": (("DELETE",), (b"", b"", None)),
    "a removal with a body gets them": (
        ("DELETE", b"", b"a=1", FORM), (b"", b"a=1&time=2&sig=a%2Bb", None),
    ),
    "an object without a type is JSON": (
        ("POST", b"", b' {"a":1}'), (b"", b'{"a":1,"time":"2","sig":"a+b"}', None),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("given", "expected"), PUT_MEMBERS.values(), ids=PUT_MEMBERS.keys())
def test_members_go_into_form_or_json(
    given: tuple[str, bytes, bytes, bytes], expected: tuple[bytes, bytes, bytes | None]
) -> None:
    """The body's own form is kept; a write without one gets a form."""
    assert filled(MEMBERS, *given) == expected


REFUSED = {
    "a time in both": (PARAMETERS, ("POST", b"time=1", b"time=1", FORM)),
    "two times in the query": (PARAMETERS, ("GET", b"time=1&time=1")),
    "two signatures in the form": (PARAMETERS, ("POST", b"", b"sig=1&sig=2", FORM)),
    "two nonces in JSON": (MEMBERS, ("POST", b"", b'{"time":1,"time":2}', JSON)),
    "a list": (MEMBERS, ("POST", b"", b"[1]", JSON)),
    "a list without a type": (MEMBERS, ("POST", b"", b"[1]")),
    "neither a form nor JSON": (MEMBERS, ("POST", b"", b"x", b"multipart/form-data; boundary=b")),
    "nothing, called text": (MEMBERS, ("POST", b"", b"", b"text/plain")),
}


@pytest.mark.parametrize(("plan", "given"), REFUSED.values(), ids=REFUSED.keys())
def test_ambiguous_requests_are_refused(
    plan: FillingPlan, given: tuple[str, bytes, bytes, bytes]
) -> None:
    """What can be read in two ways is not signed."""
    with pytest.raises(UnsignableRequest):
        filled(plan, *given)
