"""`providers.load`: a provider's file is read whole or refused whole."""

import json
from dataclasses import replace
from typing import Any

import pytest

from bailee.errors import BadInput
from bailee.model import Origin, Place, Placement, Provider, Rule, TokenPlace
from bailee.providers.load import (
    FILE_MAX_CHARS,
    STANDARD_MULTIPLEXED,
    decode_provider,
    encode_provider,
    parse_provider,
)
from providers_samples import CA, FULL, MINIMAL, read_ca


def test_full_file_is_read() -> None:
    """Every key of a file arrives in its place, in canonical form."""
    provider = parse_provider(FULL, read_ca)
    assert (provider.id, provider.name, provider.category) == (
        "acme-exchange", "Acme Exchange", "exchange",
    )  # fmt: skip
    assert provider.headers == ("api-*", "x-request-id")
    assert provider.origins == (
        Origin("rest", "api.acme.test", 443, "::1", CA, True, "1.3"),
        Origin("futures", "futures.acme.test", 8443, None, None, False, "1.2"),
    )
    assert provider.auth.placements == (
        Placement(Place.HEADER, "API-Key", "{api_key}"),
        Placement(Place.QUERY, "sig", "v1-{api_secret}"),
    )
    assert provider.auth.fields == ("api_key", "api_secret")
    assert provider.caller_token == TokenPlace(Place.HEADER, "API-Key")
    assert provider.dummy_secret == "bm90IGEgc2VjcmV0"
    assert provider.deny == (Rule("POST", "/withdraw/**"),)
    assert provider.multiplexed == (Rule("POST", "/everything"),)


def test_minimal_file_has_defaults() -> None:
    """What is absent has a default that weakens nothing."""
    provider = parse_provider(MINIMAL, read_ca)
    assert (provider.name, provider.category, provider.headers) == ("acme", "other", ())
    assert provider.origins == (Origin("rest", "api.acme.test", 443),)
    assert provider.caller_token is None and provider.dummy_secret is None
    assert provider.deny == () and provider.multiplexed == STANDARD_MULTIPLEXED


def test_multiplexed_list_can_be_turned_off() -> None:
    """An explicit empty list is not an absent one."""
    assert parse_provider("multiplexed = []\n" + MINIMAL, read_ca).multiplexed == ()


def test_first_origin_of_the_file_is_the_default() -> None:
    """Without `default_origin` the order of the file decides."""
    text = FULL.replace('default_origin = "rest"', "")
    assert parse_provider(text, read_ca).origins[0].name == "futures"


SHORT_FORMS = {
    'header = "X-Key"\nvalue = "{k}"': Placement(Place.HEADER, "X-Key", "{k}"),
    'query = "key"\nvalue = "{k}"': Placement(Place.QUERY, "key", "{k}"),
    'path = "/bot{token}"': Placement(Place.PATH, "", "/bot{token}"),
    'basic = "{user}:{password}"': Placement(Place.BASIC, "", "{user}:{password}"),
    'basic = "{api_key}:"': Placement(Place.BASIC, "", "{api_key}:"),
    'header = "Cookie"\nvalue = "session={k}"': Placement(Place.HEADER, "Cookie", "session={k}"),
}


@pytest.mark.parametrize(("lines", "placement"), SHORT_FORMS.items())
def test_short_forms_of_auth(lines: str, placement: Placement) -> None:
    """The four places can be written without an array."""
    assert parse_provider(with_auth(lines), read_ca).auth.placements == (placement,)


URLS = {
    "https://a.test": ("a.test", 443),
    "https://a.test:8443": ("a.test", 8443),
    "https://API.A.Test": ("api.a.test", 443),
    "https://xn--bcher-kva.example": ("xn--bcher-kva.example", 443),
    "https://203.0.113.7": ("203.0.113.7", 443),
    "https://[2001:DB8::0:1]:444": ("2001:db8::1", 444),
    "https://localhost": ("localhost", 443),
}


@pytest.mark.parametrize(("url", "place"), URLS.items())
def test_urls_that_are_origins(url: str, place: tuple[str, int]) -> None:
    """An origin is https, a host and perhaps a port."""
    origin = parse_provider(with_url(url), read_ca).origins[0]
    assert (origin.host, origin.port) == place


@pytest.mark.parametrize(
    "url",
    ["", "http://a.test", "HTTPS://a.test", "https:/a.test", "https://", "https://a.test/",
     "https://a.test/v1", "https://a.test?x", "https://a.test#x", "https://u@a.test",
     "https://u:p@a.test", "https://a.test:", "https://a.test:0", "https://a.test:65536",
     "https://a.test:-1", "https://a.test:+1", "https://a.test:443:443", "https://a..test",
     "https://.a.test", "https://a.test.", "https://-a.test", "https://a-.test", "https://a_b.test",
     "https://bücher.example", "https://127.1", "https://0x7f000001", "https://2130706433",
     "https://127.0.0.01", "https://256.0.0.1", "https://a.0x1", "https://a.9", "https://[::1",
     "https://::1", "https://[fe80::1%25eth0]", "https://[127.0.0.1]x", "https://a.test\\\\@b.test",
     " https://a.test", "https://a.test ", "https://a.test\\n", "https://a.test%2f", "https://*.test",
     "wss://a.test", "https://" + "a" * 64 + ".test", "https://" + "a." * 127 + "test"],
)  # fmt: skip
def test_urls_that_are_not_origins(url: str) -> None:
    """Paths, users, other schemes, and every other spelling of an address are refused."""
    with pytest.raises(BadInput, match="url"):
        parse_provider(with_url(url), read_ca)


def with_url(url: str) -> str:
    return MINIMAL.replace("https://api.acme.test", url)


def with_auth(lines: str) -> str:
    head, _, _ = MINIMAL.partition("header =")
    return head + lines + "\n"


def with_origin(lines: str) -> str:
    return MINIMAL.replace("[auth]", lines + "\n[auth]")


TWO = '[[auth.place]]\nheader = "X-Key"\nvalue = "{a}"\n[[auth.place]]\n'

REFUSED: dict[str, tuple[str, str]] = {
    "no TOML": ("id =", "not TOML"),
    "too long": (MINIMAL + "#" * FILE_MAX_CHARS, "longer than"),
    "no id": (MINIMAL.replace('id = "acme"', ""), "id is missing"),
    "a number as id": (MINIMAL.replace('"acme"', "7"), "id must be a string"),
    "a capital in id": (MINIMAL.replace('"acme"', '"Acme"'), "id must"),
    "a short id": (MINIMAL.replace('"acme"', '"a"'), "id must"),
    "a long id": (MINIMAL.replace('"acme"', '"' + "a" * 42 + '"'), "id must"),
    "a line break in id": (MINIMAL.replace('"acme"', '"acme\\n"'), "id must"),
    "a control character in name": ('name = "a\\u001b[2J"\n' + MINIMAL, "name must"),
    "an empty name": ('name = ""\n' + MINIMAL, "name must"),
    "an odd category": ('category = "A B"\n' + MINIMAL, "category"),
    "an unknown key": ("surprise = 1\n" + MINIMAL, "surprise is not a known key"),
    "an unknown key in an origin": (with_origin("path = 1"), "origin.rest.path is not"),
    "an unknown key in auth": (MINIMAL + 'valu = "x"', "auth.valu is not"),
    "an unknown key in auth.place": (
        with_auth('[[auth.place]]\nheader = "A"\nvalue = "{a}"\nx = 1'),
        r"auth.place\[0\].x is not",
    ),
    "an unknown key in auth.caller": (
        MINIMAL + '[auth.caller]\ntoken = "header A"\nx = 1',
        "auth.caller.x is not",
    ),
    "an unknown key in deny": (MINIMAL + '[[deny]]\nrule = "GET /"\nx = 1', r"deny\[0\].x is not"),
    "a section of later work": (MINIMAL + "[schedule]\ncalls = 1", "schedule is not"),
    "no origin": (
        MINIMAL.replace('[origin.rest]\nurl = "https://api.acme.test"', ""),
        "origin",
    ),
    "origin as a value": ('origin = "x"\n' + with_auth('path = "/{a}"').replace(
        '[origin.rest]\nurl = "https://api.acme.test"', ""), "origin must be written"),
    "an odd name of an origin": (MINIMAL.replace("origin.rest", "origin.REST"), "origin.REST"),
    "two dashes in the name of an origin": (MINIMAL.replace("origin.rest", "origin.a--b"), "a--b"),
    "default_origin of nothing": ('default_origin = "ws"\n' + MINIMAL, "default_origin names"),
    "an address that is a name": (with_origin('address = "localhost"'), "address is not"),
    "an address with a zone": (with_origin('address = "fe80::1%eth0"'), "address is not"),
    "an address with a port": (with_origin('address = "127.0.0.1:443"'), "address is not"),
    "a short address": (with_origin('address = "127.1"'), "address is not"),
    "danger as a text": (with_origin('danger_private_addresses = "true"'), "true or false"),
    "danger as a number": (with_origin("danger_private_addresses = 1"), "true or false"),
    "old TLS": (with_origin('tls_minimum = "1.1"'), "tls_minimum must"),
    "TLS as a number": (with_origin("tls_minimum = 1.3"), "tls_minimum must"),
    "a missing CA file": (with_origin('ca_file = "other.pem"'), "ca_file can't be read"),
    "no auth": (MINIMAL.partition("[auth]")[0], "auth is missing"),
    "another scheme": (MINIMAL.replace('"place"', '"jwt"'), "scheme must be"),
    "no scheme": (MINIMAL.replace('scheme = "place"', ""), "scheme is missing"),
    "no place": (with_auth(""), "exactly one"),
    "two places in one": (with_auth('header = "A"\nquery = "b"\nvalue = "{a}"'), "exactly one"),
    "no value": (with_auth('header = "A"'), "value is missing"),
    "a value where none belongs": (with_auth('path = "/{a}"\nvalue = "x"'), "value is not a known"),
    "an empty list of places": (with_auth("place = []"), "1 to 8"),
    "too many places": (
        with_auth("".join(f'[[auth.place]]\nquery = "q{i}"\nvalue = "{{a}}"\n' for i in range(9))),
        "1 to 8",
    ),
    "short form beside places": (
        with_auth('header = "A"\n[[auth.place]]\nheader = "B"\nvalue = "{a}"'),
        "auth.header is not a known key",
    ),
    "a constant template": (with_auth('header = "A"\nvalue = "x"'), "at least one field"),
    "braces": (with_auth('header = "A"\nvalue = "{{a}}"'), "braces"),
    "a line break in a template": (with_auth('header = "A"\nvalue = "{a}\\r\\nHost: x"'), "ASCII"),
    "non-ASCII in a template": (with_auth('header = "A"\nvalue = "ü{a}"'), "ASCII"),
    "a space before a template": (with_auth('header = "A"\nvalue = " {a}"'), "space"),
    "the same header twice": (with_auth(TWO + 'header = "x-key"\nvalue = "{b}"'), "twice"),
    "the same parameter twice": (
        with_auth('[[auth.place]]\nquery = "q"\nvalue = "{a}"\n[[auth.place]]\nquery = "q"\n'
                  'value = "{b}"'),
        "twice",
    ),
    "basic beside authorization": (
        with_auth('[[auth.place]]\nheader = "authorization"\nvalue = "{a}"\n[[auth.place]]\n'
                  'basic = "{b}:"'),
        "twice",
    ),
    "two paths": (
        with_auth('[[auth.place]]\npath = "/{a}"\n[[auth.place]]\npath = "/{b}"'), "twice",
    ),
    "a query name with &": (with_auth('query = "a&b"\nvalue = "{a}"'), "parameter name"),
    "basic without a colon": (with_auth('basic = "{user}"'), "basic must have"),
    "a path without a slash": (with_auth('path = "bot{a}"'), "auth.path"),
    "a path with a slash at its end": (with_auth('path = "/bot{a}/"'), "auth.path"),
    "a path with two slashes": (with_auth('path = "//bot{a}"'), "auth.path"),
    "a path with dots": (with_auth('path = "/../{a}"'), "auth.path"),
    "a path with a query": (with_auth('path = "/bot{a}?x"'), "auth.path"),
    "a path with an escape": (with_auth('path = "/%2e/{a}"'), "auth.path"),
    "a path with a semicolon": (with_auth('path = "/a;b/{a}"'), "auth.path"),
    "a token of an unknown place": (MINIMAL + '[auth.caller]\ntoken = "body x"', "caller.token"),
    "a token without a name": (MINIMAL + '[auth.caller]\ntoken = "header"', "caller.token"),
    "a token in the path": (MINIMAL + '[auth.caller]\ntoken = "path x"', "caller.token"),
    "a token in Host": (MINIMAL + '[auth.caller]\ntoken = "header Host"', "caller.token"),
    "a token in odd basic": (MINIMAL + '[auth.caller]\ntoken = "basic both"', "caller.token"),
    "no token": (MINIMAL + '[auth.caller]\ndummy_secret = "x"', "caller.token is missing"),
    "an odd dummy": (
        MINIMAL + '[auth.caller]\ntoken = "header A"\ndummy_secret = "\\n"', "dummy_secret",
    ),
    "deny as a list of texts": ('deny = ["GET /"]\n' + MINIMAL, r"\[\[deny\]\]"),
    "a rule without a method": (MINIMAL + '[[deny]]\nrule = "/x"', r"deny\[0\].rule is refused"),
    "a rule of bodies": (MINIMAL + "[[deny]]\nrule = 'POST /x body $.a = 1'", r"rule is refused"),
    "a rule that is a number": (MINIMAL + "[[deny]]\nrule = 1", r"deny\[0\].rule must be"),
    "evidence without a date": (
        MINIMAL + '[[evidence]]\nof = "auth"\nsource = "x"\nseen = "soon"\nlevel = "observed"',
        "seen must be",
    ),
    "evidence of an unknown level": (
        MINIMAL + '[[evidence]]\nof = "auth"\nsource = "x"\nseen = 2026-01-01\nlevel = "sure"',
        "level must be",
    ),
    "evidence without a source": (
        MINIMAL + '[[evidence]]\nof = "auth"\nseen = 2026-01-01\nlevel = "observed"',
        "source is missing",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED.keys())
def test_files_that_are_refused(case: tuple[str, str]) -> None:
    """A fault is named by its key."""
    text, said = case
    with pytest.raises(BadInput, match=said):
        parse_provider(text, read_ca)


FORBIDDEN_HEADERS = (
    "Host", "Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "TE", "Trailer",
    "Upgrade", "Proxy-Authorization", "Proxy-Connection", "Expect", "Forwarded", "X-Forwarded-For",
    "X-Forwarded-Host", "X-Real-IP", "Via", "X-HTTP-Method-Override", "Bailee-Token",
)  # fmt: skip


@pytest.mark.parametrize("name", FORBIDDEN_HEADERS)
def test_no_credential_is_placed_in_a_header_that_frames_or_routes(name: str) -> None:
    """Framing, routing, forwarded-for and our own headers are no place for a credential."""
    with pytest.raises(BadInput, match="nothing is ever placed"):
        parse_provider(with_auth(f'header = "{name}"\nvalue = "{{a}}"'), read_ca)


@pytest.mark.parametrize(
    "name",
    [*FORBIDDEN_HEADERS, "Authorization", "Cookie", "X-Forwarded-*", "*", "a*b", "a**", "", "a b",
     "a:", "a\\r\\nb", "ä"],
)  # fmt: skip
def test_no_file_lets_such_a_header_through(name: str) -> None:
    """`headers` names single headers or a beginning, and never the forbidden ones."""
    with pytest.raises(BadInput, match="headers"):
        parse_provider(f'headers = ["{name}"]\n' + MINIMAL, read_ca)


@pytest.mark.parametrize("name", ["", "A B", "A:", "A\\n", "Ä", "(A)"])
def test_header_placements_are_tokens(name: str) -> None:
    """What is no token is no header."""
    with pytest.raises(BadInput, match="not a header name"):
        parse_provider(with_auth(f'header = "{name}"\nvalue = "{{a}}"'), read_ca)


CA_FILES = {
    "nothing": "",
    "a text": "hello",
    "a private key besides": CA + "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    "a cut certificate": CA.replace("-----END CERTIFICATE-----", ""),
    "not base64": "-----BEGIN CERTIFICATE-----\nAAA\n-----END CERTIFICATE-----\n",
}


@pytest.mark.parametrize("pem", CA_FILES.values(), ids=CA_FILES.keys())
def test_ca_files_that_are_refused(pem: str) -> None:
    """Only certificates; a private key that lies beside them is never stored."""
    with pytest.raises(BadInput, match="ca_file must hold"):
        parse_provider(FULL, lambda _: pem)


def test_ca_file_is_kept_without_comments() -> None:
    """What stands around the certificates, and how lines are broken, does not count."""
    body = CA.replace("\n", "\r\n") + "subject: x\r\n" + CA
    assert parse_provider(FULL, lambda _: body).origins[0].ca_pem == CA + CA


def test_all_faults_come_at_once() -> None:
    """Whoever mends a file should not have to try ten times."""
    text = """
    name = 1
    surprise = 1
    headers = ["host"]
    [origin.rest]
    url = "http://x"
    tls_minimum = "1.0"
    [auth]
    scheme = "place"
    header = "Host"
    value = "{a}"
    [[deny]]
    rule = "x"
    """
    with pytest.raises(BadInput) as caught:
        parse_provider(text, read_ca)
    for part in ("id is missing", "name must", "surprise", "'host'", "origin.rest.url",
                 "tls_minimum", "nothing is ever placed", "deny[0].rule"):  # fmt: skip
        assert part in caught.value.detail


# --- stored form ---------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [MINIMAL, FULL])
def test_encoded_provider_comes_back(text: str) -> None:
    """Encoding and decoding is the identity, and canonical."""
    provider = parse_provider(text, read_ca)
    encoded = encode_provider(provider)
    assert decode_provider(encoded) == provider
    assert encode_provider(decode_provider(encoded)) == encoded
    assert (
        encoded == json.dumps(json.loads(encoded), sort_keys=True, separators=(",", ":")).encode()
    )


ALTERED: dict[str, tuple[tuple[str | int, ...], Any]] = {
    "a path in the host": (("origins", 0, "host"), "api.acme.test/x"),
    "a capital in the host": (("origins", 0, "host"), "API.acme.test"),
    "a second spelling of an address as host": (("origins", 0, "host"), "0::1"),
    "no port": (("origins", 0, "port"), 0),
    "a port of another type": (("origins", 0, "port"), "443"),
    "old TLS": (("origins", 0, "tls_minimum"), "1.0"),
    "a name as address": (("origins", 0, "address"), "localhost"),
    "a key as CA": (("origins", 0, "ca_pem"), "-----BEGIN PRIVATE KEY-----"),
    "no origins": (("origins",), []),
    "a header with a line break": (("auth", "placements", 0, "name"), "A\r\nHost"),
    "Host as a place": (("auth", "placements", 0, "name"), "Host"),
    "a template with a line break": (("auth", "placements", 0, "value"), "{api_key}\r\nX: y"),
    "an unknown place": (("auth", "placements", 0, "place"), "body"),
    "other fields": (("auth", "fields"), ["api_key"]),
    "a rule that no file can have": (("deny", 0, "pattern"), "/a/../b"),
    "a rule about bodies": (("deny", 0, "pattern"), "/a body $.b = 1"),
    "a rule with an unknown method": (("deny", 0, "method"), "TRACE"),
    "a forwarded header": (("headers", 0), "x-forwarded-for"),
    "an odd id": (("id",), "../x"),
    "an unknown member": (("more",), 1),
    "an unknown member deep inside": (("origins", 0, "proxy"), "evil"),
    "an odd token": (("caller_token", "place"), "path"),
}


@pytest.mark.parametrize("case", ALTERED.values(), ids=ALTERED.keys())
def test_altered_bytes_are_refused(case: tuple[tuple[str | int, ...], Any]) -> None:
    """What no file could have held is refused, also when it comes out of the database."""
    path, value = case
    raw: Any = json.loads(encode_provider(parse_provider(FULL, read_ca)))
    at = raw
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    with pytest.raises(BadInput):
        decode_provider(json.dumps(raw).encode())


@pytest.mark.parametrize("encoded", [b"", b"{}", b"[]", b"null", b"\xff", b'{"id":1}', b"[" * 9999])
def test_other_bytes_are_refused(encoded: bytes) -> None:
    """Bytes that are no provider are BadInput and nothing else."""
    with pytest.raises(BadInput):
        decode_provider(encoded)


def test_provider_with_faults_is_refused_when_decoded() -> None:
    """The same checks hold for a value that never was a file."""
    provider = parse_provider(MINIMAL, read_ca)
    doubled: Provider = replace(provider, origins=provider.origins * 2)
    with pytest.raises(BadInput, match="twice"):
        decode_provider(encode_provider(doubled))
