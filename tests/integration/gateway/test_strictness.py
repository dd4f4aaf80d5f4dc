"""The strict reader of the tests' origins sees what it is there to see."""

import pytest

from integration.gateway.ambiguity import ACCEPTED, REFUSED, wire
from strict_http import StrictReader

HEAD = b"GET /p HTTP/1.1\r\nHost: api.test\r\n"
POST = b"POST /p HTTP/1.1\r\nHost: api.test\r\n"
CLEAN = {
    "a request": HEAD + b"\r\n",
    "a port, a query and headers": b"GET /a/b?c=%41&[] HTTP/1.1\r\nHost: a.test:8443\r\n"
    b"Authorization: Bearer x\r\nAccept: a/b, c/d\r\n\r\n",
    "a length": POST + b"Content-Length: 2\r\n\r\nhi",
    "a length of nothing": POST + b"Content-Length: 0\r\n\r\n",
    "chunks": POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n10\r\n" + b"x" * 16
    + b"\r\n0\r\n\r\n",
    "line breaks in a body": POST + b"Content-Length: 4\r\n\r\n\r\n\r\n",
}  # fmt: skip
FLAGGED = {
    "a name with an underscore": HEAD + b"X_A: 1\r\n\r\n",
    "a forwarded-for": HEAD + b"X-Forwarded-For: 1\r\n\r\n",
    "a forwarded-for with underscores": HEAD + b"X_Forwarded_For: 1\r\n\r\n",
    "a proxy's word": HEAD + b"Via: 1.1 a\r\n\r\n",
    "a client's address": HEAD + b"True-Client-IP: 1\r\n\r\n",
    "a method override": HEAD + b"X-HTTP-Method-Override: DELETE\r\n\r\n",
    "another URL": HEAD + b"X-Original-URL: /a\r\n\r\n",
    "a cookie": HEAD + b"Cookie: a=b\r\n\r\n",
    "a header of one hop": HEAD + b"Connection: close\r\n\r\n",
    "an expectation": HEAD + b"Expect: 100-continue\r\n\r\n",
    "a header of ours": HEAD + b"Bailee-Subject: u1\r\n\r\n",
    "a secret in the head": HEAD + b"X-A: s3cret\r\n\r\n",
    "a secret in a body": POST + b"Content-Length: 6\r\n\r\ns3cret",
    "a secret over two chunks": POST
    + b"Transfer-Encoding: chunked\r\n\r\n3\r\ns3c\r\n3\r\nret\r\n0\r\n\r\n",
    "a body without framing": POST + b"\r\nhi",
    "a POST without framing": POST + b"\r\n",
    "two requests at once": HEAD + b"\r\n" + HEAD + b"\r\n",
    "a path with dots": b"GET /a/../b HTTP/1.1\r\nHost: a\r\n\r\n",
    "an empty segment": b"GET //b HTTP/1.1\r\nHost: a\r\n\r\n",
    "an encoded slash": b"GET /a%2fb HTTP/1.1\r\nHost: a\r\n\r\n",
    "a letter that is encoded": b"GET /%61 HTTP/1.1\r\nHost: a\r\n\r\n",
    "a parameter of a segment": b"GET /a;b HTTP/1.1\r\nHost: a\r\n\r\n",
    "two spaces": b"GET  /p HTTP/1.1\r\nHost: a\r\n\r\n",
    "an empty line first": b"\r\n" + HEAD + b"\r\n",
    "zeros before a length": POST + b"Content-Length: 02\r\n\r\nhi",
    "a capital in a coding": POST + b"Transfer-Encoding: Chunked\r\n\r\n0\r\n\r\n",
    "a chunk extension": POST + b"Transfer-Encoding: chunked\r\n\r\n2;a=b\r\nhi\r\n0\r\n\r\n",
    "zeros before a chunk size": POST + b"Transfer-Encoding: chunked\r\n\r\n02\r\nhi\r\n0\r\n\r\n",
    "a trailer": POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: 1\r\n\r\n",
    "a type twice": HEAD + b"Content-Type: a/b\r\nContent-Type: a/b\r\n\r\n",
}
INCOMPLETE = {"a request line: HTTP/0.9", "a request line: TLS"}


def flags_of(raw: bytes, size: int = 1 << 20, permitted: frozenset[str] | None = None) -> list[str]:
    """What is flagged of bytes that come in pieces of a size."""
    reader = StrictReader((b"s3cret",), permitted)
    for at in range(0, len(raw), size):
        reader.feed(raw[at : at + size])
    return reader.flags


@pytest.mark.parametrize("size", [1 << 20, 1])
def test_clean_request_is_not_flagged(size: int) -> None:
    """At once and byte by byte; all of its bytes are kept."""
    assert {case: flags for case, raw in CLEAN.items() if (flags := flags_of(raw, size))} == {}
    for raw in CLEAN.values():
        reader = StrictReader()
        (request,) = [each for at in range(len(raw)) for each in reader.feed(raw[at : at + 1])]
        assert request.raw == raw and not reader.in_the_middle
    assert reader.feed(raw[:-1]) == [] and reader.in_the_middle


def test_ambiguous_request_is_flagged() -> None:
    """Each of these, and all that the gateway refuses, by itself."""
    assert [case for case, raw in FLAGGED.items() if not flags_of(raw)] == []
    refused = {case: wire(raw, "c", "t") for case, (raw, _) in REFUSED.items()}
    unseen = [case for case, raw in refused.items() if not flags_of(raw)]
    assert set(unseen) == INCOMPLETE


def test_only_what_is_permitted_is_not_flagged() -> None:
    """With a list, other names are a fault; a name with an underscore is good where it stands."""
    raw = HEAD + b"X-A: 1\r\nx_b: 2\r\n\r\n"
    assert flags_of(raw, permitted=frozenset({"x-a", "x_b"})) == []
    assert len(flags_of(raw, permitted=frozenset({"x_b"}))) == 1
    assert len(flags_of(raw, permitted=frozenset())) == 3


def test_what_the_gateway_mends_is_flagged_unmended() -> None:
    """The neighbours that are not clean themselves: what the origin saw of them was made anew."""
    dirty = {case for case, raw in ACCEPTED.items() if flags_of(wire(raw, "c", "t"))}
    assert {
        "a coding: TE Chunked",
        "a length: CL with zeros before it",
        "a request line: two spaces before the target",
        "an end of a line: an empty line before the request line",
        "a chunk: a chunk extension",
        "a trailer: a trailer",
        "a name: framing with an underscore",
    } <= dirty
