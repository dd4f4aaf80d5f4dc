"""The compiled parser of plain messages: the one place that says whether it is there.

A *plain* message is whole and alone in one read, and nothing in it can be read in two ways:

    request   one of the methods that are relayed, a path of RFC 3986's characters, HTTP/1.1
    answer    HTTP/1.1, 200 to 599 but 204 and 304, with a Content-Length
    both      names that are tokens, values of visible ASCII, spaces and tabs, not empty; CRLF;
              Content-Length once, digits alone, and so many bytes of body; Connection only as
              `keep-alive`; nothing twice that stands once; no Transfer-Encoding, Upgrade,
              Proxy-Connection or Expect; a head of at most 8 KiB

Everything else, and whatever is wrong, is llhttp's: it decides what it means or which fault it has.
A message that is taken here is read exactly as llhttp and `head.py` or `answer.py` read it. It may
be given to this parser only where llhttp would begin a message.
"""

import os
from typing import Final

from bailee.errors import MalformedRequest
from bailee.http.answer import AnswerHead, kind_of, locating_pair
from bailee.http.head import FIELDS, FRAMING_AND_SPECIAL, STANDS_ONCE, Received, is_host, read_once
from bailee.http.kinds import ALONE, CONNECTION, FIELD, LENGTH, PASS, UNPLAIN
from bailee.model import RELAYED_METHODS

SWITCH: Final = "BAILEE_PLAIN_PARSER"
"""Environment: with `off` the compiled parser is left alone."""
_READ_BY_LLHTTP: Final = frozenset({b"proxy-connection", b"transfer-encoding", b"upgrade"})
"""What llhttp draws conclusions from that are not drawn here."""
_ALONE: Final = sorted(STANDS_ONCE)


def compiled_of() -> str | None:
    """The SHA-256 of the source of the compiled parser, if it is there and in use."""
    return None if _requests is None else SOURCE


def read_plain_request(data: bytes) -> tuple[Received, bytes] | None:
    """Read a plain request.

    Returns:
        Its head and its whole body; None when it is not plain, or when there is no compiled parser.
    """
    if _requests is None:
        return None
    split = _requests.split(data)
    if split is None:
        return None
    method, path, query, headers, length, fields, body = split
    host, authorization, token, subject, once = fields
    if host is None or not is_host(host):
        return None
    if once is not None:
        try:
            read_once(once)
        except MalformedRequest:
            return None
    received = Received(
        method,
        path,
        query,
        host,
        headers,
        max(length, 0),
        length >= 0,
        True,
        False,
        authorization,
        token,
        subject,
        once,
    )
    return received, body


def read_plain_answer(data: bytes) -> tuple[int, AnswerHead, bytes] | None:
    """Read a plain answer to any request but HEAD.

    Returns:
        Its status, head and whole body, after which the connection may carry another; None as
        `read_plain_request`.
    """
    if _answers is None:
        return None
    split = _answers.split(data)
    if split is None:
        return None
    status, lines, length, located, body = split
    locating = [locating_pair(*each) for each in located] if located else []
    return status, AnswerHead(lines, length, False, locating), body


def _request_kind(name: bytes) -> tuple[bytes, int]:
    lower = name.lower()
    if lower in FIELDS:
        return lower, FIELD + FIELDS.index(lower)
    if lower in STANDS_ONCE:
        return lower, ALONE + _ALONE.index(lower)
    if lower == b"content-length":
        return lower, LENGTH
    if lower == b"connection":
        return lower, CONNECTION
    return lower, UNPLAIN if lower in _READ_BY_LLHTTP or lower in FRAMING_AND_SPECIAL else PASS


def _answer_kind(name: bytes) -> tuple[bytes, int]:
    lower = name.lower()
    return lower, UNPLAIN if lower in _READ_BY_LLHTTP else kind_of(name)


_requests = _answers = None
if os.environ.get(SWITCH) != "off":
    try:
        from bailee.http._plain import SOURCE, AnswerSplitter, RequestSplitter
    except ImportError:
        pass  # it was not compiled
    else:
        _requests = RequestSplitter(_request_kind, RELAYED_METHODS, len(FIELDS))
        _answers = AnswerSplitter(_answer_kind)
