"""The heads of a call, built from parsed parts and never copied."""

from collections.abc import Sequence
from typing import Final

from bailee.gateway.authorize import Authorized
from bailee.http.head import CHUNKED, Received
from bailee.http.location import Rewriter
from bailee.model import RELAYED_METHODS
from bailee.signing.place import Placed

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
    if received.body_length == CHUNKED:
        length = b"Transfer-Encoding: chunked\r\n"
    elif received.has_length or received.method in _MAY_HAVE_BODY:
        length = b"Content-Length: %d\r\n" % received.body_length
    else:
        length = b""
    parts = (
        _METHODS[received.method],
        placed.path_prefix,
        authorized.target,
        b"?" + query if query else b"",
        route.after_target,
        placed.headers,
        *lines,
        length,
        b"\r\n",
    )
    return b"".join(parts), dropped


def rewritten_lines(
    locating: list[tuple[str, str]], received: Received, authorized: Authorized, path_prefix: str
) -> list[bytes]:
    """Rewrite an answer's headers that hold URLs into ones of ours; what leads elsewhere goes.

    Args:
        locating: Lower-case names and values.
        received: The request; its Host is what the client calls us by.
        authorized: Where the call went.
        path_prefix: What of the provider's path holds the credential.
    """
    route = authorized.route
    rewriter = Rewriter(
        origins=route.view.provider.origins,
        connection=route.connection,
        base=f"http://{received.host.decode('ascii')}",
        path_prefix=path_prefix,
        reserved=route.view.reserved,
    )
    requested = f"https://{route.origin.authority}{path_prefix}{authorized.path}"
    lines = []
    for name, value in locating:
        rewrite = rewriter.rewrite_link if name == "link" else rewriter.rewrite
        rewritten = rewrite(value, requested)
        if rewritten is not None:
            lines.append(f"{name}: {rewritten}\r\n".encode("ascii", "replace"))
    return lines
