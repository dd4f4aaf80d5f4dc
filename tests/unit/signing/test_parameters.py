"""`signing.parameters`: ours in, the caller's own out, and everything else as it was."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bailee.errors import UnsignableRequest
from bailee.signing.parameters import (
    append_parameter,
    edit_json,
    edit_parameters,
    is_form,
    is_json,
    percent_encoded,
)

OWN = {b"time": b"2", b"sig": None}
EDITED = {
    "nothing": (b"", b"", set()),
    "nothing of ours": (b"a=1&&b&c=%20+x", b"a=1&&b&c=%20+x", set()),
    "replaced in place": (b"a=1&time=1&b=2", b"a=1&time=2&b=2", {b"time"}),
    "taken out": (b"a=1&sig=x&b=2", b"a=1&b=2", {b"sig"}),
    "both": (b"sig=x&time=1", b"time=2", {b"sig", b"time"}),
    "with an escape in its name": (b"%74ime=1&a=1", b"time=2&a=1", {b"time"}),
    "without a value": (b"time&sig", b"time=2", {b"sig", b"time"}),
    "a longer name is another": (b"times=1&sig2=x&xtime=3", b"times=1&sig2=x&xtime=3", set()),
    "another case is another": (b"Time=1", b"Time=1", set()),
}


@pytest.mark.parametrize(("before", "after", "seen"), EDITED.values(), ids=EDITED.keys())
def test_edit_parameters(before: bytes, after: bytes, seen: set[bytes]) -> None:
    """Ours is found however its name is written; nothing else changes a byte."""
    edited = edit_parameters(before, OWN)
    assert (edited.encoded, edited.seen) == (after, seen)


@pytest.mark.parametrize("twice", [b"time=1&time=1", b"sig=x&a=1&sig=y", b"time=1&t%69me=2"])
def test_edit_parameters_refuses_ours_twice(twice: bytes) -> None:
    """Nobody knows which of the two an API reads."""
    with pytest.raises(UnsignableRequest, match="stands there twice"):
        edit_parameters(twice, OWN)


def test_append_parameter_begins_a_query() -> None:
    """The first has no separator before it."""
    assert append_parameter(append_parameter(b"", b"a", b"1"), b"b", b"2") == b"a=1&b=2"


def test_percent_encoded_leaves_what_needs_no_escape() -> None:
    """Everything but letters, digits and -._~ is escaped."""
    assert percent_encoded(b"Az09-._~") == b"Az09-._~"
    assert percent_encoded(b"a+/= \xc3\xa9") == b"a%2B%2F%3D%20%C3%A9"


def test_media_types_are_told_apart() -> None:
    """Case and parameters do not count."""
    assert is_form(b"Application/X-WWW-Form-urlencoded; charset=utf-8")
    assert is_json(b"application/json;charset=utf-8") and is_json(b"application/problem+json")
    assert not is_form(b"application/json") and not is_json(b"text/json") and not is_json(b"")


MINE = {"nonce": "7", "sig": None}
JSONS = {
    "empty": (b"", b'{"nonce":"7"}'),
    "no members": (b" { } ", b'{"nonce":"7"}'),
    "replaced in place": (b'{"a":1,"nonce":"1","b":2}', b'{"a":1,"nonce":"7","b":2}'),
    "a number stays one": (b'{"nonce":1,"a":2}', b'{"nonce":7,"a":2}'),
    "true is no number": (b'{"nonce":true}', b'{"nonce":"7"}'),
    "appended": (b'{"a":1}', b'{"a":1,"nonce":"7"}'),
    "taken out": (b'{"sig":{"x":[1]},"a":1}', b'{"a":1,"nonce":"7"}'),
    "an escape in the name": (b'{"n\\u006fnce":"1"}', b'{"nonce":"7"}'),
    "members keep their bytes": (
        b'{ "a" : 1.00 , "b":[1, {"nonce":1}],\n"c":"\\u00e9\xc3\xa9","nonce":"1" }',
        b'{"a" : 1.00,"b":[1, {"nonce":1}],"c":"\\u00e9\xc3\xa9","nonce":"7"}',
    ),
}


@pytest.mark.parametrize(("before", "after"), JSONS.values(), ids=JSONS.keys())
def test_edit_json(before: bytes, after: bytes) -> None:
    """Ours is replaced at the top; what stands deeper is the caller's."""
    assert edit_json(before, MINE) == after


@pytest.mark.parametrize(
    "body",
    [b"[]", b"1", b"x", b"{", b'{"a"}', b'{"a":1', b'{"a":1,}', b'{"a":1 "b":2}', b'{1:2}',
     b'{"a":1}x', b'{"a":1}{}', b"\xff", b'{"a":' + b"[" * 20_000, b"{'a':1}", b'{,}'],
)  # fmt: skip
def test_edit_json_refuses_what_is_no_object(body: bytes) -> None:
    """What is not one JSON object is not signed, and the parser's error does not hang on ours."""
    with pytest.raises(UnsignableRequest) as caught:
        edit_json(body, MINE)
    assert caught.value.__context__ is None


def test_edit_json_refuses_ours_twice() -> None:
    """As in a form."""
    with pytest.raises(UnsignableRequest, match="nonce stands there twice"):
        edit_json(b'{"nonce":1,"nonce":2}', MINE)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=6).filter(lambda n: n not in MINE), VALUES, max_size=5))
def test_edit_json_changes_no_meaning(members: dict[str, object]) -> None:
    """Whatever the caller's members are: they are read as before, and ours stands beside them."""
    for separators in ((",", ":"), (" , ", " : ")):
        body = json.dumps(members, separators=separators).encode()
        assert json.loads(edit_json(body, MINE)) == members | {"nonce": "7"}
