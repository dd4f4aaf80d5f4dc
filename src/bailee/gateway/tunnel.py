"""The frames of one WebSocket, both ways.

Nothing waits here but what is held to be judged or guarded: whoever reads too slowly is not read
for. A message that is not judged passes in the pieces it comes in. Pings, pongs and close codes
pass; what ends the connection from our side says why:

    1001  we are going away (drain); to the provider also: the client is gone, or broke off
    1002, 1007  frames or texts of this peer that can't be read
    1008  refused: a message, or what had allowed the connection is gone
    1009  a message over `gateway.websocket_message_bytes`
    1011  the provider is lost, silent, or sent what can't be read

A peer of whom nothing has come for `gateway.idle_seconds` is pinged; if nothing comes within
`PONG_SECONDS` more, or it reads nothing for `idle_seconds`, it is gone.
"""

import os
from collections.abc import Callable
from typing import Final

import structlog

from bailee.egress.tls import PinnedStream
from bailee.errors import (
    AnswerLost,
    AnswerMalformed,
    BaileeError,
    ClientGone,
    FrameMalformed,
    InternalError,
    MessageTooLarge,
    ProviderTimeout,
)
from bailee.gateway.line import Line
from bailee.gateway.messages import ClientMessages
from bailee.gateway.opening import Needles
from bailee.gateway.peer import Peer
from bailee.gateway.screen import warn_of_echo
from bailee.gateway.session import Session
from bailee.http.echo import EchoGuard, mask
from bailee.http.websocket import (
    CLOSE,
    FAILED,
    GOING_AWAY,
    POLICY,
    TOO_LARGE,
    Frame,
    FrameFault,
    FrameReader,
    close_payload,
    write_frame,
)
from bailee.model import CallId

CLOSE_SECONDS: Final = 5.0
"""How long a peer may take to answer a close frame."""
PONG_SECONDS: Final = 10.0
_log = structlog.get_logger("gateway")


class Tunnel:
    """Reads both peers and writes to both; the receiver of its pinned stream.

    Args:
        call: Its id.
        session: The client's connection, which is upgraded.
        stream: The provider's, behind its 101.
        line: What all calls share.
        messages: What may pass from the client.
        needles: What must not stand in the provider's messages.
        over: Told once, at the end, what went wrong, if anything.
    """

    def __init__(
        self,
        call: CallId,
        session: Session,
        stream: PinnedStream,
        line: Line,
        messages: ClientMessages,
        needles: Needles,
        over: Callable[[BaileeError | None], None],
    ) -> None:
        self._call = call
        self._session = session
        self._stream = stream
        self._line = line
        self.messages = messages
        self._guard = EchoGuard(needles)
        self._needles = needles
        self._over = over
        now, limit = line.clock(), line.limits.websocket_message_bytes
        self._client = Peer(FrameReader(masked=True, message_bytes=limit), now)
        self._provider = Peer(FrameReader(masked=False, message_bytes=limit), now)
        self._held = bytearray()
        """The client's message as far as it came, where it has to be whole."""
        self._close_by = 0.0
        self._ended = False
        self._error: BaileeError | None = None
        self.sent_bytes = 0
        self.received_bytes = 0
        stream.receiver = self
        if session.write_paused:
            self.client_reads(False)

    def __repr__(self) -> str:
        return f"Tunnel({self._call}, ended={self._ended})"

    # --- from the client ---

    def client_sent(self, data: bytes) -> None:
        """Take bytes of the client."""
        client = self._client
        client.heard_at = self._line.clock()
        out: list[bytes] = []
        refused: BaileeError | None = None
        for frame in client.reader.feed(data):
            if frame.opcode == CLOSE:
                self._client_closes(frame, out)
            elif self._provider.told:
                continue
            elif frame.opcode > CLOSE:
                if not client.is_own_pong(frame):
                    out.append(write_frame(frame.opcode, frame.payload, key=os.urandom(4)))
            elif not self.messages.needs_whole:
                opcode = self._provider.next_opcode(frame)
                out.append(write_frame(opcode, frame.payload, fin=frame.fin, key=os.urandom(4)))
            else:
                refused = self._judged(frame, out)
                if refused is not None:
                    break
        self._to_provider(out)
        fault = client.reader.fault
        if refused is not None:
            self.shut(refused, POLICY, POLICY)
        elif fault is not None and not client.said:
            client.said = True
            too_large = fault.code == TOO_LARGE
            error = MessageTooLarge(fault.reason) if too_large else FrameMalformed(fault.reason)
            self.shut(error, fault.code, GOING_AWAY)
        self._end_if_done()

    def _judged(self, frame: Frame, out: list[bytes]) -> BaileeError | None:
        """Hold a message until it is whole; add what is sent of it, or say why nothing is."""
        self._held += frame.payload
        if not frame.fin:
            return None
        message, self._held = bytes(self._held), bytearray()
        try:
            message = self.messages.pass_on(frame.opcode, message)
        except BaileeError as refused:
            return refused
        except Exception:  # noqa: BLE001  # no input ends the session without an end of its own
            _log.exception("a message could not be judged", call=self._call)
            return InternalError()
        if self.messages.needles and not self._needles:
            self._needles = self.messages.needles
            self._guard = EchoGuard(self._needles)
        out.append(write_frame(frame.opcode, message, key=os.urandom(4)))
        return None

    def _client_closes(self, frame: Frame, out: list[bytes]) -> None:
        self._client.said = True
        self._client.code = frame.code
        if not self._provider.told:
            self._provider.told = True
            payload = close_payload(frame.code, frame.payload)
            out.append(write_frame(CLOSE, payload, key=os.urandom(4)))
        self._wait_for_close()

    def client_gone(self) -> None:
        """The client's connection has ended."""
        if not self._client.said and self._error is None:
            self._error = ClientGone()
        self._client.said = self._client.told = True
        self._tell_provider(GOING_AWAY, b"")
        self._finish()

    def client_reads(self, reads: bool) -> None:
        """Hand the client's back-pressure on to the provider."""
        self._client.stalled_at = None if reads else self._line.clock()
        if not self._stream.alive:
            return
        if reads:
            self._stream.resume_reading()
        else:
            self._stream.pause_reading()

    # --- from the provider: StreamReceiver ---

    def data_received(self, plain: bytes) -> None:
        """Take bytes of the provider."""
        provider = self._provider
        provider.heard_at = self._line.clock()
        self.received_bytes += len(plain)
        out: list[bytes] = []
        for frame in provider.reader.feed(plain):
            if frame.opcode == CLOSE:
                self._provider_closes(frame, out)
            elif self._client.told:
                continue
            elif frame.opcode > CLOSE:
                if not provider.is_own_pong(frame):
                    out.append(write_frame(frame.opcode, self._masked(frame.payload)))
            else:
                self._pass_to_client(frame, out)
        self._to_client(out)
        fault = provider.reader.fault
        if fault is not None and not provider.said:
            provider.said = True
            self._provider_at_fault(fault)
        self._end_if_done()

    def _pass_to_client(self, frame: Frame, out: list[bytes]) -> None:
        payload = frame.payload
        if self._needles:
            guard = self._guard
            before = guard.masked
            payload = guard.feed(payload, last=frame.fin)
            if guard.masked and not before:
                warn_of_echo(self._call)
            if not payload and not frame.fin:
                return
        opcode = self._client.next_opcode(frame)
        out.append(write_frame(opcode, payload, fin=frame.fin))

    def _masked(self, payload: bytes) -> bytes:
        return mask(payload, self._needles) if self._needles else payload

    def _provider_closes(self, frame: Frame, out: list[bytes]) -> None:
        self._provider.said = True
        self._provider.code = frame.code
        if not self._client.told:
            self._client.told = True
            payload = close_payload(frame.code, self._masked(frame.payload))
            out.append(write_frame(CLOSE, payload))
        self._wait_for_close()

    def _provider_at_fault(self, fault: FrameFault) -> None:
        if fault.code == TOO_LARGE:
            self.shut(MessageTooLarge(fault.reason), TOO_LARGE, TOO_LARGE)
        else:
            self.shut(AnswerMalformed(f"the provider's frames: {fault.reason}"), FAILED, fault.code)

    def released(self) -> None:
        """The tunnel ends with its call."""

    def stream_lost(self, *, clean: bool) -> None:
        """The provider's stream has ended."""
        provider, client = self._provider, self._client
        excused = provider.told or provider.said
        provider.said = provider.told = True
        if excused:
            # Whoever was told to close need not say so; the client gets its own code back.
            self._tell_client(client.code or GOING_AWAY, b"")
            self._wait_for_close()
        else:
            self.shut(AnswerLost("the provider ended the stream without a close frame"), FAILED, 0)
        self._end_if_done()

    def pause_sending(self) -> None:
        """Hand the provider's back-pressure on to the client."""
        self._provider.stalled_at = self._line.clock()
        if not self._session.transport.is_closing():
            self._session.transport.pause_reading()

    def resume_sending(self) -> None:
        """Read the client again."""
        self._provider.stalled_at = None
        if not self._session.transport.is_closing():
            self._session.transport.resume_reading()

    # --- the end ---

    def shut(self, error: BaileeError, client_code: int, provider_code: int) -> None:
        """End the connection from our side; nothing passes any more.

        Args:
            error: Why, for the record; its code is the reason that both peers are told.
            client_code: The close code for the client.
            provider_code: The close code for the provider.
        """
        if self._ended:
            return
        if self._error is None:
            self._error = error
            _log.info("websocket closed", call=self._call, code=error.code, detail=error.detail)
        self._held = bytearray()
        told = error.code if error.status == 401 else f"{error.code}: {error.detail}"
        self._tell_client(client_code, told.encode())
        self._tell_provider(provider_code, error.code.encode())
        self._wait_for_close()

    def tick(self, now: float) -> None:
        """Look at the clock; the listener calls this a few times a second."""
        if self._close_by:
            if now > self._close_by:
                self._finish()
            return
        seconds = self._line.limits.idle_seconds
        patience = min(PONG_SECONDS, seconds)
        if self._client.is_stalled(now, seconds) or self._client.is_dead(now, seconds, patience):
            self.shut(ClientGone("the client reads or says nothing any more"), POLICY, GOING_AWAY)
        elif self._provider.is_stalled(now, seconds) or self._provider.is_dead(
            now, seconds, patience
        ):
            error = ProviderTimeout("the provider reads or says nothing any more")
            self.shut(error, FAILED, GOING_AWAY)
        else:
            if ping := self._client.ping_due(now, seconds):
                self._to_client([ping])
            if ping := self._provider.ping_due(now, seconds, os.urandom(4)):
                self._to_provider([ping])

    def _tell_client(self, code: int, reason: bytes) -> None:
        if not self._client.told:
            self._client.told = True
            self._to_client([write_frame(CLOSE, close_payload(code, reason))])

    def _tell_provider(self, code: int, reason: bytes) -> None:
        if not self._provider.told:
            self._provider.told = True
            payload = close_payload(code, reason)
            self._to_provider([write_frame(CLOSE, payload, key=os.urandom(4))])

    def _wait_for_close(self) -> None:
        if not self._close_by:
            self._close_by = self._line.clock() + CLOSE_SECONDS

    def _end_if_done(self) -> None:
        client, provider = self._client, self._provider
        if client.said and client.told and provider.said and provider.told:
            self._finish()

    def _finish(self) -> None:
        """Close both connections, after what was written last, and say that it is over."""
        if self._ended:
            return
        self._ended = True
        self._held = bytearray()
        self._stream.close(CLOSE_SECONDS)
        self._over(self._error)
        self._session.leave(CLOSE_SECONDS)

    # --- writing ---

    def _to_client(self, frames: list[bytes]) -> None:
        if frames:
            self._line.outbox.write(self._session.transport, b"".join(frames))

    def _to_provider(self, frames: list[bytes]) -> None:
        if frames and self._stream.alive:
            data = b"".join(frames)
            self.sent_bytes += len(data)
            self._stream.write(data)
