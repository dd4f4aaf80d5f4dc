"""A request's head, read once and without doubt.

llhttp has split the bytes before (`gateway/session.py` runs it without any leniency); here it is
decided what they mean. What could mean two things is refused (RFC 9112, sections 3, 6 and 11).
"""

import re
from typing import Final

import msgspec

from bailee.errors import ExpectationRefused, MalformedRequest, MethodRefused
from bailee.model import RELAYED_METHODS

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
_FRAMING_AND_SPECIAL = frozenset(
    {
        b"host",
        b"content-length",
        b"transfer-encoding",
        b"connection",
        b"expect",
        b"upgrade",
        b"authorization",
        b"bailee-token",
        b"bailee-subject",
        b"bailee-once",
    }
)


class Received(msgspec.Struct):
    """One request head as it came from a client, with one meaning.

    `headers` are the end-to-end headers in their order, as (lower-case name, name as sent, value);
    framing, `Host`, `Authorization` and our own headers stand in fields of their own.
    """

    method: str
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
        MalformedRequest: Not HTTP/1.1, not origin-form, or framing, Host or `Bailee-Once` in doubt.
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
        if lower not in _FRAMING_AND_SPECIAL:
            headers.append((lower, name, value))
        elif lower in special:
            raise MalformedRequest(f"more than one {lower.decode()} header")
        else:
            special[lower] = value
    host = special.get(b"host", b"")
    if host not in _hosts_seen:
        if not _HOST.fullmatch(host):
            raise MalformedRequest("exactly one valid Host header is required")
        if len(_hosts_seen) < _HOSTS_REMEMBERED:
            _hosts_seen.add(host)
    if b"upgrade" in special:
        raise MalformedRequest("upgrades are not relayed")
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
        once=_once(special[b"bailee-once"]) if b"bailee-once" in special else None,
    )


def _once(key: bytes) -> bytes:
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
