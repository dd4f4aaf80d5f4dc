"""One client's connection: requests are read strictly, one after another, and answered in order.

llhttp runs without any leniency. A request is handed on when its head is complete; its body follows
in pieces. While an earlier request is under way nothing more is read, so that at most what came in
one read waits here.
"""

import asyncio
from collections import deque
from typing import Final, Protocol, cast

import httptools
import structlog

from bailee.errors import (
    BaileeError,
    HeadTimeout,
    HeadTooLarge,
    InternalError,
    MalformedRequest,
    Overloaded,
)
from bailee.gateway.authorize import KnownHead
from bailee.gateway.inbound import Inbound
from bailee.gateway.limits import BYTES_PER_SECOND
from bailee.gateway.outbox import Outbox
from bailee.http.head import HEAD_LIMIT, Received, read_head
from bailee.http.plain import read_plain_request
from bailee.http.problem import problem_answer
from bailee.model import CallId

KEEP_ALIVE_SECONDS: Final = 75.0
LINGER_SECONDS: Final = 1.0
"""How long a body that nobody wants is read and thrown away, so that the client sees the answer."""
_BEYOND_TARGET: Final = len("GET  HTTP/1.1\r\n\r\n")
"""What of a head is neither its target nor a header."""
DRAIN_IDLE_SECONDS: Final = 0.5
"""How long a drain waits for a request that a client may have sent already."""
LINGER_BYTES: Final = 1 << 20
_log = structlog.get_logger("gateway")


class Exchange(Protocol):
    """A call under way, as its session sees it."""

    def body_came(self) -> None:
        """More of the body, or its end, stands in the inbound request."""
        ...

    def body_faulty(self, fault: BaileeError) -> None:
        """The body can't be read to its end without doubt; the call is given up."""
        ...

    def client_gone(self) -> None:
        """The client hung up."""
        ...

    def client_reads(self, reads: bool) -> None:
        """The client reads too slowly, or reads again."""
        ...

    def expired(self, now: float) -> bool:
        """End the call if its deadline has passed, and tell so."""
        ...

    def frames_came(self, data: bytes) -> None:
        """The client has sent bytes on a connection that is upgraded."""
        ...

    def draining(self) -> None:
        """The worker is about to leave, and the connection is upgraded."""
        ...


class Calls(Protocol):
    """What a session needs of the rest of the gateway."""

    def new_id(self) -> CallId:
        """Name the next call, or what is refused before it becomes one."""
        ...

    def begin(self, session: "Session", inbound: Inbound, call: CallId) -> Exchange:
        """Begin a call. Raises a BaileeError when it is refused."""
        ...

    def end_expired(self) -> None:
        """End the calls whose permission has expired."""
        ...

    def recall(self, data: bytes, last: KnownHead | None) -> KnownHead | None:
        """Find what was made of the same bytes before; None when they have to be parsed."""
        ...


# What becomes of a connection. Plain numbers: they are compared several times in each call.
_OPEN: Final = 0
_LINGERING: Final = 1
_CLOSED: Final = 2
_UPGRADED: Final = 3
"""Frames come, and not requests."""


class Session(asyncio.Protocol):
    """The protocol of one client connection."""

    transport: asyncio.Transport

    def __init__(
        self,
        calls: Calls,
        outbox: Outbox,
        sessions: set["Session"],
        limit: int,
        head_seconds: float,
        slow_seconds: float,
    ) -> None:
        self._calls = calls
        self._outbox = outbox
        self._sessions = sessions
        self._limit = limit
        self._head_seconds = head_seconds
        self._slow_seconds = slow_seconds
        self._clock = asyncio.get_running_loop().time
        self._parser = httptools.HttpRequestParser(self)
        self._queue: deque[Inbound] = deque()
        self._reading: Inbound | None = None
        self._target = b""
        self._pairs: list[tuple[bytes, bytes]] = []
        self._head_bytes = 0
        self._head_size = 0
        self._body_came = False
        self._state: int = _OPEN
        self._linger_left = LINGER_BYTES
        self._last: KnownHead | None = None
        self._last_data = b""
        self._exchange: Exchange | None = None
        self.paused = False
        self._paused_at = 0.0
        self.paused_seconds = 0.0
        """How long nothing was read of the client since the last request ended, and not now."""
        self._read_by = 0.0
        """When a client that does not read must have read what waits for it."""
        self._deadline = self._clock() + head_seconds
        self.draining = False
        self.write_paused = False
        self.peer = ""

    def __repr__(self) -> str:
        return f"Session(state={self._state}, queued={len(self._queue)})"

    @property
    def _in_head(self) -> bool:
        return self._reading is not None and self._reading.received is None

    # --- what an exchange does with its session ---

    def send(self, answer: bytes) -> None:
        """Write a part of an answer, at the end of this turn of the loop."""
        self._outbox.write(self.transport, answer)

    def pause_body(self) -> None:
        """Read no more of the client until `resume_body`."""
        if not self.paused:
            self.paused = True
            self._paused_at = self._clock()
            self.transport.pause_reading()

    def resume_body(self) -> None:
        """Read the client again."""
        if self.paused and self._state is _OPEN and len(self._queue) <= 1:
            self.paused = False
            self.paused_seconds += self._clock() - self._paused_at
            self.transport.resume_reading()

    def stalled(self, now: float) -> bool:
        """Whether the client reads more slowly than it has to."""
        return self.write_paused and now > self._read_by

    def finish(self, *, keep: bool, now: float) -> None:
        """The answer is complete at `now`; go on with the next request or close."""
        inbound = self._queue.popleft()
        self._exchange = None
        self.paused_seconds = 0.0
        if not keep or not inbound.complete:
            self._close(linger=not inbound.complete)
            return
        idle = DRAIN_IDLE_SECONDS if self.draining else KEEP_ALIVE_SECONDS
        self._deadline = now + (self._head_seconds if self._in_head else idle)
        if self._queue:
            asyncio.get_running_loop().call_soon(self._begin_next)
        elif self.paused:
            self.resume_body()

    def upgrade(self) -> None:
        """Hand what the client sends from now on to the call in front: it is a WebSocket."""
        self._state = _UPGRADED
        if self.paused:
            self.paused = False
            self.transport.resume_reading()

    def leave(self, seconds: float) -> None:
        """Close an upgraded connection after what was written last, or so many seconds later."""
        self._exchange = None
        if self._state is not _CLOSED:
            self._state = _CLOSED
            self._outbox.flush()
            self._read_by = self._clock() + seconds
            self.transport.close()

    def hang_up(self) -> None:
        """Abort the connection; a call under way is told so."""
        self.transport.abort()

    def cut(self) -> None:
        """Abort the connection: the answer can't be completed, and must not look complete."""
        self._exchange = None
        self._state = _CLOSED
        self.transport.abort()

    def refuse(self, error: BaileeError, call: CallId) -> None:
        """Answer the request in front with a problem."""
        inbound = self._queue[0]
        received = inbound.received
        close = received is None or not received.keep_alive or not inbound.complete or self.draining
        head_only = received is not None and received.method == "HEAD"
        self.send(problem_answer(error, call, close=close, head_only=head_only))
        self.finish(keep=not close, now=self._clock())

    # --- deadlines and draining ---

    def check(self, now: float) -> None:
        """Look at the deadlines; the listener calls this a few times a second."""
        if self._exchange is not None:
            self._exchange.expired(now)
        elif self._state is _CLOSED or self.write_paused:
            if now > self._read_by:
                self.transport.abort()
        elif now > self._deadline:
            if self._state is _OPEN and self._in_head:
                self.send(problem_answer(HeadTimeout(), close=True))
            self._close(linger=False)

    def drain(self) -> None:
        """Take one request more at most: close when it was answered, or when none comes soon.

        A client that wrote before it could know, on a kept connection or a new one, is answered.
        """
        self.draining = True
        if self._state is _UPGRADED and self._exchange is not None:
            self._exchange.draining()
        if not self._queue and not self._in_head:
            self._deadline = min(self._deadline, self._clock() + DRAIN_IDLE_SECONDS)

    # --- asyncio.Protocol ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected; over the cap it is sent away."""
        self.transport = cast(asyncio.Transport, transport)
        peer = self.transport.get_extra_info("peername")
        self.peer = peer[0] if peer else ""
        self._sessions.add(self)
        if len(self._sessions) > self._limit:
            self.send(problem_answer(Overloaded("too many connections"), close=True))
            self._close(linger=False)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._state = _CLOSED
        del self._parser  # it refers back: else all of it would wait for the collector
        self._sessions.discard(self)
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.client_gone()

    def eof_received(self) -> bool:
        """A client that has ended its side still gets the answer under way, and no more."""
        self.draining = True
        if self._state is _UPGRADED:
            return False
        return self._exchange is not None and self._queue[-1].complete

    def pause_writing(self) -> None:
        """The client reads too slowly."""
        self.write_paused = True
        self._read_by = self._read_deadline()
        if self._exchange is not None:
            self._exchange.client_reads(False)

    def resume_writing(self) -> None:
        """The client reads again."""
        self.write_paused = False
        if self._exchange is not None:
            self._exchange.client_reads(True)

    def data_received(self, data: bytes) -> None:
        """Parse, then begin or feed the call in front."""
        if self._state is not _OPEN:
            if self._state is _UPGRADED and self._exchange is not None:
                self._exchange.frames_came(data)
            else:
                self._throw_away(len(data))
            return
        at_boundary = self._reading is None and not self._queue
        if at_boundary:
            known = self._calls.recall(data, self._last if data == self._last_data else None)
            if known is not None:
                self._last, self._last_data = known, data
                self._queue.append(Inbound(known))
                self._begin_next()
                return
            plain = read_plain_request(data)
            if plain is not None:
                self._take(*plain, data)
                return
        self._parse(data)
        if at_boundary and len(self._queue) == 1:
            self._mark_whole(self._queue[0], data)
        if self._exchange is not None:
            if len(self._queue) > 1:
                self.pause_body()
            self._exchange.body_came()
        elif self._queue:
            self._begin_next()

    def _take(self, received: Received, body: bytes, data: bytes) -> None:
        """Begin the call of a request that came whole and alone: llhttp has seen nothing of it."""
        inbound = Inbound()
        inbound.received = received
        inbound.complete = True
        if body:
            inbound.add_piece(body)
        else:
            inbound.whole = data
        self._queue.append(inbound)
        self._begin_next()

    def _parse(self, data: bytes) -> None:
        if self._queue and self._is_opening(self._queue[-1]):
            self._spoil_opening()
            return
        fault: BaileeError | None = None
        was_in_head, heads, self._body_came = self._in_head, len(self._queue), False
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            # Its handshake was read as a request; frames may follow when it has been answered.
            if upgrade.args[0] < len(data):
                self._spoil_opening()
            return
        except httptools.HttpParserCallbackError as wrapped:
            cause = wrapped.__context__
            fault = cause if isinstance(cause, BaileeError) else MalformedRequest()
        except httptools.HttpParserError:
            fault = MalformedRequest("the request is not unambiguous HTTP/1.1")
        if self._in_head and (was_in_head or not heads) and len(self._queue) == heads:
            # All of these bytes belong to the head that is not complete yet.
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_LIMIT:
                fault = fault or HeadTooLarge()
        elif self._reading is not None and not self._in_head and not self._body_came:
            # A trailer, or the framing of chunks that hold nothing.
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_LIMIT:
                fault = fault or HeadTooLarge("the trailer is too large")
        if fault is not None:
            self._poison(fault)

    def _mark_whole(self, inbound: Inbound, data: bytes) -> None:
        received = inbound.received
        if (
            inbound.complete
            and received is not None
            and received.body_length == 0
            and received.keep_alive
            and not received.expects_continue
        ):
            inbound.whole = data

    def _poison(self, fault: BaileeError) -> None:
        """Mark the request being read as faulty: it is answered in its turn, and is the last."""
        inbound = self._reading
        if inbound is None or inbound.received is None:
            inbound = Inbound()
            self._queue.append(inbound)
        elif self._exchange is not None and self._queue[0] is inbound:
            self._reading = None
            self._exchange.body_faulty(fault)
            return
        inbound.fault = fault
        inbound.received = None
        self._reading = None
        self.pause_body()

    def _is_opening(self, inbound: Inbound) -> bool:
        return inbound.received is not None and inbound.received.opening is not None

    def _spoil_opening(self) -> None:
        """Refuse a WebSocket whose client did not wait for the answer to its handshake."""
        fault = MalformedRequest("bytes before the answer to the handshake")
        self.pause_body()
        inbound = self._queue[-1]
        if self._exchange is not None and self._queue[0] is inbound:
            self._exchange.body_faulty(fault)
        else:
            inbound.fault = fault
            inbound.received = None

    def _begin_next(self) -> None:
        while self._queue and self._exchange is None and self._state is _OPEN:
            inbound = self._queue[0]
            call = self._calls.new_id()
            if inbound.fault is not None:
                self.refuse(inbound.fault, call)
                return
            try:
                self._exchange = self._calls.begin(self, inbound, call)
            except BaileeError as refused:
                self.refuse(refused, call)
            except Exception:  # noqa: BLE001  # no input ends the process (R40)
                _log.exception("a call could not begin", call=call)
                self.refuse(InternalError(), call)
        if len(self._queue) > 1:
            self.pause_body()

    def _close(self, *, linger: bool) -> None:
        if self._state is _CLOSED:
            return
        if linger and self._state is _OPEN:
            self._state = _LINGERING
            self._deadline = self._clock() + LINGER_SECONDS
            if self.paused:
                self.paused = False
                self.transport.resume_reading()
            return
        self._state = _CLOSED
        self._outbox.flush()
        self._read_by = self._read_deadline()
        self.transport.close()

    def _read_deadline(self) -> float:
        """By when the client must have read what waits for it now."""
        waiting = self.transport.get_write_buffer_size()
        return self._clock() + self._slow_seconds + waiting / BYTES_PER_SECOND

    def _throw_away(self, count: int) -> None:
        self._linger_left -= count
        if self._linger_left < 0:
            self._close(linger=False)

    # --- httptools callbacks ---

    def on_message_begin(self) -> None:
        """A request line begins."""
        self._reading = Inbound()
        self._target = b""
        self._pairs = []
        self._head_bytes = 0
        self._head_size = _BEYOND_TARGET
        if self._exchange is None:
            self._deadline = self._clock() + self._head_seconds

    def on_url(self, part: bytes) -> None:
        """A part of the request target."""
        self._target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header; a trailer is thrown away."""
        if self._in_head:
            self._pairs.append((name, value))
        self._head_size += len(name) + len(value) + 4
        if self._head_size > 2 * HEAD_LIMIT:
            raise HeadTooLarge()

    def on_headers_complete(self) -> None:
        """The head is complete."""
        inbound = self._reading
        if inbound is None:
            return
        parser = self._parser
        if self._head_size + len(self._target) > HEAD_LIMIT:
            raise HeadTooLarge()
        inbound.received = read_head(
            parser.get_method().decode("ascii", "replace"),
            self._target,
            parser.get_http_version(),
            self._pairs,
            parser.should_keep_alive(),
        )
        self._queue.append(inbound)

    def on_body(self, piece: bytes) -> None:
        """A part of the body."""
        inbound = self._reading
        if inbound is not None:
            inbound.add_piece(piece)
            self._head_bytes = 0
            self._head_size = 0
            self._body_came = True

    def on_message_complete(self) -> None:
        """The request is complete."""
        if self._reading is not None:
            self._reading.complete = True
            self._reading = None
