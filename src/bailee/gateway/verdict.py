"""What an answer says about the key, told to the caller as `Bailee-Verdict`.

Some APIs refuse inside a 200. Where the provider's file knows such refusals, an answer whose
meaning depends on its body is held back until it is whole; large answers and event streams are
not, and mean what their status says.
"""

import time
from typing import Final

import structlog

from bailee.gateway.answers import Begun
from bailee.gateway.route import ProviderView
from bailee.http.coding import decode_start
from bailee.http.date import parse_http_date
from bailee.http.framing import AnswerBody
from bailee.model import CallId, Meaning
from bailee.providers.refusal import CompiledRefusals

HELD_LIMIT: Final = 64 * 1024
"""Bytes of a body that are held back and looked at."""
SKEW_SECONDS: Final = 2.0
"""`Date` has whole seconds, and was written before the answer came: less proves nothing."""
_STREAMED: Final = (b"text/event-stream", b"application/x-ndjson", b"application/grpc")
_log = structlog.get_logger("gateway")


class HeldAnswer:
    """An answer that is held back, as far as it has come."""

    __slots__ = ("begun", "pieces", "size")

    def __init__(self, begun: Begun) -> None:
        self.begun = begun
        self.pieces: list[bytes] = []
        self.size = 0

    def __repr__(self) -> str:
        return f"HeldAnswer({self.begun.status}, {self.size} bytes)"

    def add(self, pieces: list[bytes]) -> None:
        """Add what has come of the body."""
        self.pieces += pieces
        self.size += sum(map(len, pieces))

    @property
    def full(self) -> bool:
        """Whether it is larger than what is held back."""
        return self.size > HELD_LIMIT


def must_hold(refusals: CompiledRefusals, begun: Begun) -> bool:
    """Tell whether an answer has to be whole before its meaning is known, and will soon be."""
    status, head, body = begun.status, begun.head, begun.body
    if body is AnswerBody.NONE or not refusals.needs_body(status):
        return False
    if head.length is not None and int(head.length) > HELD_LIMIT:
        return False
    return not _header(head.lines, b"content-type").lower().startswith(_STREAMED)


def judge(refusals: CompiledRefusals, begun: Begun, pieces: list[bytes]) -> Meaning:
    """Say what an answer means.

    Args:
        refusals: Those of the provider.
        begun: The answer's head.
        pieces: Its body when it was held back; else nothing of it.
    """
    if not pieces:
        return refusals.of_call(begun.status, b"")
    coding = _header(begun.head.lines, b"content-encoding").strip().lower()
    body = decode_start(b"".join(pieces), coding, HELD_LIMIT)
    # A refusal could stand in what can't be read: it is not called served.
    return Meaning.UNCLEAR if body is None else refusals.of_call(begun.status, body)


def is_coded(begun: Begun) -> bool:
    """Tell whether a body is compressed, so that nothing can be looked for in it."""
    coding = _header(begun.head.lines, b"content-encoding").strip().lower()
    return coding not in (b"", b"identity") and begun.body is not AnswerBody.NONE


def verdict_lines(call: CallId, view: ProviderView, begun: Begun, meaning: Meaning) -> list[bytes]:
    """Write the header lines that tell the caller.

    When a signed request was not served and the provider's clock is another than ours,
    `Bailee-Clock-Skew` says by how many seconds ours is ahead.
    """
    lines = [b"Bailee-Verdict: ", meaning.encode("ascii"), b"\r\n"]
    if view.signer is not None and meaning is not Meaning.SERVED:
        theirs = parse_http_date(_header(begun.head.lines, b"date").decode("latin-1"))
        skew = 0.0 if theirs is None else time.time() - theirs
        if abs(skew) >= SKEW_SECONDS:
            _log.warning("the provider's clock is another", call=call, ahead_seconds=round(skew))
            lines.append(b"Bailee-Clock-Skew: %d\r\n" % round(skew))
    return lines


def _header(lines: list[bytes], wanted: bytes) -> bytes:
    """Find the first value of a header in lines of four parts: name, colon, value, end."""
    for place in range(0, len(lines), 4):
        if lines[place].lower() == wanted:
            return lines[place + 2]
    return b""
