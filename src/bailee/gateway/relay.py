"""One call under way: dial, open, sign, send, and pass the answer on.

The record is closed exactly once, whatever happens (`_close_record`). Until the answer has begun, a
failure becomes a problem document; after that the client's connection is cut, so that a broken
answer never looks whole.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Final

import structlog
from msgspec.structs import replace

from bailee.egress.tls import PinnedStream
from bailee.errors import (
    AnswerLost,
    BaileeError,
    BodyTimeout,
    ClientGone,
    Denied,
    InternalError,
    OutcomeUnknown,
    ProviderTimeout,
    Reached,
    RouteChanged,
)
from bailee.gateway.answers import AnswerReader, Begun, End
from bailee.gateway.authorize import Authorized
from bailee.gateway.bodies import allowed_by, too_large
from bailee.gateway.client_head import framed_lines, own_lines, rewritten_lines
from bailee.gateway.departure import Departure
from bailee.gateway.inbound import BODY_WAITING_LIMIT, Inbound
from bailee.gateway.limited import LIMITING
from bailee.gateway.limits import BYTES_PER_SECOND
from bailee.gateway.line import Line
from bailee.gateway.once import RECONCILE, claim_of, what_was_sent
from bailee.gateway.opening import Needles
from bailee.gateway.screen import Screen, mask_whole
from bailee.gateway.sending import Message, placed_message, signed_message
from bailee.gateway.session import Session
from bailee.gateway.stage import ANSWERING, DIALLING, ENDED, GATHERING, RECORDING, SENT
from bailee.http.framing import LAST_CHUNK, chunk
from bailee.http.head import CHUNKED, Received
from bailee.journal.entry import Outcome
from bailee.model import Bodies, CallId

_IDEMPOTENT: Final = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
"""RFC 9110, 9.2.2. Only these are sent again, and only when a pooled stream turns out dead."""
_log = structlog.get_logger("gateway")


class Call:
    """One call, from its intent to its outcome."""

    ended = False
    """Whether the call is over; it may be before it was recorded, when its client hung up."""

    # What most calls never change stands here, so that making a call sets little.
    _stage: int = RECORDING
    _stream: PinnedStream | None = None
    _reader: AnswerReader | None = None
    _dialling: asyncio.Task[None] | None = None
    _retried = False
    _sending_paused = False
    _body_ended = False
    _chunks_out = False
    _keep = False
    _status: int | None = None
    _sent_bytes = 0
    _received_bytes = 0
    _dropped: Sequence[bytes] = ()
    _screen: Screen | None = None
    _departure: Departure | None = None
    """The call's way to a stream, where it could not have one at once."""
    _body_since = 0.0
    """When the client was told to send its body, on the loop's clock, where it waited for that."""
    _sent_at = 0.0
    """When a call that did not leave in the turn it began in was sent, Unix seconds."""
    _granted_by: Bodies = ()
    """The rules about its body that let the call through, where there are any."""
    _needles: Needles = ()
    _path_prefix = ""

    def __init__(
        self,
        call: CallId,
        authorized: Authorized,
        session: Session,
        inbound: Inbound,
        received: Received,
        line: Line,
        now: float,
    ) -> None:
        self.id = call
        self.received = received
        self.method = received.method
        self.authorized = authorized
        self._session = session
        self._inbound = inbound
        self._line = line
        self.started_at = now
        self._started = line.clock()
        self._deadline = self._started + line.limits.first_byte_seconds
        self.valid_until = authorized.valid_until
        self._loads = authorized.loads
        line.calls.add(self)
        authorized.loads.enter()

    def __repr__(self) -> str:
        return f"Call({self.id}, stage={self._stage})"

    @property
    def unsent(self) -> bool:
        """Whether nothing of the call has been sent yet, so that it can still be called off."""
        return self._stage <= DIALLING

    @property
    def peer(self) -> str:
        """The address of its client."""
        return self._session.peer

    # --- dial ---

    def start(self) -> None:
        """Go: the intent has been recorded. Take a pooled stream and send, or dial one first."""
        authorized = self.authorized
        if authorized.must_gather and not (self._has_gathered() and self._is_granted()):
            return
        signer = authorized.route.view.signer
        if self.received.once is not None or (signer is not None and signer.nonce != "none"):
            self._dial()
        else:
            self._take_or_dial()

    def _has_gathered(self) -> bool:
        """Tell whether the whole body is here; until then call again."""
        limit, begins = self._line.limits.held_body_bytes, self._stage is RECORDING
        self._stage = GATHERING  # the intent has been recorded: whatever comes, an outcome is due
        if self._inbound.waiting > limit:
            self._give_up(too_large(limit))
            return False
        if self._inbound.complete:
            return True
        if begins and self.received.expects_continue:
            self._ask_for_body()
        return False

    def _ask_for_body(self) -> None:
        self._body_since = self._line.clock()
        self._session.send(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _is_granted(self) -> bool:
        """Judge the body, which is whole; a call that no rule about it lets through is over."""
        refused = self._judge() if self.authorized.bodies else None
        if refused is not None:
            self._give_up(refused)
        return refused is None

    def _judge(self) -> BaileeError | None:
        body = self._inbound.gathered()
        try:
            self._granted_by = allowed_by(self.received, self.authorized.bodies, body)
        except Denied as refused:
            return refused
        return None

    def hold_to(self, bodies: Bodies) -> BaileeError | None:
        """Hold the call to the rules about its body that are there now; None when it may go on.

        A body that has been sent is not here any more: then one of the rules that let it through
        must still be there for each part of it.
        """
        if self._granted_by and set(self._granted_by) <= set(bodies):
            return None
        if not self.unsent:
            return Denied("what its body was let through by is gone")
        if self._stage is DIALLING and not self._inbound.complete:
            return RouteChanged()
        self.authorized = replace(self.authorized, bodies=bodies, must_gather=True)
        return self._judge() if self._inbound.complete else None

    def _take_or_dial(self) -> None:
        self._stage = DIALLING  # the intent has been recorded: whatever comes, an outcome is due
        stream = self._line.pool.take(self.authorized.route.key)
        if stream is None:
            self._dial()
        else:
            stream.reused = True
            if not (self._line.budgets.bans.any and self._is_held_back(stream)):
                self._proceed(stream)

    def refuse(self, error: BaileeError) -> None:
        """Answer with a problem: the intent could not be recorded, and nothing was sent."""
        self._give_up(error)

    def _dial(self) -> None:
        self._stage = DIALLING
        if self._inbound.waiting > BODY_WAITING_LIMIT and not self._inbound.complete:
            self._session.pause_body()
        self._dialling = self._line.tasks.create_task(self._dial_and_proceed())

    async def _dial_and_proceed(self) -> None:
        claim = claim_of(self.received, self.authorized, self.id)
        departure = self._departure = Departure(self.authorized, self._line, claim)
        signer = self.authorized.route.view.signer
        asks = claim is not None or (signer is not None and signer.nonce != "none")
        try:
            # Where the database is not asked, the pool was asked before.
            stream = await departure.stream(pooled=asks and not self._retried)
        except BaileeError as refused:
            self._dialling = None
            self._fail(refused)
            return
        except Exception:  # noqa: BLE001  # a task's fault would end the worker's task group
            self._dialling = None
            _log.exception("dial failed", call=self.id)
            self._fail(InternalError())
            return
        self._dialling = None
        if self._stage is not DIALLING:
            stream.abort()
            return
        self._sent_at = time.time()
        if self._line.budgets.bans.any and self._is_held_back(stream):
            return
        try:
            self._proceed(stream)
        except Exception:  # noqa: BLE001  # a task's fault would end the worker's task group
            _log.exception("a call could not be sent", call=self.id)
            stream.abort()
            self._give_up(InternalError())

    def _is_held_back(self, stream: PinnedStream) -> bool:
        """Tell whether the provider has told to wait while the call was on its way; if so, end."""
        try:
            self._line.budgets.bans.require_admitted(self.authorized.route)
        except BaileeError as refused:
            self._line.pool.give(stream, self._line.clock())
            self._fail(refused)
            return True
        return False

    # --- open, sign, send ---

    def _proceed(self, stream: PinnedStream) -> None:
        head = self._opened_head(stream)
        if head is None:
            return
        reader = stream.receiver
        if not isinstance(reader, AnswerReader):
            reader = AnswerReader(stream)
        self._await_answer(stream, reader)
        session = self._session
        if self.received.expects_continue and not self._inbound.complete and not self._retried:
            self._ask_for_body()
        if session.paused:  # before the write, which may fill the stream and pause the body
            session.resume_body()
        stream.write(head + self._body_so_far() if self._inbound.pieces else self._ended(head))

    def _opened_head(self, stream: PinnedStream) -> bytes | None:
        """The first that is sent; None when the credential does not open: then the call is over."""
        try:
            message = self._message_for(stream)
        except BaileeError as refused:
            self._line.pool.give(stream, self._line.clock())
            self._fail(refused)
            return None
        self._needles, self._dropped = message.needles, message.dropped
        if message.path_prefix:
            self._path_prefix = message.path_prefix
        if message.signed_body_bytes is not None:
            self._body_ended = True
            self._sent_bytes += message.signed_body_bytes
        return message.head

    def _await_answer(self, stream: PinnedStream, reader: AnswerReader) -> None:
        self._stream, self._reader = stream, reader
        reader.attach(self)
        self._stage = SENT
        if self._departure is not None:
            self._deadline = self._line.clock() + self._line.limits.first_byte_seconds
        if self._session.write_paused:
            stream.pause_reading()

    def _message_for(self, stream: PinnedStream) -> Message:
        """The head for the provider, with the whole body where the scheme signs it."""
        line, authorized, received = self._line, self.authorized, self.received
        view, now = authorized.route.view, self.started_at
        if view.plan is not None:
            return placed_message(
                line.vault, stream, view.plan, authorized, self._inbound, received, now
            )
        signer = view.signer
        if signer is None:
            raise InternalError("a provider without a scheme")
        body = b"".join(self._inbound.take_pieces()) if signer.covers_body else b""
        nonce = "" if self._departure is None else self._departure.nonce
        self._sent_at = time.time()
        return signed_message(line.vault, stream, signer, authorized, received, body, nonce, now)

    def _body_so_far(self) -> bytes:
        pieces = self._inbound.take_pieces()
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        self._sent_bytes += len(body)
        if self.received.body_length == CHUNKED and body:
            body = chunk(body)
        return self._ended(body)

    def _ended(self, body: bytes) -> bytes:
        """Add the last chunk once the client has sent all."""
        if self._inbound.complete and not self._body_ended:
            self._body_ended = True
            if self.received.body_length == CHUNKED:
                return body + LAST_CHUNK
        return body

    # --- what the session tells ---

    def body_came(self) -> None:
        """More of the body, or its end, has come."""
        stream = self._stream
        if self._stage is GATHERING:
            self._sent_at = time.time()
            self._deadline = self._line.clock() + self._line.limits.idle_seconds
            try:
                self.start()
            except Exception:  # noqa: BLE001  # no input ends the session without an answer
                _log.exception("a call could not be sent", call=self.id)
                self._give_up(InternalError())
            return
        if stream is None:
            if self._inbound.waiting > BODY_WAITING_LIMIT:
                self._session.pause_body()
            return
        if self._inbound.pieces or (self._inbound.complete and not self._body_ended):
            out = self._body_so_far()
            limits = self._line.limits
            self._deadline = self._line.clock() + (
                limits.first_byte_seconds if self._body_ended else limits.idle_seconds
            )
            if self._sent_bytes > limits.body_bytes:
                self._give_up(too_large(limits.body_bytes, held=False))
                return
            if out:
                stream.write(out)

    def body_faulty(self, fault: BaileeError) -> None:
        """The body is ambiguous: nothing more is sent, and the call is given up."""
        self._give_up(fault)

    def client_gone(self) -> None:
        """The client hung up: the stream is in the middle of a call and is not used again."""
        if self._stage is not ENDED:
            self._drop_stream()
            departure = self._departure
            if departure is not None and departure.claimed is not None and self.unsent:
                self._line.once.release(departure.claimed)
            self._close_record(ClientGone(), self._line.clock())

    def client_reads(self, reads: bool) -> None:
        """Hand the client's back-pressure on to the provider."""
        if self._stream is not None:
            if reads:
                self._stream.resume_reading()
            else:
                self._stream.pause_reading()

    def expired(self, now: float) -> bool:
        """End the call when one of its deadlines has passed."""
        if self._stage not in (GATHERING, DIALLING, SENT, ANSWERING):
            return False
        limits, session = self._line.limits, self._session
        if session.stalled(now):
            self._give_up(ClientGone("the client reads the answer too slowly"))
        elif self._body_is_slow(now):
            self._give_up(BodyTimeout("the body comes at less than 1 KiB a second"))
        elif now > self._started + limits.call_seconds:
            self._time_out(f"the call took longer than {limits.call_seconds:g} seconds")
        elif now > self._deadline and self._stage is not DIALLING:
            self._time_out("")
        else:
            return False
        return True

    def _body_is_slow(self, now: float) -> bool:
        """Whether the client has sent less of its body than it had the time to."""
        inbound, session, since = self._inbound, self._session, self._body_since
        unasked = self.received.expects_continue and not since
        if inbound.complete or session.paused or unasked:
            return False
        waited = now - (since or self._started) - session.paused_seconds
        seconds = waited - self._line.limits.slow_seconds
        return inbound.came < seconds * BYTES_PER_SECOND

    def _time_out(self, detail: str) -> None:
        """Give up, and say who was waited for."""
        if self._session.write_paused:
            self._give_up(ClientGone(detail or "the client stopped reading the answer"))
        elif not self._inbound.complete and not self._sending_paused:
            self._give_up(BodyTimeout(detail))
        elif self._repeatable or self.unsent:
            self._give_up(ProviderTimeout(detail))
        else:
            detail = detail or "the write was sent and not answered in time"
            self._give_up(OutcomeUnknown(detail, RECONCILE))

    def revoke(self, error: BaileeError) -> None:
        """What allowed this call is gone: end it now."""
        self._give_up(error)

    def frames_came(self, data: bytes) -> None:
        """No connection of a plain call is upgraded."""
        raise InternalError("frames of a call that is no WebSocket")

    def draining(self) -> None:
        """A plain call may end in its own time."""

    # --- what the answer's reader tells ---

    def answer_came(self, begun: Begun | None, pieces: list[bytes], end: End | None) -> None:
        """Pass a part of the answer on, in one write."""
        now = self._line.clock()
        if end is None:
            self._deadline = now + self._line.limits.idle_seconds
        if pieces:
            self._received_bytes += sum(map(len, pieces))
        screen, needles = self._screen, self._needles
        if begun is not None:
            view = self.authorized.route.view
            if begun.status in LIMITING:
                self._line.budgets.bans.see(self.authorized.route, begun, time.time())
            if view.screened or (end is None and needles):
                screen = self._screen = Screen(self.id, view, needles)
        if screen is not None:
            try:
                begun, pieces = screen.sift(begun, pieces, last=end is not None)
            except BaileeError as doubtful:
                self._give_up(doubtful)
                return
            if begun is not None and screen.limited and begun.status not in LIMITING:
                self._line.budgets.bans.see(self.authorized.route, begun, time.time())
        out: list[bytes] = []
        if begun is not None:
            out = self._answer_head(begun)
            self._stage = ANSWERING
        if pieces:
            if self._chunks_out:
                out.append(chunk(b"".join(pieces)))
            else:
                out += pieces
        if end is not None and self._chunks_out:
            out.append(LAST_CHUNK)
        if out:
            data = b"".join(out)
            if begun is not None and needles:
                data = mask_whole(data, needles, self.id)
            self._line.outbox.write(self._session.transport, data)
        if end is not None:
            self._answer_done(end.reusable, now)

    def _answer_head(self, begun: Begun) -> list[bytes]:
        self._status = begun.status
        self._keep = (
            self.received.keep_alive and self._inbound.complete and not self._session.draining
        )
        lines, self._chunks_out = framed_lines(begun)
        if begun.head.locating:
            lines += rewritten_lines(
                begun.head.locating,
                self.received,
                self.authorized,
                self._path_prefix,
                self._line.scheme,
            )
        verdict = () if self._screen is None else self._screen.verdict
        lines += own_lines(self.id, verdict, self._dropped, keep=self._keep)
        return lines

    def _answer_done(self, reusable: bool, now: float) -> None:
        """The answer is complete: the stream goes back and the record is closed."""
        stream = self._stream
        if stream is not None:
            if reusable and self._body_ended and not self._sending_paused:
                if self._session.write_paused:
                    stream.resume_reading()
                self._line.pool.give(stream, now)
            else:
                stream.abort()
        self._close_record(None, now)
        self._session.finish(keep=self._keep, now=now)

    def answer_failed(self, error: BaileeError | None) -> None:
        """No answer, or no whole one. A dead pooled stream is tried again where that is safe."""
        if error is None and self._may_retry():
            self._retried = True
            self._stream = self._reader = None
            self._body_ended = False
            self._dial()
            return
        if error is None:
            error = AnswerLost() if self._repeatable else OutcomeUnknown(hint=RECONCILE)
        self._give_up(error)

    def pause_sending(self) -> None:
        """Hand the provider's back-pressure on to the client."""
        self._sending_paused = True
        self._session.pause_body()

    def resume_sending(self) -> None:
        """Read the client's body again."""
        self._sending_paused = False
        self._session.resume_body()

    # --- the end ---

    @property
    def _repeatable(self) -> bool:
        """Whether the call may be made again: not where it has a key, whatever its method is."""
        return self.method in _IDEMPOTENT and self.received.once is None

    def _may_retry(self) -> bool:
        return (
            self._stage is SENT
            and (self._screen is None or not self._screen.holds)
            and not self._retried
            and self._stream is not None
            and self._stream.reused
            and self._repeatable
            and self.received.body_length == 0
        )

    def _give_up(self, error: BaileeError) -> None:
        """Drop the stream, then say so if nothing was said yet, or cut the client off."""
        if self._stage is ENDED:
            return
        self._drop_stream()
        self._fail(error)

    def _fail(self, error: BaileeError) -> None:
        if self._stage is ENDED:
            return
        error.reached = Reached.NOTHING if self.unsent and not self._retried else Reached.MAYBE
        begun = self._stage is ANSWERING
        claim = self._departure.claimed if self.unsent and self._departure is not None else None
        if not (self.unsent or self._repeatable):
            at = self._sent_at or self.started_at
            error.members = what_was_sent(self.method, self.authorized.path, at)
        self._close_record(error, self._line.clock())
        if begun:
            self._session.cut()
        elif claim is not None:  # who is told that nothing was sent may come again at once
            self._line.once.release(claim, lambda: self._session.refuse(error, self.id))
        else:
            self._session.refuse(error, self.id)

    def _drop_stream(self) -> None:
        if self._dialling is not None:
            self._dialling.cancel()
            self._dialling = None
        if self._reader is not None:
            self._reader.abort()
        self._stream = self._reader = None

    def _close_record(self, error: BaileeError | None, now: float) -> None:
        reached, recorded = None, self._stage is not RECORDING
        if error is not None:
            nothing_left = self._stage <= DIALLING and not self._retried
            reached = Reached.NOTHING if nothing_left else Reached.MAYBE
            _log.warning("call failed", call=self.id, code=error.code, detail=error.detail)
        self._stage = ENDED
        self.ended = True
        self._line.calls.discard(self)
        self._loads.leave()
        if recorded:
            seconds = now - self._started
            self._line.journal.outcome(
                Outcome(
                    self.id,
                    self.started_at + seconds,
                    self._status,
                    error.code if error is not None else None,
                    reached,
                    self._sent_bytes,
                    self._received_bytes,
                    round(seconds, 6),
                )
            )
