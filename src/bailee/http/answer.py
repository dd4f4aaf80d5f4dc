"""An answer's head, read once and without doubt, and what of it is passed on."""

from typing import Final

import msgspec

from bailee.errors import AnswerMalformed
from bailee.http.hop import LOCATING, answer_header_passes
from bailee.http.kinds import CODING, CONNECTION, DROP, LENGTH, PASS, URLS

_NAMES_REMEMBERED: Final = 1024

_kinds: dict[bytes, int] = {}


class AnswerHead(msgspec.Struct):
    """What an answer's head says.

    `lines` are complete header lines to pass on, `locating` the headers with URLs in them, as
    (lower-case name, value), which are rewritten before they may pass.
    """

    lines: list[bytes]
    length: bytes | None
    chunked: bool
    locating: list[tuple[str, str]]


def read_answer_head(pairs: list[tuple[bytes, bytes]]) -> AnswerHead:
    """Read the headers of a final answer, as llhttp split them.

    Raises:
        AnswerMalformed: Its framing can be read in two ways.
    """
    lines: list[bytes] = []
    special = []
    for name, value in pairs:
        if kind_of(name) == PASS:
            lines += (name, b": ", value, b"\r\n")
        else:
            special.append((name, value))
    return judge_answer_head(lines, special)


def judge_answer_head(lines: list[bytes], special: list[tuple[bytes, bytes]]) -> AnswerHead:
    """Read an answer's head whose headers have been split by kind already.

    Args:
        lines: The headers of kind `PASS`, four parts a line; they become the head's.
        special: All others, as (name, value).

    Raises:
        AnswerMalformed: Its framing can be read in two ways.
    """
    length: bytes | None = None
    chunked = False
    locating: list[tuple[str, str]] = []
    nominated: bytes | None = None
    for name, value in special:
        kind = kind_of(name)
        if kind == LENGTH:
            if length is not None or not value.isdigit() or len(value) > 18:
                raise AnswerMalformed("the answer's Content-Length is doubtful")
            length = value
        elif kind == CODING:
            if chunked or value.lower() != b"chunked":
                raise AnswerMalformed("the answer has a transfer coding other than chunked")
            chunked = True
        elif kind == URLS:
            locating.append(locating_pair(name, value))
        elif kind == CONNECTION:
            nominated = value if nominated is None else nominated + b"," + value
    if chunked and length is not None:
        raise AnswerMalformed("the answer has both Content-Length and Transfer-Encoding")
    if nominated is not None and nominated.lower() not in (b"keep-alive", b"close"):
        lines = _without_nominated(lines, nominated)
    return AnswerHead(lines, length, chunked, locating)


def locating_pair(name: bytes, value: bytes) -> tuple[str, str]:
    """Write a header with URLs as `AnswerHead.locating` has it."""
    return name.lower().decode("ascii"), value.decode("latin-1")


def judge_status_line(version: str, status: int) -> None:
    """Refuse an answer of another protocol, and a status that is none (RFC 9110, 15).

    Raises:
        AnswerMalformed: It is not HTTP/1.1 or 1.0, or its status is not 100 to 599.
    """
    if version not in ("1.1", "1.0"):
        raise AnswerMalformed("the answer is of another version of HTTP")
    if not 100 <= status <= 599:
        raise AnswerMalformed("the answer's status is none")


def judge_interim(special: list[tuple[bytes, bytes]]) -> None:
    """Refuse a 1xx answer that says that a body follows it (RFC 9110, 8.6; RFC 9112, 6.1).

    Raises:
        AnswerMalformed: It has a length or a coding: where it ends could be seen in two ways.
    """
    if any(kind_of(name) in (LENGTH, CODING) for name, _ in special):
        raise AnswerMalformed("an interim answer has framing")


def may_stay(version: str, status: int, head: AnswerHead) -> bool:
    """Tell whether another call may go on the stream of an answer, whatever it says itself.

    After HTTP/1.0 it may not; nor after a 204 that says that a body follows: one may.

    Raises:
        AnswerMalformed: HTTP/1.0 with a transfer coding, which it does not know (RFC 9112, 6.1).
    """
    if version != "1.1":
        if head.chunked:
            raise AnswerMalformed("an answer of HTTP/1.0 has a transfer coding")
        return False
    return status != 204 or (not head.chunked and not int(head.length or 0))


def kind_of(name: bytes) -> int:
    """Tell what is done with a header, by its name as sent."""
    kind = _kinds.get(name)
    return _find_kind(name) if kind is None else kind


def _find_kind(name: bytes) -> int:
    lower = name.lower()
    if lower == b"content-length":
        kind = LENGTH
    elif lower == b"transfer-encoding":
        kind = CODING
    elif lower == b"connection":
        kind = CONNECTION
    elif lower in LOCATING:
        kind = URLS
    else:
        kind = PASS if answer_header_passes(lower) else DROP
    if len(_kinds) < _NAMES_REMEMBERED:
        _kinds[name] = kind
    return kind


def _without_nominated(lines: list[bytes], nominated: bytes) -> list[bytes]:
    names = {name.strip().lower() for name in nominated.split(b",")}
    kept: list[bytes] = []
    for start in range(0, len(lines), 4):
        if lines[start].lower() not in names:
            kept += lines[start : start + 4]
    return kept
