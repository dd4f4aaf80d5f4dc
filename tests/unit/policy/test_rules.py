"""What rules let through, and that a path has one meaning for all of them."""

import re
from urllib.parse import quote, unquote_to_bytes

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bailee.errors import BadInput
from bailee.model import ALLOW, Allow, BodyCondition, BodyRule, Deny, Rule
from bailee.policy.rules import (
    CompiledRules,
    ProviderRules,
    authorize,
    canonical_path,
    compile_rules,
    parse_grant_rule,
    parse_rule,
)

FREE = ProviderRules.of([], [])


def rules(*texts: str) -> CompiledRules:
    """Compile rules as a grant has them."""
    return compile_rules([parse_grant_rule(text) for text in texts])


def denying(*texts: str) -> ProviderRules:
    """A provider that denies."""
    return ProviderRules.of([parse_rule(text) for text in texts], [])


# --- the form of a rule ---

WELL_FORMED = {
    "GET /v1/**": Rule("GET", "/v1/**"),
    "* /": Rule("*", "/"),
    "  post   /orders/*/fills  ": Rule("POST", "/orders/*/fills"),
    "GET /a%20b/%C3%A9": Rule("GET", "/a%20b/%C3%A9"),
    "DELETE /v1/keys/": Rule("DELETE", "/v1/keys/"),
    "GET /**/last": Rule("GET", "/**/last"),
    "GET /a.*/x*y": Rule("GET", "/a.*/x*y"),
}
ILL_FORMED = [
    "", "GET", "/v1", "GET/v1", "GET v1", "TRACE /v1", "CONNECT /", "FETCH /v1", "GET //v1",
    "GET /v1//x", "GET /../v1", "GET /v1/.", "GET /v1?x=1", "GET /v1#x", "GET /v1;x", "GET /a b",
    "GET /v1/a**", "GET /***", "GET /é", "GET /a\\b", "GET /%zz", "GET /%", "GET /%4", "GET /%2Fv1",
    "GET /%5Cv1", "GET /%2E%2E/v1", "GET /%00", "GET /%41", "GET /%c3%a9", "GET /%3Bx",
    "GET https://api.test/v1", "GET /v1\nGET /v2",
]  # fmt: skip


@pytest.mark.parametrize("text", WELL_FORMED)
def test_rule_is_read(text: str) -> None:
    """A method or `*`, and a path with wildcards; what it says can be read again."""
    assert parse_rule(text) == WELL_FORMED[text]
    assert parse_rule(str(parse_rule(text))) == WELL_FORMED[text]


@pytest.mark.parametrize("text", ILL_FORMED)
def test_rule_is_refused_when_no_call_can_match_it(text: str) -> None:
    """A rule that does nothing would be taken for one that does something."""
    for parse in (parse_rule, parse_grant_rule):
        with pytest.raises(BadInput):
            parse(text)


CALL = BodyCondition(("method",), ('"eth_call"',))
ABOUT_BODIES = {
    'POST /rpc body $.method = "eth_call"': BodyRule("POST", "/rpc", (CALL,)),
    '  patch  /a/**   body  $.method="eth_call" ': BodyRule("PATCH", "/a/**", (CALL,)),
    'PUT /body body $.method in ["eth_call"]': BodyRule("PUT", "/body", (CALL,)),
}


@pytest.mark.parametrize("text", ABOUT_BODIES)
def test_rule_about_bodies_is_a_grants_alone(text: str) -> None:
    """A grant's rule may go on with conditions, and is read again as it was; a provider's can't."""
    rule = parse_grant_rule(text)
    assert rule == ABOUT_BODIES[text]
    assert parse_grant_rule(str(rule)) == rule
    with pytest.raises(BadInput):
        parse_rule(text)


@pytest.mark.parametrize("text", WELL_FORMED)
def test_rule_of_a_grant_without_conditions_is_a_plain_one(text: str) -> None:
    """What was stored before there were others is read as it was."""
    assert parse_grant_rule(text) == WELL_FORMED[text]


@pytest.mark.parametrize(
    "text",
    [
        "POST /rpc body", "POST /rpc body ", "POST /rpc $.method = 1", "POST /rpc BODY $.a = 1",
        "POST /rpc bodies $.method = 1", "POST body $.method = 1", "POST //rpc body $.method = 1",
        "* /rpc body $.method = 1", "GET /rpc body $.method = 1", "HEAD /rpc body $.method = 1",
        "DELETE /rpc body $.method = 1", "OPTIONS /rpc body $.method = 1",
    ],
)  # fmt: skip
def test_rule_about_bodies_is_refused_when_it_says_nothing(text: str) -> None:
    """Without a condition, or of a method whose body servers ignore, it would look like more."""
    with pytest.raises(BadInput):
        parse_grant_rule(text)


# --- matching ---

MATCHES = {
    "GET /v1/**": ["GET /v1", "GET /v1/", "GET /v1/a", "GET /v1/a/b/", "HEAD /v1/a"],
    "GET /v1/*": ["GET /v1/a", "HEAD /v1/a.b"],
    "GET /v1": ["GET /v1"],
    "GET /v1/": ["GET /v1/"],
    "* /**": ["GET /", "POST /a/b", "OPTIONS /x", "HEAD /"],
    "GET /": ["GET /"],
    "GET /a/**/z": ["GET /a/z", "GET /a/b/z", "GET /a/b/c/z"],
    "GET /a*c": ["GET /ac", "GET /abc"],
    "HEAD /v1": ["HEAD /v1"],
    "GET /a.b": ["GET /a.b"],
    "GET /a%20b": ["GET /a%20b"],
}
MISSES = {
    "GET /v1/**": ["GET /v10", "GET /", "GET /V1/a", "POST /v1/a", "GET /a/v1/b"],
    "GET /v1/*": ["GET /v1", "GET /v1/", "GET /v1/a/b", "GET /v1/a/"],
    "GET /v1": ["GET /v1/", "GET /v1/a", "GET /v"],
    "GET /v1/": ["GET /v1"],
    "* /**": ["TRACE /", "PROPFIND /a"],
    "GET /": ["GET /a"],
    "GET /a/**/z": ["GET /az", "GET /a/bz", "GET /a/z/b"],
    "GET /a*c": ["GET /a/c", "GET /abcd"],
    "HEAD /v1": ["GET /v1"],
    "GET /a.b": ["GET /axb"],
    "GET /a%20b": ["GET /a%20B"],
}


@pytest.mark.parametrize("text", MATCHES)
def test_grant_matches(text: str) -> None:
    """Exactly as written, and HEAD where GET is allowed."""
    compiled = rules("PUT /never", text)
    for each in MATCHES[text]:
        method, _, path = each.partition(" ")
        assert compiled.find(method, path) == parse_rule(text), each
        assert authorize(compiled, FREE, method, path) == ALLOW


@pytest.mark.parametrize("text", MISSES)
def test_grant_does_not_match(text: str) -> None:
    """No other case, slash, segment or method."""
    compiled = rules("PUT /never", text)
    for each in MISSES[text]:
        method, _, path = each.partition(" ")
        assert compiled.find(method, path) is None, each
        assert isinstance(authorize(compiled, FREE, method, path), Deny)


def test_no_rules_allow_nothing() -> None:
    """The default is to deny."""
    assert isinstance(authorize(rules(), FREE, "GET", "/"), Deny)


# --- what a provider denies ---

ALL = rules("* /**")
DENIED = {
    "POST /withdraw": [
        "/withdraw", "/withdraw/", "/WithDraw", "/WITHDRAW/", "/with%64raw", "/with%2564raw",
        "/%77%69thdraw", "/withdra%2577/", "/withdra%252577", "/%57ithdraw",
    ],
    "POST /a%20b": ["/a%20b", "/A%20B/", "/a%2520b"],
    "POST /100%25": ["/100%25", "/100%2525"],
    "POST /caf%C3%A9": ["/caf%C3%A9", "/CAF%c3%a9", "/CAF%C3%89", "/caf%25C3%25A9"],
    "* /v1/**": ["/v1", "/v1/", "/V1/x", "/v%31/x", "/v1/x/y/"],
    "POST /x*41": ["/x%2541", "/xyz41", "/x41"],
    "POST /keys/": ["/keys", "/keys/", "/KEYS"],
}  # fmt: skip
NOT_DENIED = {
    "POST /withdraw": ["/withdrawals", "/v1/withdraw", "/", "/withdra"],
    "* /v1/**": ["/v10", "/v2/v1"],
    "POST /keys/": ["/keys/x"],
    "GET /withdraw": ["/withdraw"],
}


@pytest.mark.parametrize("text", DENIED)
def test_denied_path_is_denied_in_every_spelling(text: str) -> None:
    """Case, a final slash and escapes, one or more deep, change nothing."""
    for raw in DENIED[text]:
        path = canonical_path(raw.encode())
        if not isinstance(path, Deny):
            verdict = authorize(ALL, denying(text), "POST", path)
            assert verdict == Deny("the provider's rules deny this method and path", text), raw


@pytest.mark.parametrize("text", NOT_DENIED)
def test_other_paths_are_not_denied(text: str) -> None:
    """A rule denies what it names."""
    for raw in NOT_DENIED[text]:
        path = canonical_path(raw.encode())
        assert isinstance(path, str)
        assert authorize(ALL, denying(text), "POST", path) == ALLOW, raw


def test_deny_of_get_denies_head() -> None:
    """HEAD asks for the same."""
    assert isinstance(authorize(ALL, denying("GET /v1"), "HEAD", "/v1"), Deny)


def test_multiplexed_path_is_denied_whatever_is_granted() -> None:
    """One path with many meanings can't be granted by its path alone."""
    provider = ProviderRules.of([], [parse_rule("POST /graphql")])
    for path in ("/graphql", "/GraphQL/"):
        assert authorize(rules("POST /graphql", "* /**"), provider, "POST", path) == Deny(
            "one path with many meanings: a grant has to name what in its body", "POST /graphql"
        )
    assert authorize(ALL, provider, "GET", "/graphql") == ALLOW


BALANCE = 'POST /graphql body $.operationName = "Balance"'
ORDERS = 'POST /graphql body $.operationName = "Orders"'


def test_multiplexed_path_is_granted_by_rules_about_bodies_alone() -> None:
    """All that match say what the body may be; a rule without conditions adds nothing."""
    provider = ProviderRules.of([], [parse_rule("* /graphql")])
    bodies = rules(BALANCE, ORDERS).find_bodies("POST", "/graphql")
    assert len(bodies) == 2
    granted = rules("* /**", BALANCE, "GET /graphql", ORDERS, BALANCE, ORDERS.replace("ql", "qx"))
    assert authorize(granted, provider, "POST", "/graphql") == Allow(bodies)
    assert isinstance(authorize(granted, provider, "GET", "/graphql"), Deny)
    assert isinstance(authorize(granted, provider, "PUT", "/graphql"), Deny)
    assert isinstance(authorize(granted, provider, "POST", "/GraphQL"), Deny)


def test_denied_path_is_denied_whatever_the_body() -> None:
    """A provider's deny has the last word, also where only another spelling of it is denied."""
    provider = ProviderRules.of([parse_rule("POST /graph")], [parse_rule("* /**")])
    granted = rules("POST /graph%2571 body $.a = 1", "POST /gr%2561ph body $.a = 1")
    assert isinstance(authorize(granted, provider, "POST", "/gr%2561ph"), Deny)
    assert isinstance(authorize(granted, provider, "POST", "/graph%2571"), Allow)


def test_other_path_is_judged_only_where_no_plain_rule_allows_it() -> None:
    """A rule about bodies is narrower than one without."""
    narrow = 'POST /orders body $.side = "buy"'
    (condition,) = rules(narrow).find_bodies("POST", "/orders")
    assert authorize(rules(narrow), FREE, "POST", "/orders") == Allow((condition,))
    assert authorize(rules(narrow, "POST /**"), FREE, "POST", "/orders") == ALLOW
    assert isinstance(authorize(rules(narrow), FREE, "POST", "/orders/"), Deny)
    assert isinstance(authorize(rules(narrow), FREE, "GET", "/orders"), Deny)


def test_provider_refuses_whatever_a_rule_says_of_bodies() -> None:
    """No provider's file can have such a rule; should one be made, it refuses the whole path."""
    rule = parse_grant_rule("POST /orders body $.a = 1")
    for provider in (ProviderRules.of([rule], []), ProviderRules.of([], [rule])):
        assert isinstance(authorize(ALL, provider, "POST", "/orders"), Deny)


SEGMENT = st.text("abcXYZ019-_~.!$&'()+,=:@ \u00e9%", min_size=1, max_size=8)


@st.composite
def respelled(draw: st.DrawFn) -> tuple[str, str]:
    """A path without wildcards, and another spelling of it that some server takes for the same."""
    segments = [
        quote(each, safe="-._~!$&'()+,=:@")
        for each in draw(st.lists(SEGMENT, min_size=1, max_size=3))
    ]
    path = "/" + "/".join(segments)
    spelled = ""
    for part in re.findall(r"%[0-9A-F]{2}|[^%]", path):
        if part == "/" or len(part) == 3:
            spelled += draw(st.sampled_from([part, part.lower()]))
            continue
        other = draw(st.sampled_from([part, part.upper(), part.lower()]))
        depth = draw(st.integers(0, 3))
        for _ in range(depth):
            other = "%" + other.encode().hex() if len(other) == 1 else other.replace("%", "%25")
        spelled += other
    return path, spelled + draw(st.sampled_from(["", "/"]))


@given(respelled())
@example(("/withdraw", "/with%2564RAW/"))
@example(("/%25010", "/%2501%2530"))
def test_no_spelling_gets_around_a_deny(paths: tuple[str, str]) -> None:
    """Whatever case, final slash or escapes of any character: it is denied, or refused before."""
    written, spelled = paths
    if canonical_path(written.encode()) != written:
        return
    path = canonical_path(spelled.encode())
    if not isinstance(path, Deny):
        assert isinstance(authorize(ALL, denying(f"* {written}"), "GET", path), Deny)


# --- the one meaning of a path ---

CANONICAL = {
    "/": "/",
    "/v1/a": "/v1/a",
    "/v1/a/": "/v1/a/",
    "/%41%7e": "/A~",
    "/a%2eb": "/a.b",
    "/%c3%a9": "/%C3%A9",
    "/a%20b": "/a%20b",
    "/a:b@c!$&'()*+,=": "/a:b@c!$&'()*+,=",
    "/...": "/...",
    "/.a/..b": "/.a/..b",
    "/100%25": "/100%25",
    "/%3f%23": "/%3F%23",
}
REFUSED = {
    "a dot segment": "/a/../b",
    "a dot": "/./a",
    "a dot at the end": "/a/.",
    "two dots at the end": "/a/..",
    "encoded dots": "/%2e%2e/a",
    "half-encoded dots": "/.%2E/a",
    "dots encoded twice": "/%252e%252e/a",
    "dots encoded three times": "/%25252e/a",
    "an empty segment": "/a//b",
    "two slashes first": "//a",
    "two slashes last": "/a//",
    "a semicolon": "/a;x=1",
    "an encoded semicolon": "/a%3bx",
    "a semicolon encoded twice": "/a%253bx",
    "an encoded slash": "/a%2fb",
    "a slash encoded twice": "/a%252fb",
    "a slash encoded three times": "/a%25252Fb",
    "a slash encoded in two ways": "/a%25%32%46b",
    "a backslash": "/a\\b",
    "an encoded backslash": "/a%5cb",
    "a backslash encoded twice": "/a%255Cb",
    "NUL": "/a%00",
    "NUL encoded twice": "/a%2500",
    "a line break": "/a%0d%0a",
    "a line break encoded twice": "/a%250d%250a",
    "DEL": "/a%7f",
    "a bad escape": "/a%zz",
    "a short escape": "/a%4",
    "a bare percent": "/%",
    "a number sign": "/a#b",
    "a raw space": "/a b",
    "a raw control character": "/a\x01",
    "a final line break": "/a\n",
    "non-ASCII": "/\xe9",
    "no slash": "a",
    "nothing": "",
    "brackets": "/a[0]",
    "a double quote": '/a"b',
}


@pytest.mark.parametrize("raw", CANONICAL)
def test_path_has_one_meaning(raw: str) -> None:
    """Unreserved characters are decoded, escapes get capitals, nothing else changes."""
    assert canonical_path(raw.encode()) == CANONICAL[raw]


@pytest.mark.parametrize("case", REFUSED)
def test_path_is_refused_when_it_has_two_meanings(case: str) -> None:
    """It is not mended."""
    assert isinstance(canonical_path(REFUSED[case].encode("latin-1")), Deny)


PIECES = st.sampled_from(
    ["/", ".", "..", "%2e", "%2E", "%2f", "%5c", "%3b", "%25", "2f", "a", "B", "%41", "%c3", "%20",
     ";", "%", "\\", "//", "*", "%00", "~"]
)  # fmt: skip
RAW = st.one_of(
    st.binary(max_size=40).map(lambda raw: b"/" + raw),
    st.lists(PIECES, max_size=12).map(lambda pieces: ("/" + "".join(pieces)).encode()),
)


@given(RAW)
def test_canonical_path_is_itself_canonical(raw: bytes) -> None:
    """Read again, it is the same, and has nothing that could be read in two ways."""
    path = canonical_path(raw)
    if isinstance(path, Deny):
        return
    assert canonical_path(path.encode("ascii")) == path
    segments = path.split("/")[1:]
    assert "//" not in path and not {".", ".."} & set(segments)
    assert not re.search(r"%2f|%5c|%3b|%2e|%0|%1|%7f|;|\\|[^!-~]", path, re.IGNORECASE)
    assert not re.search(r"%(?!([2-9A-F][0-9A-F]))", path)


@given(RAW)
def test_canonical_path_is_what_the_raw_one_decodes_to(raw: bytes) -> None:
    """Nothing is lost or added: both decode to the same bytes."""
    path = canonical_path(raw)
    if isinstance(path, str):
        assert unquote_to_bytes(path) == unquote_to_bytes(raw)
