"""How an answer's body ends, and how one of unknown length is written (RFC 9112, section 6)."""

import http
from enum import Enum
from typing import Final

LAST_CHUNK: Final = b"0\r\n\r\n"


class AnswerBody(Enum):
    """How the end of an answer's body is known."""

    NONE = "none"
    LENGTH = "length"
    CHUNKED = "chunked"
    UNTIL_CLOSE = "until-close"


def answer_body(method: str, status: int, has_length: bool, chunked: bool) -> AnswerBody:
    """Decide how an answer's body ends (RFC 9112, 6.3)."""
    if method == "HEAD" or status in (204, 304):
        return AnswerBody.NONE
    if chunked:
        return AnswerBody.CHUNKED
    return AnswerBody.LENGTH if has_length else AnswerBody.UNTIL_CLOSE


def chunk(piece: bytes) -> bytes:
    """Write one chunk; `piece` is not empty."""
    return b"%x\r\n%b\r\n" % (len(piece), piece)


STATUS_LINES: Final = {
    int(status): b"HTTP/1.1 %d %s\r\n" % (status, status.phrase.encode())
    for status in http.HTTPStatus
}


def status_line(status: int) -> bytes:
    """Write a status line with the registered phrase, or none for an unregistered status."""
    return STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status
