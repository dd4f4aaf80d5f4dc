"""The head of an answer as the client gets it, built from parsed parts and never copied."""

from collections.abc import Sequence
from typing import Final

from bailee.gateway.answers import Begun
from bailee.gateway.authorize import Authorized
from bailee.http.framing import STATUS_LINES, AnswerBody, status_line
from bailee.http.head import Received
from bailee.http.location import Rewriter
from bailee.model import CallId

_DROPPED_NAMES_LIMIT: Final = 1024


def framed_lines(begun: Begun) -> tuple[list[bytes], bool]:
    """Write the status line, the headers that pass and the framing.

    Returns:
        The lines, and whether the body has to be sent in chunks: its length is not known.
    """
    head, body = begun.head, begun.body
    lines = [STATUS_LINES.get(begun.status) or status_line(begun.status), *head.lines]
    if body is AnswerBody.LENGTH or (
        body is AnswerBody.NONE and head.length is not None and begun.status != 204
    ):
        lines += (b"Content-Length: ", head.length or b"0", b"\r\n")
    elif body is not AnswerBody.NONE:
        lines.append(b"Transfer-Encoding: chunked\r\n")
        return lines, True
    return lines, False


def own_lines(
    call: CallId, verdict: Sequence[bytes], dropped: Sequence[bytes], *, keep: bool
) -> list[bytes]:
    """Write what we say ourselves, and the end of the head.

    Args:
        call: The call's id.
        verdict: The lines that tell what the answer means.
        dropped: The names of the client's headers that were not sent on.
        keep: Whether the client may send another request.
    """
    if not (verdict or dropped) and keep:
        return [b"Bailee-Call: %b\r\n\r\n" % call.encode("ascii")]
    lines = [b"Bailee-Call: ", call.encode("ascii"), b"\r\n", *verdict]
    if dropped:
        names = b", ".join(sorted(set(dropped)))[:_DROPPED_NAMES_LIMIT]
        lines += (b"Bailee-Dropped: ", names, b"\r\n")
    lines.append(b"\r\n" if keep else b"Connection: close\r\n\r\n")
    return lines


def rewritten_lines(
    locating: list[tuple[str, str]],
    received: Received,
    authorized: Authorized,
    path_prefix: str,
    scheme: str,
) -> list[bytes]:
    """Rewrite an answer's headers that hold URLs into ones of ours; what leads elsewhere goes.

    Args:
        locating: Lower-case names and values.
        received: The request; its Host is what the client calls us by, and the form of the URLs
            is that of the call.
        authorized: Where the call went.
        path_prefix: What of the provider's path holds the credential.
        scheme: How the client reached us, `http` or `https`.
    """
    route, host = authorized.route, received.host.decode("ascii")
    rewriter = Rewriter(
        origins=route.view.provider.origins,
        connection=route.connection,
        base=f"{scheme}://{host.partition('.')[2] if authorized.by_host else host}",
        path_prefix=path_prefix,
        reserved=route.view.reserved,
        by_host=authorized.by_host,
    )
    requested = f"https://{route.origin.authority}{path_prefix}{authorized.path}"
    lines = []
    for name, value in locating:
        rewrite = rewriter.rewrite_link if name == "link" else rewriter.rewrite
        rewritten = rewrite(value, requested)
        if rewritten is not None:
            lines.append(f"{name}: {rewritten}\r\n".encode("ascii", "replace"))
    return lines
