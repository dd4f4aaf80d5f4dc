"""The handshake of a WebSocket: a client's is read strictly, and a provider's answer too."""

import pytest
from websockets.client import ClientProtocol
from websockets.http11 import Request
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from bailee.errors import AnswerMalformed, MalformedRequest
from bailee.http.head import Received, read_head
from bailee.http.upgrade import accept_of, opening_lines, read_switch

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
Pairs = list[tuple[bytes, bytes]]
GOOD: Pairs = [
    (b"Host", b"127.0.0.1:8700"),
    (b"Upgrade", b"websocket"),
    (b"Connection", b"Upgrade"),
    (b"Sec-WebSocket-Key", KEY),
    (b"Sec-WebSocket-Version", b"13"),
]


def read(*more: tuple[bytes, bytes], method: str = "GET", without: bytes = b"") -> Received:
    """Read a handshake with some headers more, or without one."""
    pairs = [pair for pair in GOOD if pair[0] != without]
    return read_head(method, b"/c/ws", "1.1", [*pairs, *more], True)


def test_handshake_is_read() -> None:
    """It is a call of its own method, after which no other request may come."""
    received = read((b"User-Agent", b"x"))
    assert received.method == "WEBSOCKET"
    assert received.opening is not None
    assert received.opening.accept == ACCEPT
    assert received.opening.protocols == ()
    assert not received.keep_alive
    assert [lower for lower, _, _ in received.headers] == [b"user-agent"]


ACCEPTED = {
    "Upgrade in capitals": ([(b"Upgrade", b"WebSocket")], b"Upgrade"),
    "keep-alive beside it": ([(b"Connection", b"keep-alive, Upgrade")], b"Connection"),
}
REFUSED: dict[str, tuple[Pairs, bytes]] = {
    "another protocol": ([(b"Upgrade", b"h2c")], b"Upgrade"),
    "two protocols": ([(b"Upgrade", b"websocket, h2c")], b"Upgrade"),
    "a version of the protocol": ([(b"Upgrade", b"websocket/13")], b"Upgrade"),
    "Upgrade twice": ([(b"Upgrade", b"websocket")], b""),
    "no Connection": ([], b"Connection"),
    "another Connection": ([(b"Connection", b"keep-alive")], b"Connection"),
    "a name that only ends so": ([(b"Connection", b"x-upgrade")], b"Connection"),
    "no key": ([], b"Sec-WebSocket-Key"),
    "two keys": ([(b"Sec-WebSocket-Key", KEY)], b""),
    "two keys that differ in case": ([(b"sec-websocket-key", KEY)], b""),
    "a key of 15 bytes": ([(b"Sec-WebSocket-Key", b"AAAAAAAAAAAAAAAAAAAA")], b"Sec-WebSocket-Key"),
    "a key of 17 bytes": (
        [(b"Sec-WebSocket-Key", b"AAAAAAAAAAAAAAAAAAAAAAA=")],
        b"Sec-WebSocket-Key",
    ),
    "a key that is not base64": (
        [(b"Sec-WebSocket-Key", b"dGhlIHNhbXBsZSBub25j*Q==")],
        b"Sec-WebSocket-Key",
    ),
    "a key in a second spelling": (
        [(b"Sec-WebSocket-Key", b"dGhlIHNhbXBsZSBub25jZR==")],
        b"Sec-WebSocket-Key",
    ),
    "an empty key": ([(b"Sec-WebSocket-Key", b"")], b"Sec-WebSocket-Key"),
    "no version": ([], b"Sec-WebSocket-Version"),
    "version 8": ([(b"Sec-WebSocket-Version", b"8")], b"Sec-WebSocket-Version"),
    "versions": ([(b"Sec-WebSocket-Version", b"13, 8")], b"Sec-WebSocket-Version"),
    "version 013": ([(b"Sec-WebSocket-Version", b"013")], b"Sec-WebSocket-Version"),
    "a length": ([(b"Content-Length", b"0")], b""),
    "chunks": ([(b"Transfer-Encoding", b"chunked")], b""),
    "an expectation": ([(b"Expect", b"100-continue")], b""),
    "a key of Bailee-Once": ([(b"Bailee-Once", b"o1")], b""),
    "a sub-protocol twice": ([(b"Sec-WebSocket-Protocol", b"a, b, a")], b""),
    "an empty sub-protocol": ([(b"Sec-WebSocket-Protocol", b"a,,b")], b""),
    "a sub-protocol with space": ([(b"Sec-WebSocket-Protocol", b"a b")], b""),
    "too many sub-protocols": (
        [(b"Sec-WebSocket-Protocol", b",".join(b"p%d" % n for n in range(33)))],
        b"",
    ),
}


@pytest.mark.parametrize("case", ACCEPTED)
def test_handshake_is_read_in_every_spelling(case: str) -> None:
    """Names count in either case, and lists have more than one entry."""
    more, without = ACCEPTED[case]
    assert read(*more, without=without).method == "WEBSOCKET"


@pytest.mark.parametrize("case", REFUSED)
def test_handshake_is_refused_when_it_is_not_one(case: str) -> None:
    """What another server might take for something else goes nowhere."""
    more, without = REFUSED[case]
    with pytest.raises(MalformedRequest):
        read(*more, without=without)


@pytest.mark.parametrize("method", ["POST", "HEAD", "OPTIONS", "DELETE"])
def test_handshake_is_refused_when_it_is_no_get(method: str) -> None:
    """A WebSocket is opened by GET."""
    with pytest.raises(MalformedRequest):
        read(method=method)


def test_sub_protocols_of_several_headers_are_one_list() -> None:
    """In their order (RFC 6455, 11.3.4)."""
    received = read((b"Sec-WebSocket-Protocol", b"a , b"), (b"sec-websocket-protocol", b"c"))
    assert received.opening is not None
    assert received.opening.protocols == (b"a", b"b", b"c")


def test_extensions_stay_among_the_headers_that_are_dropped() -> None:
    """They are named as dropped, and not sent on."""
    received = read((b"Sec-WebSocket-Extensions", b"permessage-deflate"))
    assert [lower for lower, _, _ in received.headers] == [b"sec-websocket-extensions"]


def test_key_is_answered_as_the_standard_says() -> None:
    """RFC 6455, 1.3."""
    assert accept_of(KEY) == ACCEPT


# --- the provider ---

SWITCHED: Pairs = [
    (b"Upgrade", b"websocket"),
    (b"Connection", b"Upgrade"),
    (b"Sec-WebSocket-Accept", ACCEPT),
]


def test_answer_is_read() -> None:
    """What else it says is passed on; cookies and places are not."""
    more = [(b"X-Limit", b"5"), (b"Set-Cookie", b"a=b"), (b"Location", b"/x"), (b"Link", b"</>")]
    answer = read_switch([*SWITCHED, *more], KEY, ())
    assert answer.protocol is None
    assert b"".join(answer.lines) == b"X-Limit: 5\r\n"


def test_sub_protocol_is_one_that_was_offered() -> None:
    """Another one is as good as none: the client would not understand it."""
    chosen = (b"Sec-WebSocket-Protocol", b"v2")
    assert read_switch([*SWITCHED, chosen], KEY, (b"v1", b"v2")).protocol == b"v2"
    for offered in ((), (b"v1",), (b"V2",)):
        with pytest.raises(AnswerMalformed):
            read_switch([*SWITCHED, chosen], KEY, offered)


REFUSED_ANSWERS: dict[str, tuple[Pairs, bytes]] = {
    "no Upgrade": ([], b"Upgrade"),
    "another protocol": ([(b"Upgrade", b"h2c")], b"Upgrade"),
    "Upgrade twice": ([(b"upgrade", b"websocket")], b""),
    "no Connection": ([], b"Connection"),
    "another Connection": ([(b"Connection", b"close")], b"Connection"),
    "no accept": ([], b"Sec-WebSocket-Accept"),
    "another accept": ([(b"Sec-WebSocket-Accept", KEY)], b"Sec-WebSocket-Accept"),
    "accept in another case": (
        [(b"Sec-WebSocket-Accept", ACCEPT.swapcase())],
        b"Sec-WebSocket-Accept",
    ),
    "accept twice": ([(b"sec-websocket-accept", ACCEPT)], b""),
    "an extension": ([(b"Sec-WebSocket-Extensions", b"permessage-deflate")], b""),
    "an empty extension": ([(b"Sec-WebSocket-Extensions", b"")], b""),
    "two sub-protocols": (
        [(b"Sec-WebSocket-Protocol", b"a"), (b"Sec-WebSocket-Protocol", b"a")],
        b"",
    ),
    "a length": ([(b"Content-Length", b"0")], b""),
    "chunks": ([(b"Transfer-Encoding", b"chunked")], b""),
}


@pytest.mark.parametrize("case", REFUSED_ANSWERS)
def test_answer_is_refused_when_it_is_of_another_handshake(case: str) -> None:
    """A cache, a confused server, or an extension that would make frames unreadable."""
    more, without = REFUSED_ANSWERS[case]
    pairs = [pair for pair in SWITCHED if pair[0] != without] + more
    with pytest.raises(AnswerMalformed):
        read_switch(pairs, KEY, (b"a",))


# --- as `websockets` does it ---


def test_handshake_of_another_client_is_read() -> None:
    """`websockets` asks for compression, too."""
    client = ClientProtocol(parse_uri("ws://127.0.0.1:8700/c/ws"))
    client.send_request(client.connect())
    head = b"".join(client.data_to_send())
    lines = head.split(b"\r\n")[1:-2]
    pairs = [(n, v.strip()) for n, _, v in (line.partition(b":") for line in lines)]
    received = read_head("GET", b"/c/ws", "1.1", pairs, True)
    assert received.opening is not None


def test_our_handshake_is_taken_by_another_server() -> None:
    """And what it answers is the answer to it."""
    server = ServerProtocol(subprotocols=None)
    head = b"GET /ws HTTP/1.1\r\nHost: api.test\r\n" + opening_lines(KEY, ()) + b"\r\n"
    server.receive_data(head)
    (request,) = server.events_received()
    assert isinstance(request, Request)
    answer = server.accept(request)
    assert answer.status_code == 101
    pairs = [(name.encode(), value.encode()) for name, value in answer.headers.raw_items()]
    assert read_switch(pairs, KEY, ()).protocol is None
