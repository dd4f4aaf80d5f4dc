"""URLs of a provider become ours, or go."""

import pytest

from bailee.http.location import Rewriter
from bailee.model import Origin

BASE = "http://127.0.0.1:8700"
REQUESTED = "https://api.test/bot7:s3cret/v1/list?page=1"
REWRITER = Rewriter(
    origins=(Origin("rest", "api.test", 443), Origin("files", "files.test", 8443)),
    connection="con",
    base=BASE,
    path_prefix="/bot7:s3cret",
    reserved=frozenset({"key"}),
)
PLAIN = Rewriter(REWRITER.origins, "con", BASE, "", frozenset({"key"}))
P = "https://api.test/bot7:s3cret"

REWRITTEN = {
    "an absolute URL": (f"{P}/v1/x?a=b#f", f"{BASE}/con/v1/x?a=b#f"),
    "host and scheme in capitals": ("HTTPS://API.TEST/bot7:s3cret/v1/x", f"{BASE}/con/v1/x"),
    "the port named": ("https://api.test:443/bot7:s3cret/x", f"{BASE}/con/x"),
    "a relative path": ("x", f"{BASE}/con/v1/x"),
    "only a query": ("?page=2", f"{BASE}/con/v1/list?page=2"),
    "dots that stay inside": ("../v2/x", f"{BASE}/con/v2/x"),
    "another origin of the provider": (
        "https://files.test:8443/bot7:s3cret/x",
        f"{BASE}/con.files/x",
    ),
    "the credential in the query": (f"{P}/x?a=1&key=s3cret&b=2", f"{BASE}/con/x?a=1&b=2"),
    "only the credential in the query": (f"{P}/x?key=s3cret", f"{BASE}/con/x"),
    "an encoded parameter name": (f"{P}/x?%6bey=s3cret&a=1", f"{BASE}/con/x?a=1"),
    "a space around it": (f"  {P}/x ", f"{BASE}/con/x"),
    "raw bytes": (f"{P}/caf\xc3\xa9 x", f"{BASE}/con/caf%C3%A9%20x"),
}
DROPPED = {
    "another host": "https://evil.test/bot7:s3cret/x",
    "a longer host": "https://api.test.evil.test/bot7:s3cret/x",
    "another port": "https://api.test:444/bot7:s3cret/x",
    "plain HTTP": "http://api.test/bot7:s3cret/x",
    "no scheme": "//evil.test/bot7:s3cret/x",
    "a user": "https://me@api.test/bot7:s3cret/x",
    "a password": "https://:pw@api.test/bot7:s3cret/x",
    "an empty user": "https://@api.test/bot7:s3cret/x",
    "a script": "javascript:alert(1)",
    "data": "data:text/html,x",
    "outside of the prefix": "https://api.test/v1/x",
    "a prefix that only begins so": "https://api.test/bot7:s3cretly/x",
    "the prefix alone": "https://api.test/bot7:s3cret",
    "the prefix, encoded otherwise": "https://api.test/bot7%3As3cret/x",
    "a bad port": "https://api.test:port/bot7:s3cret/x",
    "a bad host": "https://[api.test/bot7:s3cret/x",
    "a control character": f"{P}/x\x01",
    "a tab that would be cut out": f"{P}/\tx",
    "dots that leave the prefix": "../../v1/x",
    "backslashes": "\\\\evil.test\\x",
}


@pytest.mark.parametrize("case", REWRITTEN)
def test_url_of_the_provider_becomes_ours(case: str) -> None:
    """It leads to the same place through us, without the credential."""
    value, expected = REWRITTEN[case]
    assert REWRITER.rewrite(value, REQUESTED) == expected


@pytest.mark.parametrize("case", DROPPED)
def test_url_that_leads_elsewhere_is_dropped(case: str) -> None:
    """Nobody follows it with our token."""
    assert REWRITER.rewrite(DROPPED[case], REQUESTED) is None


def test_path_without_prefix_passes() -> None:
    """Where the credential is not in the path, any path of the origin is ours."""
    assert PLAIN.rewrite("/x", "https://api.test/v1") == f"{BASE}/con/x"
    assert PLAIN.rewrite("https://api.test", "https://api.test/v1") is None


BY_HOST = Rewriter(
    origins=REWRITER.origins,
    connection="con",
    base="http://calls.test:8700",
    path_prefix="/bot7:s3cret",
    reserved=frozenset({"key"}),
    by_host=True,
)
REWRITTEN_BY_HOST = {
    "an absolute URL": (f"{P}/v1/x?a=b#f", "http://con.calls.test:8700/v1/x?a=b#f"),
    "a relative path": ("x", "http://con.calls.test:8700/v1/x"),
    "another origin": (
        "https://files.test:8443/bot7:s3cret/x",
        "http://con--files.calls.test:8700/x",
    ),
    "the credential in the query": (f"{P}/x?key=s3cret&a=1", "http://con.calls.test:8700/x?a=1"),
    "a path that begins with two slashes": (
        f"{P}//evil.test/x",
        "http://con.calls.test:8700//evil.test/x",
    ),
}


@pytest.mark.parametrize("case", REWRITTEN_BY_HOST)
def test_url_becomes_ours_by_host(case: str) -> None:
    """A call by host name gets URLs by host name; they lead to the same places."""
    value, expected = REWRITTEN_BY_HOST[case]
    assert BY_HOST.rewrite(value, REQUESTED) == expected


@pytest.mark.parametrize("case", DROPPED)
def test_url_that_leads_elsewhere_is_dropped_by_host(case: str) -> None:
    """In either form."""
    assert BY_HOST.rewrite(DROPPED[case], REQUESTED) is None


LINKS = {
    "two pages": (
        f'<{P}/x?page=2>; rel="next", <{P}/x?page=9>; rel=last',
        f'<{BASE}/con/x?page=2>; rel="next", <{BASE}/con/x?page=9>; rel=last',
    ),
    "one of two leads elsewhere": (
        f"<https://evil.test/>; rel=next, <{P}/x>; rel=last",
        f"<{BASE}/con/x>; rel=last",
    ),
    "commas and semicolons in a URL and in a string": (
        f'<{P}/x?a=1,2;3>; title="a, <b>; c"; rel=next',
        f'<{BASE}/con/x?a=1,2;3>; title="a, <b>; c"; rel=next',
    ),
    "the credential in the query": (
        f"<{P}/x?key=s&p=2>; rel=next",
        f"<{BASE}/con/x?p=2>; rel=next",
    ),
    "no parameters": (f"<{P}/x>", f"<{BASE}/con/x>"),
    "all lead elsewhere": ("<https://evil.test/>; rel=next", None),
    "an anchor": (f'<{P}/x>; rel=next; anchor="{P}/y"', None),
    "an anchor in capitals": (f"<{P}/x>; ANCHOR = {P}/y; rel=next", None),
    "no link": ("what is this", None),
    "an open bracket": (f"<{P}/x; rel=next", None),
}


@pytest.mark.parametrize("case", LINKS)
def test_link_targets_become_ours(case: str) -> None:
    """Each by itself; what leads elsewhere goes."""
    value, expected = LINKS[case]
    assert REWRITER.rewrite_link(value, REQUESTED) == expected
