"""A request's head has one meaning or none."""

import pytest

from bailee.errors import BaileeError, ExpectationRefused, MalformedRequest, MethodRefused
from bailee.http.head import CHUNKED, Received, read_head

HOST = (b"Host", b"127.0.0.1:8700")


def read(
    *pairs: tuple[bytes, bytes], method: str = "POST", target: bytes = b"/c/p", version: str = "1.1"
) -> Received:
    """Read a head with these headers."""
    return read_head(method, target, version, list(pairs), True)


def test_head_is_split_into_what_is_ours_and_what_may_pass() -> None:
    """Framing, Host and tokens have fields of their own; the rest keeps its order."""
    received = read(
        HOST,
        (b"X-B", b"2"),
        (b"Authorization", b"Bearer t"),
        (b"Bailee-Token", b"u"),
        (b"Accept", b"*/*"),
        (b"Content-Length", b"12"),
        (b"x-b", b"3"),
        target=b"/c/p?x=1?&y",
    )
    assert received.headers == [
        (b"x-b", b"X-B", b"2"),
        (b"accept", b"Accept", b"*/*"),
        (b"x-b", b"x-b", b"3"),
    ]
    assert (received.path, received.query) == (b"/c/p", b"x=1?&y")
    assert (received.authorization, received.token) == (b"Bearer t", b"u")
    assert (received.body_length, received.has_length) == (12, True)


def test_repr_shows_no_header() -> None:
    """A traceback that shows values shows no token."""
    received = read(HOST, (b"Authorization", b"Bearer secret"), target=b"/c/p?key=secret")
    assert "secret" not in repr(received)


VALID_HOSTS = [b"a", b"127.0.0.1", b"a.test:8700", b"[::1]", b"[::1]:8700", b"A-b_c.test"]
BAD_HOSTS = [
    b"",
    b"a b",
    b"a/b",
    b"a@b",
    b"a:port",
    b"a:123456",
    b"a,b",
    b"a:",
    b"::1",
    b"[::1",
    b"a\r\nx",
    b"a\n",
    b"\xe4.test",
    b"a?b",
    b"a#b",
    b"a%00",
]


@pytest.mark.parametrize("host", VALID_HOSTS)
def test_host_is_taken_when_it_is_one(host: bytes) -> None:
    """Names and addresses pass, with and without a port."""
    assert read((b"Host", host)).host == host


@pytest.mark.parametrize("host", BAD_HOSTS)
def test_host_is_refused_when_it_is_none(host: bytes) -> None:
    """What is not a host and a port does not pass, the second time neither."""
    for _ in range(2):
        with pytest.raises(MalformedRequest):
            read((b"Host", host))


@pytest.mark.parametrize("name", [
    b"Host", b"hOST", b"Content-Length", b"Authorization", b"Bailee-Token", b"Transfer-Encoding",
    b"Connection", b"Expect", b"Bailee-Subject", b"Bailee-Once",
])  # fmt: skip
def test_header_with_one_meaning_is_refused_when_it_stands_twice(name: bytes) -> None:
    """Two of those that decide what a request means are two meanings, even when they are equal."""
    value = {b"content-length": b"3", b"transfer-encoding": b"chunked"}.get(name.lower(), b"a")
    pairs = [(name, value), (name.lower(), value)]
    with pytest.raises(MalformedRequest):
        read(*([] if name.lower() == b"host" else [HOST]), *pairs)


@pytest.mark.parametrize("name", [
    b"Content-Type", b"Idempotency-Key", b"Range", b"If-Range", b"If-Modified-Since",
    b"If-Unmodified-Since", b"Last-Event-ID", b"User-Agent", b"Content-Disposition",
])  # fmt: skip
def test_header_that_is_no_list_is_refused_when_it_stands_twice(name: bytes) -> None:
    """Some servers take the first of two, some the last."""
    assert len(read(HOST, (name, b"a"), (b"X", b"b")).headers) == 2
    for second in (b"a", b"b"):
        with pytest.raises(MalformedRequest):
            read(HOST, (name, b"a"), (b"X", b"b"), (name.lower(), second))


def test_lists_may_stand_in_several_lines() -> None:
    """So may what is not known: it is dropped, or the provider's file lets it through."""
    names = (b"Accept", b"accept", b"X-A", b"X-A", b"If-None-Match", b"If-None-Match")
    assert len(read(HOST, *[(name, b"a") for name in names]).headers) == 6


FRAMING = {
    "nothing": ([], 0),
    "a length": ([(b"Content-Length", b"0")], 0),
    "a long length": ([(b"Content-Length", b"9" * 18)], int("9" * 18)),
    "chunked": ([(b"Transfer-Encoding", b"Chunked")], CHUNKED),
}
BAD_FRAMING: dict[str, list[tuple[bytes, bytes]]] = {
    "both": [(b"Content-Length", b"3"), (b"Transfer-Encoding", b"chunked")],
    "both, the other way round": [(b"Transfer-Encoding", b"chunked"), (b"Content-Length", b"3")],
    "a list of lengths": [(b"Content-Length", b"3, 3")],
    "a signed length": [(b"Content-Length", b"+3")],
    "a negative length": [(b"Content-Length", b"-3")],
    "a hexadecimal length": [(b"Content-Length", b"0x3")],
    "an empty length": [(b"Content-Length", b"")],
    "a length with a point": [(b"Content-Length", b"3.0")],
    "a superscript": [(b"Content-Length", "³".encode("latin-1"))],
    "a length of 19 digits": [(b"Content-Length", b"1" * 19)],
    "gzip, chunked": [(b"Transfer-Encoding", b"gzip, chunked")],
    "chunked, chunked": [(b"Transfer-Encoding", b"chunked, chunked")],
    "identity": [(b"Transfer-Encoding", b"identity")],
    "xchunked": [(b"Transfer-Encoding", b"xchunked")],
    "chunked and a tab": [(b"Transfer-Encoding", b"chunked\t")],
    "an empty coding": [(b"Transfer-Encoding", b"")],
}


@pytest.mark.parametrize("case", FRAMING)
def test_body_length_is_read(case: str) -> None:
    """None, a number, or chunked."""
    headers, length = FRAMING[case]
    assert read(HOST, *headers).body_length == length


@pytest.mark.parametrize("case", BAD_FRAMING)
def test_body_length_is_refused_when_it_is_in_doubt(case: str) -> None:
    """A body whose end could be found in two ways is not read."""
    with pytest.raises(MalformedRequest):
        read(HOST, *BAD_FRAMING[case])


TARGETS = [b"*", b"http://127.0.0.1/c/p", b"https://api.test/", b"c/p", b"", b"a.test:443"]


@pytest.mark.parametrize("target", TARGETS)
def test_target_is_refused_when_it_is_not_a_path(target: bytes) -> None:
    """Only origin-form is taken."""
    with pytest.raises(MalformedRequest):
        read(HOST, target=target)


@pytest.mark.parametrize("query", [b"a b", b'a"b', b"a\tb", b"a\x00", b"a\xff", b"a#b", b"a\x7f"])
def test_query_is_refused_when_it_has_raw_characters(query: bytes) -> None:
    """What a server may cut or decode in two ways has to be percent-encoded."""
    with pytest.raises(MalformedRequest):
        read(HOST, target=b"/c?" + query)


@pytest.mark.parametrize("method", ["CONNECT", "TRACE", "PROPFIND", "get", "PRI", ""])
def test_method_is_refused_when_it_is_not_relayed(method: str) -> None:
    """Seven methods are relayed, in capitals."""
    with pytest.raises(MethodRefused):
        read(HOST, method=method)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_method_is_taken_when_it_is_relayed(method: str) -> None:
    """The seven pass."""
    assert read(HOST, method=method).method == method


@pytest.mark.parametrize("version", ["1.0", "2.0", "0.9", "1.2", ""])
def test_version_is_refused_when_it_is_not_1_1(version: str) -> None:
    """Nothing but HTTP/1.1 is spoken."""
    with pytest.raises(MalformedRequest):
        read(HOST, version=version)


def test_upgrade_is_refused() -> None:
    """A connection never becomes something else, but a WebSocket by a whole handshake."""
    for name in (b"h2c", b"websocket", b"TLS/1.0"):
        with pytest.raises(MalformedRequest):
            read(HOST, (b"Connection", b"Upgrade"), (b"Upgrade", name))


def test_expectation_is_known_or_refused() -> None:
    """100-continue in any case is one; another is not."""
    assert read(HOST, (b"Expect", b"100-Continue")).expects_continue
    assert not read(HOST).expects_continue
    with pytest.raises(ExpectationRefused):
        read(HOST, (b"Expect", b"200-ok"))


def test_nominated_headers_are_dropped() -> None:
    """What `Connection` names is for us alone; `keep-alive` and `close` name nothing."""
    pairs = [HOST, (b"X-A", b"1"), (b"X-B", b"2")]
    nominating = read(*pairs, (b"Connection", b"close, x-A ,accept"))
    assert [lower for lower, _, _ in nominating.headers] == [b"x-b"]
    plain = read(*pairs, (b"Connection", b"Keep-Alive"))
    assert [lower for lower, _, _ in plain.headers] == [b"x-a", b"x-b"]


def test_refusals_show_nothing_that_a_stranger_chose() -> None:
    """No error repeats a byte of the request."""
    for pairs, target in [
        ([(b"Host", b"evil host")], b"/"),
        ([HOST, (b"Content-Length", b"evil")], b"/"),
        ([HOST, (b"Expect", b"evil")], b"/"),
        ([HOST], b"evil"),
        ([HOST], b"/?evil evil"),
    ]:
        with pytest.raises(BaileeError) as refused:
            read(*pairs, target=target)
        assert "evil" not in refused.value.detail + refused.value.hint


@pytest.mark.parametrize("key", [b"!", b"~", b"a" * 128, b'{"a":1};,=\\'])
def test_once_is_taken_when_it_is_a_key(key: bytes) -> None:
    """Visible ASCII, 1 to 128 characters; it stands in a field of its own."""
    received = read(HOST, (b"bailee-ONCE", key), (b"Connection", b"close, bailee-once"))
    assert (received.once, received.headers) == (key, [])
    assert read(HOST).once is None


@pytest.mark.parametrize("key", [b"", b" ", b"a b", b"a\n", b"\x7f", b"\xe4", b"a" * 129])
def test_once_is_refused_when_it_is_no_key(key: bytes) -> None:
    """What could be read in two ways is no key."""
    with pytest.raises(MalformedRequest, match="Bailee-Once"):
        read(HOST, (b"Bailee-Once", key))
