"""One call under way: dial, open, sign, send, and pass the answer on.

The record is closed exactly once, whatever happens (`_close_record`). Until the answer has begun, a
failure becomes a problem document; after that the client's connection is cut, so that a broken
answer never looks whole.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from msgspec.structs import replace

from bailee.egress.dial import Door, dial
from bailee.egress.pool import Pool
from bailee.egress.resolve import Resolver
from bailee.egress.tls import PinnedStream
from bailee.errors import (
    AnswerLost,
    AnswerMalformed,
    BaileeError,
    BodyTimeout,
    ClientGone,
    Denied,
    InternalError,
    OutcomeUnknown,
    ProviderTimeout,
    ProviderUnreachable,
    Reached,
    RouteChanged,
)
from bailee.gateway.answers import AnswerReader, Begun, End
from bailee.gateway.authorize import KNOWN_HEAD_SECONDS, Authorized
from bailee.gateway.bodies import allowed_by, too_large
from bailee.gateway.heads import (
    provider_head,
    rewritten_lines,
    signed_head,
    unsigned_request,
)
from bailee.gateway.inbound import BODY_WAITING_LIMIT, Inbound
from bailee.gateway.nonces import NonceLeases
from bailee.gateway.once import RECONCILE, Claim, OnceKeys, claim_of, what_was_sent
from bailee.gateway.opening import CallVault, Needles, require_same_way
from bailee.gateway.outbox import Outbox
from bailee.gateway.session import Session
from bailee.gateway.verdict import HeldAnswer, is_coded, judge, must_hold, verdict_lines
from bailee.http.echo import EchoGuard, mask
from bailee.http.framing import LAST_CHUNK, STATUS_LINES, AnswerBody, chunk, status_line
from bailee.http.head import CHUNKED, Received
from bailee.journal.entry import Outcome
from bailee.journal.writer import Journal
from bailee.model import Bodies, CallId
from bailee.providers.refusal import CompiledRefusals
from bailee.signing.place import PlacePlan
from bailee.signing.sign import Signer

_IDEMPOTENT: Final = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
"""RFC 9110, 9.2.2. Only these are sent again, and only when a pooled stream turns out dead."""
_DROPPED_NAMES_LIMIT: Final = 1024
_log = structlog.get_logger("gateway")


@dataclass(slots=True)
class Line:
    """What all calls of a worker share."""

    vault: CallVault
    pool: Pool[PinnedStream]
    resolver: Resolver
    journal: Journal
    tasks: asyncio.TaskGroup
    outbox: Outbox
    calls: set["Call"]
    clock: Callable[[], float]
    """Seconds that never go back: the loop's."""
    call_seconds: float
    connect_seconds: float
    held_body_bytes: int
    """The largest body that is held until it is whole: it is judged, or the scheme signs it."""
    nonces: NonceLeases
    once: OnceKeys
    scheme: str = "http"
    """How clients reach this worker: `https` where it speaks TLS itself. No header decides it."""


# How far a call is, in order. Plain numbers: they are compared a dozen times in a call.
_RECORDING: Final = 0
_GATHERING: Final = 1
_DIALLING: Final = 2
_SENT: Final = 3
_ANSWERING: Final = 4
_ENDED: Final = 5
_STREAMS_TRIED: Final = 3
"""A stream that died while the call's nonce was leased is replaced; so many are tried."""


class Call:
    """One call, from its intent to its outcome."""

    ended = False
    """Whether the call is over; it may be before it was recorded, when its client hung up."""

    # What most calls never change stands here, so that making a call sets little.
    _stage: int = _RECORDING
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
    _held: HeldAnswer | None = None
    _nonce = ""
    _claim: Claim | None = None
    """The key of `Bailee-Once`, from when the database is asked for it."""
    _sent_at = 0.0
    """When a call that did not leave in the turn it began in was sent, Unix seconds."""
    _gathered = b""
    _granted_by: Bodies = ()
    """The rules about its body that let the call through, where there are any."""
    _needles: Needles = ()
    _guard: EchoGuard | None = None
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
        self._deadline = self._started + line.call_seconds
        self.valid_until = authorized.valid_until
        line.calls.add(self)

    def __repr__(self) -> str:
        return f"Call({self.id}, stage={self._stage})"

    @property
    def unsent(self) -> bool:
        """Whether nothing of the call has been sent yet, so that it can still be called off."""
        return self._stage <= _DIALLING

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
        limit, begins = self._line.held_body_bytes, self._stage is _RECORDING
        self._stage = _GATHERING  # the intent has been recorded: whatever comes, an outcome is due
        if self._inbound.waiting > limit:
            self._give_up(too_large(limit))
            return False
        if self._inbound.complete:
            return True
        if begins and self.received.expects_continue:
            self._session.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        return False

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
        if self._stage is _DIALLING and not self._inbound.complete:
            return RouteChanged()
        self.authorized = replace(self.authorized, bodies=bodies, must_gather=True)
        return self._judge() if self._inbound.complete else None

    def _take_or_dial(self) -> None:
        stream = self._line.pool.take(self.authorized.route.key)
        if stream is None:
            self._dial()
        else:
            stream.reused = True
            self._stage = _DIALLING
            self._proceed(stream)

    def refuse(self, error: BaileeError) -> None:
        """Answer with a problem: the intent could not be recorded, and nothing was sent."""
        self._give_up(error)

    def _dial(self) -> None:
        self._stage = _DIALLING
        if self._inbound.waiting > BODY_WAITING_LIMIT and not self._inbound.complete:
            self._session.pause_body()
        self._dialling = self._line.tasks.create_task(self._dial_and_proceed())

    async def _dial_and_proceed(self) -> None:
        try:
            stream = await self._ready_stream()
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
        if self._stage is not _DIALLING:
            stream.abort()
            return
        self._sent_at = time.time()
        try:
            self._proceed(stream)
        except Exception:  # noqa: BLE001  # a task's fault would end the worker's task group
            _log.exception("a call could not be sent", call=self.id)
            stream.abort()
            self._give_up(InternalError())

    async def _ready_stream(self) -> PinnedStream:
        """A stream to send on, with the call's key and nonce, where it has one or wants one."""
        route, line = self.authorized.route, self._line
        signer, claim = route.view.signer, claim_of(self.received, self.authorized, self.id)
        asks = claim is not None or (signer is not None and signer.nonce != "none")
        if claim is not None:
            await line.once.refuse_used(claim)
        for _ in range(_STREAMS_TRIED):
            # Where the database is not asked, the pool was asked before.
            stream = line.pool.take(route.key) if asks and not self._retried else None
            if stream is not None:
                stream.reused = True
            else:
                door = Door(route.origin, route.source)
                stream = await dial(
                    door, route.pins, route.key, line.resolver, line.connect_seconds
                )
            if not asks:
                return stream
            try:
                if claim is not None and self._claim is None:
                    await self._take_key(claim)
                if signer is not None:  # last: what is leased later must not be sent before
                    self._nonce = await line.nonces.next_for(route.connection, signer)
            except BaseException:
                stream.abort()
                raise
            if stream.alive:
                return stream
        raise ProviderUnreachable("the provider closes its connections at once")

    async def _take_key(self, claim: Claim) -> None:
        self._claim = claim  # before it is known: whoever ends the call now releases it
        try:
            await self._line.once.claim(claim)
        except BaileeError:
            self._claim = None
            raise

    # --- open, sign, send ---

    def _proceed(self, stream: PinnedStream) -> None:
        try:
            head = self._head_for(stream)
        except BaileeError as refused:
            self._line.pool.give(stream, self._line.clock())
            self._fail(refused)
            return
        self._stream = stream
        reader = stream.receiver
        if not isinstance(reader, AnswerReader):
            reader = AnswerReader(stream)
        self._reader = reader
        reader.attach(self)
        self._stage = _SENT
        session = self._session
        if self.received.expects_continue and not self._inbound.complete and not self._retried:
            session.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        if session.write_paused:
            stream.pause_reading()
        if session.paused:  # before the write, which may fill the stream and pause the body
            session.resume_body()
        stream.write(head + self._body_so_far() if self._inbound.pieces else self._ended(head))

    def _head_for(self, stream: PinnedStream) -> bytes:
        """The head for the provider, with the whole body where the scheme signs it."""
        view = self.authorized.route.view
        if view.plan is not None:
            return self._placed_head(stream, view.plan)
        if view.signer is None:
            raise InternalError("a provider without a scheme")
        return self._signed_message(stream, view.signer)

    def _signed_message(self, stream: PinnedStream, signer: Signer) -> bytes:
        route, received = self.authorized.route, self.received
        credential, self._needles = self._line.vault.open_for(stream, route, self.started_at)
        if signer.covers_body and self._inbound.pieces:
            self._gathered = b"".join(self._inbound.take_pieces())
        unsigned = unsigned_request(received, self.authorized, self._gathered)
        # The provider compares the time with its own: it is taken now, after the dial.
        self._sent_at = time.time()
        signed = signer.sign(unsigned, credential, self._sent_at, self._nonce)
        body_signed = signer.covers_body
        head, self._dropped = signed_head(
            received, self.authorized, signed, body_signed=body_signed
        )
        if not body_signed:
            return head
        self._body_ended = True
        self._sent_bytes += len(signed.body)
        return head + signed.body

    def _placed_head(self, stream: PinnedStream, plan: PlacePlan) -> bytes:
        """The head for the provider: made, or the same as of the same request before."""
        vault, route, known = self._line.vault, self.authorized.route, self._inbound.known
        if known is not None and known.sealed is not None:
            require_same_way(stream, route)
            if self.started_at - known.kept_at < KNOWN_HEAD_SECONDS:
                kept = vault.open_head(known.sealed)
                if kept is not None:
                    head, self._needles = kept
                    self._dropped = known.dropped
                    return head
        placed, self._needles = vault.place_for(stream, route, plan, self.started_at)
        self._path_prefix = placed.path_prefix.decode("ascii")
        head, self._dropped = provider_head(self.received, self.authorized, placed)
        if known is not None and not placed.path_prefix:
            known.sealed = vault.seal_head(head, self._needles)
            known.kept_at = self.started_at
            known.dropped = self._dropped
        return head

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
        if self._stage is _GATHERING:
            self._sent_at = time.time()
            self._deadline = self._line.clock() + self._line.call_seconds
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
            self._deadline = self._line.clock() + self._line.call_seconds
            if out:
                stream.write(out)

    def body_faulty(self, fault: BaileeError) -> None:
        """The body is ambiguous: nothing more is sent, and the call is given up."""
        self._give_up(fault)

    def client_gone(self) -> None:
        """The client hung up: the stream is in the middle of a call and is not used again."""
        if self._stage is not _ENDED:
            self._drop_stream()
            if self._claim is not None and self.unsent:
                self._line.once.release(self._claim)
            self._close_record(ClientGone(), self._line.clock())

    def client_reads(self, reads: bool) -> None:
        """Hand the client's back-pressure on to the provider."""
        if self._stream is not None:
            if reads:
                self._stream.resume_reading()
            else:
                self._stream.pause_reading()

    def expired(self, now: float) -> bool:
        """End the call when nothing has moved for `call_seconds`."""
        if now <= self._deadline or self._stage not in (_GATHERING, _SENT, _ANSWERING):
            return False
        if self._session.write_paused:
            self._give_up(ClientGone("the client stopped reading the answer"))
        elif not self._inbound.complete and not self._sending_paused:
            self._give_up(BodyTimeout())
        elif self._repeatable:
            self._give_up(ProviderTimeout())
        else:
            self._give_up(OutcomeUnknown("the write was sent and not answered in time", RECONCILE))
        return True

    def revoke(self, error: BaileeError) -> None:
        """What allowed this call is gone: end it now."""
        self._give_up(error)

    # --- what the answer's reader tells ---

    def answer_came(self, begun: Begun | None, pieces: list[bytes], end: End | None) -> None:
        """Pass a part of the answer on, in one write."""
        now = self._line.clock()
        self._deadline = now + self._line.call_seconds
        view = self.authorized.route.view
        if begun is not None and view.provider.echoes and is_coded(begun):
            self._give_up(AnswerMalformed("an answer that may show the credential is compressed"))
            return
        verdict: Sequence[bytes] = ()
        refusals = view.refusals
        if refusals is not None and (begun is not None or self._held is not None):
            begun, pieces = self._held_back(refusals, begun, pieces, end)
            if begun is None:
                return
            meaning = judge(refusals, begun, pieces if self._held is not None else [])
            verdict = verdict_lines(self.id, view, begun, meaning)
            self._held = None
        self._received_bytes += sum(map(len, pieces))
        if self._guard is not None or (end is None and self._needles):
            pieces = self._guarded(pieces, last=end is not None)
        out = pieces
        if pieces:
            body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        if begun is not None:
            out = self._answer_head(begun, verdict)
            self._stage = _ANSWERING
            if pieces:
                out.append(chunk(body) if self._chunks_out else body)
        elif self._chunks_out and pieces:
            out = [chunk(body)]
        if end is not None and self._chunks_out:
            out.append(LAST_CHUNK)
        if out:
            data = b"".join(out)
            if begun is not None and self._needles:
                data = self._masked(data)
            self._line.outbox.write(self._session.transport, data)
        if end is not None:
            self._answer_done(end.reusable, now)

    def _guarded(self, pieces: list[bytes], *, last: bool) -> list[bytes]:
        """Take the credential out of a part of a body that comes in several."""
        guard = self._guard
        if guard is None:
            guard = self._guard = EchoGuard(self._needles)
        before = guard.masked
        body = guard.feed(b"".join(pieces), last=last)
        if guard.masked and not before:
            self._warn_of_echo()
        return [body] if body else []

    def _masked(self, data: bytes) -> bytes:
        """Take the credential out of a head, and of a whole answer."""
        masked = mask(data, self._needles)
        if masked is not data:
            self._warn_of_echo()
        return masked

    def _warn_of_echo(self) -> None:
        _log.warning("the answer shows the credential: it was masked", call=self.id)

    def _held_back(
        self, refusals: CompiledRefusals, begun: Begun | None, pieces: list[bytes], end: End | None
    ) -> tuple[Begun | None, list[bytes]]:
        """Hold an answer back until its meaning is known; its head is None until then."""
        held = self._held
        if held is None:
            if begun is None or not must_hold(refusals, begun):
                return begun, pieces
            held = self._held = HeldAnswer(begun)
        held.add(pieces)
        if end is None and not held.full:
            return None, []
        return held.begun, held.pieces

    def _answer_head(self, begun: Begun, verdict: Sequence[bytes]) -> list[bytes]:
        status, head, body = begun
        self._status = status
        self._keep = (
            self.received.keep_alive and self._inbound.complete and not self._session.draining
        )
        lines = [STATUS_LINES.get(status) or status_line(status), *head.lines]
        if body is AnswerBody.LENGTH or (
            body is AnswerBody.NONE and head.length is not None and status != 204
        ):
            lines += (b"Content-Length: ", head.length or b"0", b"\r\n")
        elif body is not AnswerBody.NONE:
            self._chunks_out = True
            lines.append(b"Transfer-Encoding: chunked\r\n")
        if head.locating:
            lines += rewritten_lines(
                head.locating,
                self.received,
                self.authorized,
                self._path_prefix,
                self._line.scheme,
            )
        lines += (b"Bailee-Call: ", self.id.encode("ascii"), b"\r\n")
        lines += verdict
        if self._dropped:
            names = b", ".join(sorted(set(self._dropped)))[:_DROPPED_NAMES_LIMIT]
            lines += (b"Bailee-Dropped: ", names, b"\r\n")
        lines.append(b"\r\n" if self._keep else b"Connection: close\r\n\r\n")
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
            self._stage is _SENT
            and self._held is None
            and not self._retried
            and self._stream is not None
            and self._stream.reused
            and self._repeatable
            and self.received.body_length == 0
        )

    def _give_up(self, error: BaileeError) -> None:
        """Drop the stream, then say so if nothing was said yet, or cut the client off."""
        if self._stage is _ENDED:
            return
        self._drop_stream()
        self._fail(error)

    def _fail(self, error: BaileeError) -> None:
        if self._stage is _ENDED:
            return
        if self._retried:
            error.reached = Reached.MAYBE
        begun, claim = self._stage is _ANSWERING, self._claim if self.unsent else None
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
        reached, recorded = None, self._stage is not _RECORDING
        if error is not None:
            nothing_left = self._stage <= _DIALLING and not self._retried
            reached = Reached.NOTHING if nothing_left else Reached.MAYBE
            _log.warning("call failed", call=self.id, code=error.code, detail=error.detail)
        self._stage = _ENDED
        self.ended = True
        self._line.calls.discard(self)
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
