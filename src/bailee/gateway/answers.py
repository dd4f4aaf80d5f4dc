"""Read the answers of one pinned stream, one call after another.

llhttp runs without leniency. Where an answer can be read in two ways the call is answered with 502
and the stream dropped, so that no byte of it can reach another caller.
"""

from typing import Final, NamedTuple, Protocol

import httptools
import msgspec

from bailee.egress.tls import PinnedStream
from bailee.errors import AnswerMalformed, BaileeError
from bailee.http.answer import (
    AnswerHead,
    judge_answer_head,
    judge_interim,
    judge_status_line,
    kind_of,
    may_stay,
)
from bailee.http.framing import AnswerBody, answer_body
from bailee.http.kinds import PASS
from bailee.http.plain import read_plain_answer

ANSWER_HEAD_LIMIT: Final = 64 * 1024
INTERIM_LIMIT: Final = 8
"""1xx answers before the final one; they are not passed on."""


class Begun(msgspec.Struct, frozen=True, gc=False):
    """The head of a final answer."""

    status: int
    head: AnswerHead
    body: AnswerBody


class End(NamedTuple):
    """An answer is complete; `reusable` when the stream may carry another call."""

    reusable: bool


_REUSABLE: Final = End(True)
_USED_UP: Final = End(False)


class AnsweredCall(Protocol):
    """What a reader tells the call whose answer it reads."""

    method: str

    def answer_came(self, begun: "Begun | None", pieces: list[bytes], end: "End | None") -> None:
        """A part of the answer: its head the first time, body, and its end the last time."""
        ...

    def answer_failed(self, error: BaileeError | None) -> None:
        """There will be no (more) answer: it was malformed, or lost when `error` is None."""
        ...

    def pause_sending(self) -> None:
        """The provider reads too slowly."""
        ...

    def resume_sending(self) -> None:
        """The provider reads again."""
        ...


class AnswerReader:
    """The receiver of one pinned stream for as long as it lives."""

    __slots__ = (
        "_begun",
        "_body",
        "_call",
        "_clean",
        "_complete",
        "_excess",
        "_feed",
        "_idle_bytes",
        "_interim",
        "_keep",
        "_lines",
        "_parser",
        "_pieces",
        "_special",
        "_stream",
    )

    def __init__(self, stream: PinnedStream) -> None:
        self._stream = stream
        self._parser = httptools.HttpResponseParser(self)
        self._feed = self._parser.feed_data
        self._call: AnsweredCall | None = None
        self._lines: list[bytes] = []
        self._special: list[tuple[bytes, bytes]] = []
        self._pieces: list[bytes] = []
        self._begun: Begun | None = None
        self._body: AnswerBody | None = None
        self._complete = False
        self._excess = False
        self._interim = 0
        self._idle_bytes = 0
        self._keep = False
        self._clean = True
        """Whether nothing has changed since the last answer: it was plain."""
        stream.receiver = self

    def __repr__(self) -> str:
        return f"AnswerReader(busy={self._call is not None})"

    def attach(self, call: AnsweredCall) -> None:
        """Read the next answer for `call`."""
        self._call = call
        if self._clean:
            return
        self._clean = True
        self._begun = None
        self._body = None
        self._complete = False
        self._excess = False
        self._interim = 0
        self._idle_bytes = 0
        self._keep = False

    def abort(self) -> None:
        """Give up the call's answer and the stream."""
        self._call = None
        self._stream.abort()

    # --- StreamReceiver ---

    def released(self) -> None:
        """Let the parser go, which refers back: else the stream would wait for the collector."""
        del self._parser, self._feed

    def data_received(self, plain: bytes) -> None:
        """Parse; then tell the call what came."""
        call = self._call
        if call is None or self._complete:
            self.abort()
            return
        if self._body is None and not self._idle_bytes and call.method != "HEAD":
            # Nothing of this answer has been fed to llhttp, which would begin a message.
            whole = read_plain_answer(plain)
            if whole is not None:
                self._call = None
                status, head, body = whole
                begun_whole = Begun(status, head, AnswerBody.LENGTH)
                call.answer_came(begun_whole, [body] if body else [], _REUSABLE)
                return
        self._clean = False
        error: BaileeError | None = None
        try:
            self._feed(plain)
        except httptools.HttpParserUpgrade:
            error = AnswerMalformed("the provider switched protocols unasked")
        except httptools.HttpParserCallbackError as wrapped:
            cause = wrapped.__context__
            error = cause if isinstance(cause, BaileeError) else AnswerMalformed()
        except httptools.HttpParserError:
            error = AnswerMalformed()
        if self._body is None or not (self._pieces or self._complete):
            # A head, or a trailer, or the framing of chunks that hold nothing.
            self._idle_bytes += len(plain)
            if self._idle_bytes > ANSWER_HEAD_LIMIT:
                error = error or AnswerMalformed("the answer's head or trailer is too large")
        if self._call is not call:
            return
        if error is not None and not self._complete:
            self.abort()
            call.answer_failed(error)
            return
        begun, self._begun = self._begun, None
        # The list becomes the call's, even an empty one: what the call adds to it must not come
        # back with the next answer.
        pieces, self._pieces = self._pieces, []
        if self._complete:
            self._call = None
            reusable = self._keep and not self._excess and error is None
            call.answer_came(begun, pieces, _REUSABLE if reusable else _USED_UP)
        elif begun is not None or pieces:
            call.answer_came(begun, pieces, None)

    def stream_lost(self, *, clean: bool) -> None:
        """The stream has ended: an answer that lasts until then is complete, others are lost."""
        self.released()
        call, self._call = self._call, None
        if call is None:
            return
        if clean and self._body is AnswerBody.UNTIL_CLOSE:
            call.answer_came(None, [], _USED_UP)
        else:
            call.answer_failed(None)

    def pause_sending(self) -> None:
        """The provider reads too slowly."""
        if self._call is not None:
            self._call.pause_sending()

    def resume_sending(self) -> None:
        """The provider reads again."""
        if self._call is not None:
            self._call.resume_sending()

    # --- httptools callbacks ---

    def on_message_begin(self) -> None:
        """An answer begins; after a complete one there must be none."""
        if self._complete:
            self._excess = True
        self._lines = []
        self._special = []

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header; a trailer is thrown away."""
        if self._body is None:
            if kind_of(name) == PASS:
                self._lines += (name, b": ", value, b"\r\n")
            else:
                self._special.append((name, value))
        else:
            self._idle_bytes += len(name) + len(value)
            if self._idle_bytes > ANSWER_HEAD_LIMIT:
                raise AnswerMalformed("the answer's trailer is too large")

    def on_headers_complete(self) -> None:
        """The head is complete: interim, or the final one."""
        if self._complete or self._call is None:
            return
        version, status = self._parser.get_http_version(), self._parser.get_status_code()
        judge_status_line(version, status)
        if status < 200:
            judge_interim(self._special)
            self._interim += 1
            if status == 101 or self._interim > INTERIM_LIMIT:
                raise AnswerMalformed("the provider sent interim answers without end")
            return
        head = judge_answer_head(self._lines, self._special)
        method = self._call.method
        self._body = answer_body(method, status, head.length is not None, head.chunked)
        self._keep = (
            may_stay(version, status, head)
            and self._parser.should_keep_alive()
            and self._body is not AnswerBody.UNTIL_CLOSE
        )
        self._begun = Begun(status, head, self._body)
        if method == "HEAD":
            self._complete = True
            self._parser = httptools.HttpResponseParser(self)
            self._feed = self._parser.feed_data

    def on_body(self, piece: bytes) -> None:
        """A part of the body."""
        self._idle_bytes = 0
        if self._complete:
            self._excess = True
        else:
            self._pieces.append(piece)

    def on_message_complete(self) -> None:
        """The message is complete: an interim one is not counted."""
        if self._body is not None:
            self._complete = True
