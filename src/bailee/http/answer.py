"""An answer's head, read once and without doubt, and what of it is passed on."""

from typing import Final

import msgspec

from bailee.errors import AnswerMalformed
from bailee.http.hop import LOCATING, answer_header_passes

PASS: Final = 0
"""The kind of a header that is passed on as it is."""
_DROP: Final = 1
_LENGTH: Final = 2
_CODING: Final = 3
_CONNECTION: Final = 4
_LOCATING: Final = 5
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
        if kind == _LENGTH:
            if length is not None or not value.isdigit() or len(value) > 18:
                raise AnswerMalformed("the answer's Content-Length is doubtful")
            length = value
        elif kind == _CODING:
            if chunked or value.lower() != b"chunked":
                raise AnswerMalformed("the answer has a transfer coding other than chunked")
            chunked = True
        elif kind == _LOCATING:
            locating.append((name.lower().decode("ascii"), value.decode("latin-1")))
        elif kind == _CONNECTION:
            nominated = value if nominated is None else nominated + b"," + value
    if chunked and length is not None:
        raise AnswerMalformed("the answer has both Content-Length and Transfer-Encoding")
    if nominated is not None and nominated.lower() not in (b"keep-alive", b"close"):
        lines = _without_nominated(lines, nominated)
    return AnswerHead(lines, length, chunked, locating)


def kind_of(name: bytes) -> int:
    """Tell what is done with a header, by its name as sent."""
    kind = _kinds.get(name)
    return _find_kind(name) if kind is None else kind


def _find_kind(name: bytes) -> int:
    lower = name.lower()
    if lower == b"content-length":
        kind = _LENGTH
    elif lower == b"transfer-encoding":
        kind = _CODING
    elif lower == b"connection":
        kind = _CONNECTION
    elif lower in LOCATING:
        kind = _LOCATING
    else:
        kind = PASS if answer_header_passes(lower) else _DROP
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
