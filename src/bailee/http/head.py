"""A request's head, read once and without doubt.

llhttp has split the bytes before (`gateway/session.py` runs it without any leniency); here it is
decided what they mean. What could mean two things is refused (RFC 9112, sections 3, 6 and 11).
"""

import re
from typing import Final

import msgspec

from bailee.errors import ExpectationRefused, MalformedRequest, MethodRefused
from bailee.http.upgrade import Opening, read_opening
from bailee.model import RELAYED_METHODS, WEBSOCKET

HEAD_LIMIT: Final = 32 * 1024
"""Bytes of a request line with its headers (R32)."""

CHUNKED: Final = -1
"""The value of `body_length` for a chunked body of unknown length."""

_HOST = re.compile(rb"[A-Za-z0-9\-._]+(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](?::[0-9]{1,5})?")
_HOSTS_REMEMBERED: Final = 1024
_hosts_seen: set[bytes] = set()
"""Valid values of Host that have been seen: clients send the same few."""
_QUERY = re.compile(rb"[!$-~]*")
"""Visible ASCII but the double quote and the number sign: it can be passed on as it is."""
_ONCE = re.compile(rb"[!-~]{1,128}")
FIELDS: Final = (b"host", b"authorization", b"bailee-token", b"bailee-subject", b"bailee-once")
"""Headers that have a field of their own and stand at most once."""
FRAMING_AND_SPECIAL: Final = frozenset(
    {*FIELDS, b"content-length", b"transfer-encoding", b"connection", b"expect", b"upgrade"}
)
"""What stands once and is not passed on as it is."""
STANDS_ONCE: Final = frozenset(
    {
        b"content-disposition",
        b"content-type",
        b"idempotency-key",
        b"if-modified-since",
        b"if-range",
        b"if-unmodified-since",
        b"last-event-id",
        b"range",
        b"user-agent",
    }
)
"""What is passed on and is no list: some servers take the first of two, some the last."""


class Received(msgspec.Struct):
    """One request head as it came from a client, with one meaning.

    `headers` are the end-to-end headers in their order, as (lower-case name, name as sent, value);
    framing, `Host`, `Authorization` and our own headers stand in fields of their own.
    """

    method: str
    """As sent; `WEBSOCKET` for a GET that opens one."""
    path: bytes
    query: bytes
    """Without the question mark; empty when there is none."""
    host: bytes
    headers: list[tuple[bytes, bytes, bytes]]
    body_length: int
    """0 for no body, `CHUNKED`, or the value of Content-Length."""
    has_length: bool
    keep_alive: bool
    expects_continue: bool
    authorization: bytes | None
    token: bytes | None
    """The value of `Bailee-Token`."""
    subject: bytes | None = None
    """The value of `Bailee-Subject`: whose key the application believes to use."""
    once: bytes | None = None
    """The value of `Bailee-Once`: no other call of the caller may have it."""
    opening: Opening | None = None
    """The handshake of a WebSocket."""

    def __repr__(self) -> str:
        # Headers hold tokens: a traceback that shows values must not show them.
        return f"Received({self.method} ...)"


def read_head(
    method: str, target: bytes, version: str, pairs: list[tuple[bytes, bytes]], keep_alive: bool
) -> Received:
    """Read what llhttp split.

    Args:
        method: The method as sent.
        target: The request target as sent.
        version: `1.1`, as llhttp gives it.
        pairs: Header names and values as sent, in their order.
        keep_alive: What llhttp says of the connection.

    Raises:
        MalformedRequest: Not HTTP/1.1, not origin-form, or framing, Host, `Bailee-Once` or the
            handshake of a WebSocket in doubt.
        MethodRefused: CONNECT, TRACE or a method that is not known.
        ExpectationRefused: `Expect` with another value than `100-continue`.
    """
    if version != "1.1":
        raise MalformedRequest("only HTTP/1.1 is spoken here", "in nginx: proxy_http_version 1.1")
    if method not in RELAYED_METHODS:
        raise MethodRefused()
    if not target.startswith(b"/"):
        raise MalformedRequest("the request target must be a path", "send 'GET /{connection}/...'")
    path, _, query = target.partition(b"?")
    if query and not _QUERY.fullmatch(query):
        raise MalformedRequest("the query has characters that must be percent-encoded")
    special: dict[bytes, bytes] = {}
    headers = []
    for name, value in pairs:
        lower = name.lower()
        if lower not in FRAMING_AND_SPECIAL:
            headers.append((lower, name, value))
        elif lower in special:
            raise MalformedRequest(f"more than one {lower.decode()} header")
        else:
            special[lower] = value
    if has_doubled(headers):
        raise MalformedRequest("a header that stands once stands there twice")
    host = special.get(b"host", b"")
    if not is_host(host):
        raise MalformedRequest("exactly one valid Host header is required")
    opening: Opening | None = None
    if b"upgrade" in special:
        opening, headers = read_opening(method, special, headers)
        # Nothing but frames may follow it, whether it is let through or not.
        method, keep_alive = WEBSOCKET, False
    if connection := special.get(b"connection"):
        headers = _without_nominated(headers, connection)
    return Received(
        method=method,
        path=path,
        query=query,
        host=host,
        headers=headers,
        body_length=_body_length(special) if len(special) > 1 else 0,
        has_length=b"content-length" in special,
        keep_alive=keep_alive,
        expects_continue=b"expect" in special and _expects_continue(special[b"expect"]),
        authorization=special.get(b"authorization"),
        token=special.get(b"bailee-token"),
        subject=special.get(b"bailee-subject"),
        once=read_once(special[b"bailee-once"]) if b"bailee-once" in special else None,
        opening=opening,
    )


def has_doubled(headers: list[tuple[bytes, bytes, bytes]]) -> bool:
    """Tell whether a header that is no list stands there twice: it has two meanings."""
    names = [lower for lower, _, _ in headers]
    distinct = set(names)
    if len(distinct) == len(names):
        return False
    return any(name in STANDS_ONCE and names.count(name) > 1 for name in distinct)


def is_host(host: bytes) -> bool:
    """Tell whether a value of Host is a name or an address, with or without a port."""
    if host in _hosts_seen:
        return True
    if not _HOST.fullmatch(host):
        return False
    if len(_hosts_seen) < _HOSTS_REMEMBERED:
        _hosts_seen.add(host)
    return True


def read_once(key: bytes) -> bytes:
    """Read the value of `Bailee-Once`.

    Raises:
        MalformedRequest: It is not one.
    """
    if not _ONCE.fullmatch(key):
        raise MalformedRequest("Bailee-Once is not 1 to 128 characters of visible ASCII")
    return key


def _body_length(special: dict[bytes, bytes]) -> int:
    length = special.get(b"content-length")
    coding = special.get(b"transfer-encoding")
    if coding is not None:
        if length is not None:
            raise MalformedRequest("both Content-Length and Transfer-Encoding")
        if coding.lower() != b"chunked":
            raise MalformedRequest("a transfer coding other than chunked")
        return CHUNKED
    if length is None:
        return 0
    if not length.isdigit() or len(length) > 18:
        raise MalformedRequest("Content-Length is not a plain number")
    return int(length)


def _expects_continue(expectation: bytes) -> bool:
    if expectation.lower() != b"100-continue":
        raise ExpectationRefused()
    return True


def _without_nominated(
    headers: list[tuple[bytes, bytes, bytes]], connection: bytes
) -> list[tuple[bytes, bytes, bytes]]:
    """Drop the headers that `Connection` nominates: they are for us alone (RFC 9110, 7.6.1)."""
    nominated = {name.strip().lower() for name in connection.split(b",")}
    if nominated <= {b"keep-alive", b"close"}:
        return headers
    return [header for header in headers if header[0] not in nominated]
