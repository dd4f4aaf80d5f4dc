"""`signing.place`: a credential in its place, or nothing at all."""

import json
from base64 import b64decode
from urllib.parse import parse_qsl, quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bailee.errors import BadInput, CredentialClosed
from bailee.model import Place, Placement, PlaceScheme
from bailee.secret import Secret
from bailee.signing.credential import parse_credential
from bailee.signing.place import (
    Placed,
    place,
    scheme_of,
    split_template,
)

HEADER = Placement(Place.HEADER, "Authorization", "Bearer {api_key}")
QUERY = Placement(Place.QUERY, "key", "{api_key}")
PATH = Placement(Place.PATH, "", "/bot{token}")
BASIC = Placement(Place.BASIC, "", "{user}:{password}")


def scheme(*placements: Placement) -> PlaceScheme:
    return scheme_of(placements)


def entered(**fields: object) -> bytes:
    return json.dumps(fields, ensure_ascii=False).encode()


PLACED = {
    "a bearer header": ([HEADER], {"api_key": "k-1"}, (b"Authorization: Bearer k-1\r\n", b"", b"")),
    "a query parameter": ([QUERY], {"api_key": "k-1"}, (b"", b"key=k-1", b"")),
    "a query value is percent-encoded": (
        [QUERY],
        {"api_key": "a&b=c d%/?#é"},
        (b"", b"key=a%26b%3Dc%20d%25%2F%3F%23%C3%A9", b""),
    ),
    "a path prefix keeps the colon": (
        [PATH],
        {"token": "123:AB-c_d"},
        (b"", b"", b"/bot123:AB-c_d"),
    ),
    "a path prefix encodes what no path may have": (
        [PATH],
        {"token": 'a b"c'},
        (b"", b"", b"/bota%20b%22c"),
    ),
    "basic": (
        [BASIC],
        {"user": "u", "password": "p:q"},
        (b"Authorization: Basic dTpwOnE=\r\n", b"", b""),
    ),
    "basic with an empty password in the template": (
        [Placement(Place.BASIC, "", "{api_key}:")],
        {"api_key": "k"},
        (b"Authorization: Basic azo=\r\n", b"", b""),
    ),
    "basic with characters outside ASCII": (
        [BASIC],
        {"user": "ü", "password": "ß"},
        (b"Authorization: Basic w7w6w58=\r\n", b"", b""),
    ),
    "a per cent sign in a value and a template is only that": (
        [Placement(Place.HEADER, "X-Key", "100% {api_key} %s")],
        {"api_key": "%(api_key)s"},
        (b"X-Key: 100% %(api_key)s %s\r\n", b"", b""),
    ),
    "several places in the order of the file": (
        [
            Placement(Place.HEADER, "X-A", "{a}"),
            Placement(Place.HEADER, "X-B", "{b}{a}"),
            Placement(Place.QUERY, "a", "{a}"),
            Placement(Place.QUERY, "b", "v-{b}"),
        ],
        {"b": "2", "a": "1"},
        (b"X-A: 1\r\nX-B: 21\r\n", b"a=1&b=v-2", b""),
    ),
}


@pytest.mark.parametrize("case", PLACED.values(), ids=PLACED.keys())
def test_place_writes_exactly_what_the_template_says(
    case: tuple[list[Placement], dict[str, str], tuple[bytes, bytes, bytes]],
) -> None:
    """A valid credential stands where the template has its field, and nowhere else."""
    placements, fields, (headers, query, prefix) = case
    of = scheme(*placements)
    credential = parse_credential(of, entered(**fields))
    assert place(of, credential) == Placed(headers, query, prefix)


REFUSED_PLACES = {
    "a line break": (HEADER, b'{"api_key":"x\\r\\nHost: evil"}'),
    "a null byte": (HEADER, b'{"api_key":"x\\u0000"}'),
    "not ASCII in a header": (HEADER, '{"api_key":"é"}'.encode()),
    "empty in a header": (HEADER, b'{"api_key":""}'),
    "a field missing": (HEADER, b'{"key":"x"}'),
    "a field too many": (HEADER, b'{"api_key":"x","other":"y"}'),
    "a number": (HEADER, b'{"api_key":1}'),
    "no JSON": (HEADER, b"x"),
    "not UTF-8": (HEADER, b'{"api_key":"\xff"}'),
    "nothing": (HEADER, b""),
    "a colon in the user": (BASIC, b'{"user":"a:b","password":"p"}'),
    "a slash in a path": (PATH, b'{"token":"a/b"}'),
    "an escape in a path": (PATH, b'{"token":"a%2fb"}'),
    "dots in a path": (Placement(Place.PATH, "", "/{token}"), b'{"token":".."}'),
    "a control character in a path": (PATH, b'{"token":"a\\nb"}'),
}


@pytest.mark.parametrize("case", REFUSED_PLACES.values(), ids=REFUSED_PLACES.keys())
def test_place_refuses_what_was_not_checked_on_entry(case: tuple[Placement, bytes]) -> None:
    """A sealed text that no entry would have let through is not placed either."""
    placement, opened = case
    with pytest.raises(CredentialClosed) as caught:
        place(scheme(placement), Secret(opened))
    assert "evil" not in caught.value.detail


TEMPLATES = {
    "{a}": ("", "a", ""),
    "Bearer {api_key}": ("Bearer ", "api_key", ""),
    "{a1}:{b_2}": ("", "a1", ":", "b_2", ""),
}


@pytest.mark.parametrize(("template", "parts"), TEMPLATES.items())
def test_split_template_finds_the_fields(template: str, parts: tuple[str, ...]) -> None:
    """Literals and fields take turns."""
    assert split_template(template) == parts


@pytest.mark.parametrize(
    "template",
    ["", "constant", "{", "}", "{}", "{A}", "{1a}", "{a", "a}", "{{a}}", "{a}}", "{a.b}", "{a!r}",
     "{a:>9}", "{ a}", "{_a}", "{" + "a" * 41 + "}"],
)  # fmt: skip
def test_split_template_refuses(template: str) -> None:
    """There is no second way to write a field, and no format language."""
    with pytest.raises(BadInput):
        split_template(template)


def test_placed_prints_as_nothing() -> None:
    """A log line with a Placed in it has no credential in it."""
    of = scheme(HEADER, PATH)
    shown = repr(place(of, parse_credential(of, entered(api_key="k-1", token="t-1"))))
    assert shown == "Placed(...)"


ANY_TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40)
PRINTABLE = st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=40)
VISIBLE = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)
IN_A_PATH = VISIBLE.filter(lambda text: not set(text) & set("/\\%?#;"))


@given(VISIBLE | ANY_TEXT, IN_A_PATH | ANY_TEXT, PRINTABLE | ANY_TEXT, PRINTABLE | ANY_TEXT)
def test_what_can_be_entered_can_be_placed(key: str, token: str, user: str, password: str) -> None:
    """Entry accepts only what placing accepts, and what is placed reads back as it was entered."""
    of = scheme(Placement(Place.HEADER, "X-Key", "{key}"), PATH, BASIC,
                Placement(Place.QUERY, "q", "{password}"))  # fmt: skip
    try:
        credential = parse_credential(
            of, entered(key=key, token=token, user=user, password=password)
        )
    except BadInput:
        return
    placed = place(of, credential)
    first, second, rest = placed.headers.split(b"\r\n")
    assert first == b"X-Key: " + key.encode("ascii")
    assert b64decode(second.removeprefix(b"Authorization: Basic ")).decode() == f"{user}:{password}"
    assert rest == b""
    assert parse_qsl(placed.query.decode(), keep_blank_values=True) == [("q", password)]
    assert placed.path_prefix.count(b"/") == 1


@given(st.binary(max_size=60))
def test_no_opened_bytes_break_a_header_line(opened: bytes) -> None:
    """Whatever was sealed: one line, or CredentialClosed."""
    for text in (opened, b'{"api_key":"' + opened + b'"}'):
        try:
            placed = place(scheme(HEADER), Secret(text))
        except CredentialClosed:
            continue
        assert placed.headers.count(b"\r") == placed.headers.count(b"\n") == 1
        assert placed.headers.endswith(b"\r\n") and placed.headers.isascii()


@given(st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=30))
def test_plain_values_are_not_changed(value: str) -> None:
    """Letters and digits stand in every place as they are."""
    of = scheme(HEADER, QUERY, Placement(Place.PATH, "", "/k{api_key}"))
    placed = place(of, parse_credential(of, entered(api_key=value)))
    assert placed.query == f"key={quote(value)}".encode()
    assert placed.path_prefix == f"/k{value}".encode()
