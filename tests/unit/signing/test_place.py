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
from bailee.signing.place import (
    CREDENTIAL_MAX_BYTES,
    VALUE_MAX_CHARS,
    Placed,
    parse_credential,
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


def test_parse_credential_is_canonical() -> None:
    """Order and spaces of what was typed do not reach the sealed bytes."""
    of = scheme(BASIC)
    text = b' { "user" : "u",\n "password":"p" } '
    assert parse_credential(of, text).reveal() == b'{"password":"p","user":"u"}'


REFUSED_ENTRIES = {
    "no JSON": (HEADER, b"sk_live_1"),
    "two objects": (HEADER, b'{"api_key":"x"}{}'),
    "a list": (HEADER, b'["x"]'),
    "a string": (HEADER, b'"x"'),
    "not UTF-8": (HEADER, b'{"api_key":"\xff"}'),
    "UTF-16": (HEADER, '{"api_key":"x"}'.encode("utf-16")),
    "nested too deeply": (HEADER, b'{"api_key":' + b"[" * 20_000 + b"]" * 20_000 + b"}"),
    "missing": (HEADER, b"{}"),
    "surplus": (HEADER, b'{"api_key":"x","api_secret":"y"}'),
    "another name": (HEADER, b'{"key":"x"}'),
    "a name in other case": (HEADER, b'{"API_KEY":"x"}'),
    "twice": (HEADER, b'{"api_key":"x","api_key":"y"}'),
    "a number": (HEADER, b'{"api_key":1}'),
    "null": (HEADER, b'{"api_key":null}'),
    "an object": (HEADER, b'{"api_key":{"api_key":"x"}}'),
    "empty": (HEADER, b'{"api_key":""}'),
    "too long": (HEADER, entered(api_key="x" * (VALUE_MAX_CHARS + 1))),
    "too large": (HEADER, b'{"api_key":"x"}' + b" " * CREDENTIAL_MAX_BYTES),
    "a line break at the end": (HEADER, entered(api_key="x\n")),
    "a header injected": (HEADER, entered(api_key="x\r\nHost: evil")),
    "a tab": (HEADER, entered(api_key="x\ty")),
    "a null byte": (HEADER, entered(api_key="x\0")),
    "DEL": (HEADER, entered(api_key="x\x7f")),
    "C1": (QUERY, entered(api_key="x\x85")),
    "a lone surrogate": (QUERY, b'{"api_key":"\\ud800"}'),
    "not ASCII in a header": (HEADER, entered(api_key="schlüssel")),
    "a space at the end in a header": (HEADER, entered(api_key="x ")),
    "a control character in a query": (QUERY, entered(api_key="x\n")),
    "a control character in basic": (BASIC, entered(user="u", password="p\n")),
    "a colon in the user of basic": (BASIC, entered(user="u:v", password="p")),
    "a slash in a path": (PATH, entered(token="1/../admin")),
    "a backslash in a path": (PATH, entered(token="1\\2")),
    "an escape in a path": (PATH, entered(token="1%2f2")),
    "a query in a path": (PATH, entered(token="1?x=y")),
    "a fragment in a path": (PATH, entered(token="1#x")),
    "a path parameter in a path": (PATH, entered(token="1;x")),
    "dots that are a whole segment": (Placement(Place.PATH, "", "/{token}"), entered(token="..")),
    "one dot that is a whole segment": (
        Placement(Place.PATH, "", "/x/{token}/y"),
        entered(token="."),
    ),
}


@pytest.mark.parametrize("case", REFUSED_ENTRIES.values(), ids=REFUSED_ENTRIES.keys())
def test_parse_credential_refuses(case: tuple[Placement, bytes]) -> None:
    """What does not fit is refused when it is entered."""
    placement, text = case
    with pytest.raises(BadInput):
        parse_credential(scheme(placement), text)


def test_parse_credential_names_all_faults_and_no_value() -> None:
    """All faults come at once, by field; no value and no strange name is repeated."""
    of = scheme(HEADER, BASIC)
    text = entered(api_key="sk-secret\n", user="geheim:1", surplus="s3cr3t", **{"sk_LIVE-9": "x"})
    with pytest.raises(BadInput) as caught:
        parse_credential(of, text)
    said = f"{caught.value.detail} {caught.value.hint}"
    for name in (
        "password is missing",
        "surplus is not",
        "api_key holds",
        "user holds",
        "1 surplus",
    ):
        assert name in said
    for value in ("sk-secret", "geheim", "s3cr3t", "sk_LIVE-9"):
        assert value not in said


def test_parse_credential_does_not_chain_the_parser_error() -> None:
    """The JSON parser's error holds the whole document; it must not hang on ours."""
    with pytest.raises(BadInput) as caught:
        parse_credential(scheme(HEADER), b'{"api_key": "sk-secret"')
    assert caught.value.__context__ is None and caught.value.__cause__ is None


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
