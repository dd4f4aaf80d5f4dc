"""The head for the provider, built from parsed parts and never copied."""

from collections.abc import Sequence
from typing import Final

from bailee.errors import UnsignableRequest
from bailee.gateway.authorize import Authorized
from bailee.http.head import CHUNKED, Received
from bailee.model import RELAYED_METHODS
from bailee.signing.place import Placed
from bailee.signing.request import SignedRequest, Unsigned

_MAY_HAVE_BODY: Final = frozenset({"POST", "PUT", "PATCH"})
_METHODS: Final = {method: method.encode() + b" " for method in RELAYED_METHODS}


def provider_head(
    received: Received, authorized: Authorized, placed: Placed
) -> tuple[bytes, Sequence[bytes]]:
    """Build the head that the provider is sent.

    Returns:
        The head, and the names of the client's headers that were dropped. The head holds the
        credential.
    """
    route = authorized.route
    lines, dropped = route.view.headers.split(received.headers)
    query = received.query
    if placed.query:
        query = query + b"&" + placed.query if query else placed.query
    parts = (
        _METHODS[received.method],
        placed.path_prefix,
        authorized.target,
        b"?" + query if query else b"",
        route.after_target,
        placed.headers,
        *lines,
        _length_line(received),
        b"\r\n",
    )
    return b"".join(parts), dropped


def unsigned_request(received: Received, authorized: Authorized, body: bytes) -> Unsigned:
    """Say what a scheme is to sign.

    Raises:
        UnsignableRequest: The body is compressed: what stands in it can't be signed.
    """
    coding, content_type = b"", b""
    for lower, _, value in received.headers:
        if lower == b"content-encoding":
            coding = value
        elif lower == b"content-type":
            content_type = value
    if body and coding.lower() not in (b"", b"identity"):
        raise UnsignableRequest("a compressed body can't be signed", "send it as it is")
    return Unsigned(received.method, authorized.target, received.query, body, content_type)


def signed_head(
    received: Received, authorized: Authorized, signed: SignedRequest, *, body_signed: bool
) -> tuple[bytes, Sequence[bytes]]:
    """Build the head of a request that was signed.

    Args:
        received: The request.
        authorized: Where it goes.
        signed: What the scheme made of it.
        body_signed: Whether `signed.body` is what is sent; else the client's body is streamed.

    Returns:
        The head, and the names of the client's headers that were dropped.
    """
    route = authorized.route
    headers = received.headers
    if signed.content_type is not None:
        headers = [each for each in headers if each[0] != b"content-type"]
    lines, dropped = route.view.headers.split(headers)
    if signed.content_type:
        lines += (b"Content-Type: ", signed.content_type, b"\r\n")
    if body_signed:
        has_body = signed.body or received.has_length or received.method in _MAY_HAVE_BODY
        length = b"Content-Length: %d\r\n" % len(signed.body) if has_body else b""
    else:
        length = _length_line(received)
    parts = (
        _METHODS[received.method],
        signed.path,
        b"?" + signed.query if signed.query else b"",
        route.after_target,
        signed.headers,
        *lines,
        length,
        b"\r\n",
    )
    return b"".join(parts), dropped


def _length_line(received: Received) -> bytes:
    if received.body_length == CHUNKED:
        return b"Transfer-Encoding: chunked\r\n"
    if received.has_length or received.method in _MAY_HAVE_BODY:
        return b"Content-Length: %d\r\n" % received.body_length
    return b""
