"""One request over a pinned stream, and one bounded answer."""

import asyncio
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final

import httptools

from bailee.egress.tls import PinnedStream
from bailee.errors import AnswerLost, AnswerMalformed, BaileeError, ProviderTimeout
from bailee.http.answer import read_answer_head
from bailee.http.framing import AnswerBody, answer_body

BODY_LIMIT: Final = 64 * 1024
"""More of a body is not read; what was read is the answer."""
HEAD_LIMIT: Final = 64 * 1024
INTERIM_LIMIT: Final = 8
_NOTED: Final = frozenset({b"date", b"retry-after", b"content-encoding"})


@dataclass(frozen=True, slots=True)
class Answered:
    """A final answer. It came from a peer whose pin was checked, and is not trusted otherwise."""

    status: int
    body: bytes
    """At most `BODY_LIMIT`."""
    date: float | None = None
    """The Date header, Unix seconds."""
    retry_after: str = ""
    """As sent: seconds, or a date; empty when there was none."""

    def __repr__(self) -> str:
        # The body may hold what the user owns.
        return f"Answered({self.status}, {len(self.body)} bytes)"


async def exchange(stream: PinnedStream, request: bytes, method: str, seconds: float) -> Answered:
    """Send one request and read its answer. The stream is used up, whatever happens.

    Args:
        stream: Fresh: nothing was sent on it.
        request: Head and body. It should say `Connection: close`.
        method: Of the request: it decides whether the answer has a body.
        seconds: For all of it.

    Raises:
        ProviderTimeout: The answer was not whole in time.
        AnswerLost: The peer hung up before that.
        AnswerMalformed: It can be read in two ways.
    """
    reader = _Reader(method)
    stream.receiver = reader
    try:
        async with asyncio.timeout(seconds):
            stream.write(request)
            return await reader.answered
    except TimeoutError:
        raise ProviderTimeout(f"no whole answer within {seconds:g} seconds") from None
    finally:
        stream.abort()


class _Reader:
    """The receiver of the stream. Whatever comes after the answer is not looked at."""

    def __init__(self, method: str) -> None:
        self.answered: asyncio.Future[Answered] = asyncio.get_running_loop().create_future()
        self._method = method
        self._parser = httptools.HttpResponseParser(self)
        self._headers: list[tuple[bytes, bytes]] = []
        self._noted: dict[bytes, bytes] = {}
        self._status = 0
        self._framing: AnswerBody | None = None
        self._body = bytearray()
        self._head_bytes = 0
        self._interim = 0

    # --- StreamReceiver ---

    def released(self) -> None:
        """Let the parser go, which refers back."""
        del self._parser

    def data_received(self, plain: bytes) -> None:
        """Parse what came."""
        if self.answered.done():
            return
        if self._framing is None:
            self._head_bytes += len(plain)
        try:
            self._parser.feed_data(plain)
        except httptools.HttpParserCallbackError as wrapped:
            cause = wrapped.__context__
            self._fail(cause if isinstance(cause, BaileeError) else AnswerMalformed())
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._fail(AnswerMalformed())
        if self._framing is None and self._head_bytes > HEAD_LIMIT:
            self._fail(AnswerMalformed("the answer's head is too large"))

    def stream_lost(self, *, clean: bool) -> None:
        """An answer that lasts until the end of the stream is whole now; any other one is lost."""
        self.released()
        if clean and self._framing is AnswerBody.UNTIL_CLOSE:
            self._finish()
        else:
            self._fail(AnswerLost())

    def pause_sending(self) -> None:
        """A probe is short: it is in the transport's buffer already."""

    def resume_sending(self) -> None:
        """Nothing waits."""

    # --- httptools callbacks ---

    def on_message_begin(self) -> None:
        """An answer begins."""
        self._headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header; trailers are not looked at."""
        if self._framing is None:
            self._headers.append((name, value))
            if name.lower() in _NOTED:
                self._noted[name.lower()] = value

    def on_headers_complete(self) -> None:
        """The head is complete: interim, or the final one."""
        status = self._parser.get_status_code()
        if status < 200:
            self._interim += 1
            self._noted.clear()
            if status == 101 or self._interim > INTERIM_LIMIT:
                raise AnswerMalformed("the provider sent interim answers without end")
            return
        head = read_answer_head(self._headers)
        if self._noted.get(b"content-encoding", b"identity").lower() != b"identity":
            raise AnswerMalformed("the answer is compressed, which was not asked for")
        self._status = status
        self._framing = answer_body(self._method, status, head.length is not None, head.chunked)
        if self._framing is AnswerBody.NONE:
            self._finish()

    def on_body(self, piece: bytes) -> None:
        """A part of the body."""
        self._body += piece[: BODY_LIMIT - len(self._body)]
        if len(self._body) >= BODY_LIMIT:
            self._finish()

    def on_message_complete(self) -> None:
        """The answer is whole; an interim one does not count."""
        if self._framing is not None:
            self._finish()

    def _finish(self) -> None:
        if self.answered.done():
            return
        retry_after = self._noted.get(b"retry-after", b"").decode("latin-1")
        date = http_date(self._noted.get(b"date", b"").decode("latin-1"))
        self.answered.set_result(Answered(self._status, bytes(self._body), date, retry_after))

    def _fail(self, error: BaileeError) -> None:
        if not self.answered.done():
            self.answered.set_exception(error)


def http_date(text: str) -> float | None:
    """Read a date of HTTP as Unix seconds; None when it is none."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
