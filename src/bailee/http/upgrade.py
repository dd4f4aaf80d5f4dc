"""The opening handshake of a WebSocket (RFC 6455, section 4): the client's, and ours upstream.

The two have nothing in common but the sub-protocols: the key towards the provider is our own, and
extensions are never offered nor accepted, so that every frame can be read.
"""

import binascii
import re
from base64 import b64decode, b64encode
from hashlib import sha1
from typing import Final, NamedTuple

from bailee.errors import AnswerMalformed, MalformedRequest
from bailee.http.hop import LOCATING, answer_header_passes

PROTOCOLS_LIMIT: Final = 32
KEY_BYTES: Final = 16
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_TOKEN: Final = re.compile(rb"[A-Za-z0-9!#$%&'*+\-.^_`|~]{1,128}")
_PREFIX: Final = b"sec-websocket-"
_HINT: Final = "send the opening handshake of RFC 6455 as a WebSocket library does"

Headers = list[tuple[bytes, bytes, bytes]]
"""As in `http.head.Received`: lower-case name, name as sent, value."""


class Opening(NamedTuple):
    """A client's handshake, checked."""

    accept: bytes
    """The answer to its key."""
    protocols: tuple[bytes, ...]
    """The sub-protocols that it offers."""


class Switched(NamedTuple):
    """A provider's 101, checked."""

    protocol: bytes | None
    """The sub-protocol that it chose."""
    lines: list[bytes]
    """Its other headers that are passed on, as whole lines."""


def read_opening(
    method: str, special: dict[bytes, bytes], headers: Headers
) -> tuple[Opening, Headers]:
    """Read a client's handshake.

    Args:
        method: The method as sent.
        special: Framing and our own headers, by lower-case name.
        headers: All others.

    Returns:
        The handshake, and the headers that are none of it; `Sec-WebSocket-Extensions` stays among
        them, for it is dropped.

    Raises:
        MalformedRequest: It asks for something other than a WebSocket, or could be read otherwise.
    """
    if special[b"upgrade"].lower() != b"websocket":
        raise MalformedRequest("upgrades to anything but a WebSocket are not relayed")
    if b"upgrade" not in _tokens(special.get(b"connection", b"")):
        raise MalformedRequest("Upgrade without 'Connection: Upgrade'", _HINT)
    if method != "GET":
        raise MalformedRequest("a WebSocket is opened by GET", _HINT)
    for name in (b"content-length", b"transfer-encoding", b"expect", b"bailee-once"):
        if name in special:
            raise MalformedRequest(f"a WebSocket is opened without {name.decode()}")
    rest = [each for each in headers if not _belongs(each[0])]
    own = [(lower, value) for lower, _, value in headers if _belongs(lower)]
    key, version = _single(own, b"key"), _single(own, b"version")
    if version != b"13":
        raise MalformedRequest("only version 13 of WebSocket is spoken here", _HINT)
    if not _is_key(key):
        raise MalformedRequest("Sec-WebSocket-Key is not 16 bytes in base64", _HINT)
    return Opening(accept_of(key), _offered(own)), rest


def accept_of(key: bytes) -> bytes:
    """Answer a key: both sides so know that they speak of WebSocket."""
    return b64encode(sha1(key + _GUID, usedforsecurity=False).digest())


def opening_lines(key: bytes, protocols: tuple[bytes, ...]) -> bytes:
    """Write the headers of a handshake of ours."""
    lines = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    lines += b"Sec-WebSocket-Key: " + key + b"\r\n"
    if protocols:
        lines += b"Sec-WebSocket-Protocol: " + b", ".join(protocols) + b"\r\n"
    return lines


def read_switch(
    pairs: list[tuple[bytes, bytes]], key: bytes, offered: tuple[bytes, ...]
) -> Switched:
    """Read the headers of a provider's 101.

    Args:
        pairs: Names and values as sent.
        key: What it was sent.
        offered: The sub-protocols that it was offered.

    Raises:
        AnswerMalformed: It is not the answer to this handshake.
    """
    found: dict[bytes, bytes] = {}
    lines: list[bytes] = []
    for name, value in pairs:
        lower = name.lower()
        if lower in (b"upgrade", b"connection") or lower.startswith(_PREFIX):
            if lower in found:
                raise AnswerMalformed("the provider's 101 has a header twice")
            found[lower] = value
        elif lower in (b"content-length", b"transfer-encoding"):
            raise AnswerMalformed("the provider's 101 has a length")
        elif answer_header_passes(lower) and lower not in LOCATING:
            lines += (name, b": ", value, b"\r\n")
    if found.pop(b"upgrade", b"").lower() != b"websocket":
        raise AnswerMalformed("the provider switched to something other than a WebSocket")
    if b"upgrade" not in _tokens(found.pop(b"connection", b"")):
        raise AnswerMalformed("the provider's 101 is without 'Connection: Upgrade'")
    if found.pop(_PREFIX + b"accept", b"") != accept_of(key):
        raise AnswerMalformed("the provider's 101 answers another handshake")
    protocol = found.pop(_PREFIX + b"protocol", None)
    if protocol is not None and protocol not in offered:
        raise AnswerMalformed("the provider chose a sub-protocol that was not offered")
    if found:
        raise AnswerMalformed("the provider chose an extension that was not offered")
    return Switched(protocol, lines)


def _belongs(lower: bytes) -> bool:
    return lower.startswith(_PREFIX) and lower != _PREFIX + b"extensions"


def _single(own: list[tuple[bytes, bytes]], name: bytes) -> bytes:
    values = [value for lower, value in own if lower == _PREFIX + name]
    if len(values) != 1:
        raise MalformedRequest(
            f"exactly one Sec-WebSocket-{name.decode().title()} is needed", _HINT
        )
    return values[0]


def _is_key(key: bytes) -> bool:
    try:
        decoded = b64decode(key, validate=True)
    except binascii.Error:
        return False
    return len(decoded) == KEY_BYTES and b64encode(decoded) == key


def _offered(own: list[tuple[bytes, bytes]]) -> tuple[bytes, ...]:
    """The sub-protocols, in their order; several headers are one list (RFC 6455, 11.3.4)."""
    values = [value for lower, value in own if lower == _PREFIX + b"protocol"]
    if not values:
        return ()
    names = tuple(name.strip(b" \t") for value in values for name in value.split(b","))
    plain = all(_TOKEN.fullmatch(name) for name in names)
    if not plain or len(set(names)) != len(names) or len(names) > PROTOCOLS_LIMIT:
        raise MalformedRequest("Sec-WebSocket-Protocol is not a list of names, each once", _HINT)
    return names


def _tokens(value: bytes) -> set[bytes]:
    return {token.strip(b" \t").lower() for token in value.split(b",")}
