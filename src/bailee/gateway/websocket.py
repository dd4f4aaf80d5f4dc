"""A call that opens a WebSocket: like every other until the provider's answer.

It is authenticated, authorised, recorded and dialled as a call with the method `WEBSOCKET`. If the
provider answers 101, a tunnel takes over until one side ends it, and the record is closed then. Any
other answer is passed on as that of a call.
"""

import os
from base64 import b64encode
from typing import Final

import httptools
from msgspec.structs import replace

from bailee.egress.tls import PinnedStream
from bailee.errors import AnswerMalformed, BaileeError, Draining, InternalError, UnsignableRequest
from bailee.gateway.answers import ANSWER_HEAD_LIMIT, AnswerReader
from bailee.gateway.client_head import own_lines
from bailee.gateway.heads import provider_head
from bailee.gateway.messages import ClientMessages, login_of
from bailee.gateway.opening import Needles, require_same_way
from bailee.gateway.relay import Call
from bailee.gateway.screen import mask_whole
from bailee.gateway.sending import Message, placed_message, signed_message
from bailee.gateway.stage import ANSWERING
from bailee.gateway.tunnel import Tunnel
from bailee.http.framing import STATUS_LINES
from bailee.http.head import Received
from bailee.http.upgrade import KEY_BYTES, Opening, Switched, opening_lines, read_switch
from bailee.http.websocket import GOING_AWAY, POLICY
from bailee.model import Bodies
from bailee.secret import Secret
from bailee.signing.place import Placed

_SWITCHING: Final = b"HTTP/1.1 101"
_NOTHING_PLACED: Final = Placed(b"", b"", b"")


class WebSocketCall(Call):
    """One call, from its intent to the end of its WebSocket."""

    _key = b""
    """Of our own handshake towards the provider."""
    _tunnel: Tunnel | None = None

    @property
    def unsent(self) -> bool:
        """Whether it can still be called off: nothing was sent, or its credential was not yet."""
        tunnel = self._tunnel
        return super().unsent or (tunnel is not None and tunnel.messages.login_due)

    @property
    def _repeatable(self) -> bool:
        return True

    def hold_to(self, bodies: Bodies) -> BaileeError | None:
        """Hold the messages that are still to come to the rules that are there now."""
        self.authorized = replace(self.authorized, bodies=bodies)
        if self._tunnel is not None:
            self._tunnel.messages.bodies = bodies
        return None

    # --- our handshake ---

    def _proceed(self, stream: PinnedStream) -> None:
        head = self._opened_head(stream)
        if head is None:
            return
        self._body_ended = True
        self._await_answer(stream, _SwitchReader(stream, self))
        stream.write(head)

    def _message_for(self, stream: PinnedStream) -> Message:
        message = self._unopened_message(stream, replace(self.received, method="GET"))
        if message.signed_body_bytes or not message.head.endswith(b"\r\n\r\n"):
            raise UnsignableRequest("the scheme signs a body, and a WebSocket's handshake has none")
        self._key = b64encode(os.urandom(KEY_BYTES))
        lines = opening_lines(self._key, self._opening.protocols)
        return replace(message, head=message.head[:-2] + lines + b"\r\n")

    def _unopened_message(self, stream: PinnedStream, get: Received) -> Message:
        """The head as of any GET; without the credential where that is for a message."""
        vault, authorized, now = self._line.vault, self.authorized, self.started_at
        view = authorized.route.view
        websocket = view.provider.websocket
        if websocket is None:
            raise InternalError("a provider without WebSockets")
        if websocket.login != "handshake":
            require_same_way(stream, authorized.route)
            head, dropped = provider_head(get, authorized, _NOTHING_PLACED)
            return Message(head, (), dropped)
        if view.plan is not None:
            return placed_message(vault, stream, view.plan, authorized, self._inbound, get, now)
        if view.signer is None:
            raise InternalError("a provider without a scheme")
        nonce = "" if self._departure is None else self._departure.nonce
        return signed_message(vault, stream, view.signer, authorized, get, b"", nonce, now)

    @property
    def _opening(self) -> Opening:
        opening = self.received.opening
        if opening is None:
            raise InternalError("a WebSocket without a handshake")
        return opening

    # --- the provider's 101 ---

    def switched(self, pairs: list[tuple[bytes, bytes]], rest: bytes) -> None:
        """The provider has answered 101; `rest` is what came with it.

        Raises:
            AnswerMalformed: It is not the answer to our handshake.
        """
        stream, opening = self._stream, self._opening
        answer = read_switch(pairs, self._key, opening.protocols)
        if stream is None:
            return
        self._status = 101
        self._stage = ANSWERING
        self._session.upgrade()
        self._session.send(mask_whole(self._switching_head(answer), self._needles, self.id))
        login = login_of(self.authorized.route.view, self._open_once)
        messages = ClientMessages(self.authorized.bodies, login)
        tunnel = self._tunnel = Tunnel(
            self.id, self._session, stream, self._line, messages, self._needles, self._over
        )
        if rest:
            tunnel.data_received(rest)
        if self._session.draining:
            self.draining()

    def _switching_head(self, answer: Switched) -> bytes:
        lines = [STATUS_LINES[101], b"Upgrade: websocket\r\nConnection: Upgrade\r\n"]
        lines += (b"Sec-WebSocket-Accept: ", self._opening.accept, b"\r\n")
        if answer.protocol is not None:
            lines += (b"Sec-WebSocket-Protocol: ", answer.protocol, b"\r\n")
        lines += answer.lines
        lines += own_lines(self.id, (), self._dropped, keep=True)
        return b"".join(lines)

    def _open_once(self) -> tuple[Secret, Needles]:
        """Open the credential for the stream that is there, to write it into the login."""
        if self._stream is None:
            raise InternalError("a login without a stream")
        return self._line.vault.open_once(self._stream, self.authorized.route)

    def _over(self, error: BaileeError | None) -> None:
        """The tunnel has ended: close the record."""
        if self._tunnel is not None:
            self._sent_bytes = self._tunnel.sent_bytes
            self._received_bytes = self._tunnel.received_bytes
        self._stream = self._reader = None
        if not self.ended:
            self._close_record(error, self._line.clock())

    # --- what the session tells ---

    def frames_came(self, data: bytes) -> None:
        """The client has sent bytes behind our 101."""
        if self._tunnel is not None:
            self._tunnel.client_sent(data)

    def client_gone(self) -> None:
        """The client hung up."""
        if self._tunnel is not None:
            self._tunnel.client_gone()
        else:
            super().client_gone()

    def client_reads(self, reads: bool) -> None:
        """Hand the client's back-pressure on to the provider."""
        if self._tunnel is not None:
            self._tunnel.client_reads(reads)
        else:
            super().client_reads(reads)

    def expired(self, now: float) -> bool:
        """Look at the clock: an open WebSocket has rules of its own."""
        if self._tunnel is None:
            return super().expired(now)
        self._tunnel.tick(now)
        return self.ended

    def draining(self) -> None:
        """The worker is about to leave."""
        if self._tunnel is not None:
            self._tunnel.shut(Draining(), GOING_AWAY, GOING_AWAY)

    def _give_up(self, error: BaileeError) -> None:
        if self._tunnel is not None:
            self._tunnel.shut(error, POLICY, POLICY)
        else:
            super()._give_up(error)


class _SwitchReader(AnswerReader):
    """Tells a 101 from every other answer, which it reads as any reader does."""

    __slots__ = ("_begun_with", "_other", "_websocket")

    def __init__(self, stream: PinnedStream, websocket: WebSocketCall) -> None:
        super().__init__(stream)
        self._websocket = websocket
        self._begun_with = b""
        self._other = False

    def data_received(self, plain: bytes) -> None:
        """Wait for the whole head of a 101; behind it the stream has another receiver."""
        if self._other:
            super().data_received(plain)
            return
        seen = self._begun_with = self._begun_with + plain
        if not seen.startswith(_SWITCHING[: len(seen)]):
            self._other = True
            super().data_received(seen)
            return
        head, end, rest = seen.partition(b"\r\n\r\n")
        try:
            if end:
                self._websocket.switched(_parsed(head + end), rest)
            elif len(seen) > ANSWER_HEAD_LIMIT:
                raise AnswerMalformed("the answer's head is too large")
        except AnswerMalformed as malformed:
            self.abort()
            self._websocket.answer_failed(malformed)


class _Head:
    """Collects what llhttp finds."""

    def __init__(self) -> None:
        self.pairs: list[tuple[bytes, bytes]] = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self.pairs.append((name, value))


def _parsed(head: bytes) -> list[tuple[bytes, bytes]]:
    """Read the head of a 101 as strictly as any other."""
    found = _Head()
    parser = httptools.HttpResponseParser(found)
    try:
        parser.feed_data(head)
    except httptools.HttpParserUpgrade:
        pass
    except httptools.HttpParserError:
        raise AnswerMalformed() from None
    if parser.get_status_code() != 101 or parser.get_http_version() != "1.1":
        raise AnswerMalformed()
    return found.pairs
