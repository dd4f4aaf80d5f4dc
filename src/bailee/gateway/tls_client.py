"""TLS between a client's TCP stream and its session, by hand, over memory buffers.

The session sees a transport like any other. What is done here and not by the event loop's own TLS:
handshakes count as connections and end at a deadline, plain HTTP is closed without a word, and a
stream costs no buffer of its own while it is idle.
"""

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, cast

import structlog

RECORD_SIZE: Final = 16 * 1024
"""No TLS record holds more, and a read returns one record."""
READ_SIZE: Final = 4 * 1024
"""What is read first: most requests are short, and so much is set aside for each read."""
_HANDSHAKE: Final = 0x16
"""The first byte of every ClientHello's record (RFC 8446, 5.1). No method of HTTP begins so."""
_log = structlog.get_logger("gateway")


class TlsClient(asyncio.Transport, asyncio.Protocol):
    """One client: the protocol of its TCP transport, and the transport of its session.

    Args:
        context: Our certificate, and whom a client's certificate must be from.
        greeting: The clients whose handshake is under way; this one is in it until it is over.
        make_session: Makes the session once the handshake is complete.
        is_full: Whether one more client is one too many.
        deadline: When the handshake must be complete, on the loop's clock.
    """

    def __init__(
        self,
        context: ssl.SSLContext,
        greeting: set["TlsClient"],
        make_session: Callable[[], asyncio.Protocol],
        is_full: Callable[[], bool],
        deadline: float,
    ) -> None:
        super().__init__()
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        wrapped = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        # The object under `SSLObject` does the same without a Python call around each read.
        self._tls: Any = getattr(wrapped, "_sslobj", wrapped)
        self._wrapped = wrapped
        self._greeting = greeting
        self._make_session = make_session
        self._is_full = is_full
        self._deadline = deadline
        self._session: asyncio.Protocol | None = None
        self._tcp: asyncio.Transport = cast(asyncio.Transport, None)
        self._paused = False
        self._closing = False
        self._client_ended = False
        self._begun = False

    def __repr__(self) -> str:
        state = "handshake" if self._session is None else "open"
        return f"TlsClient({'closing' if self._closing else state})"

    def check(self, now: float) -> None:
        """Drop the client if its handshake takes too long; the listener calls this."""
        if self._session is None and now > self._deadline:
            self.abort()

    # --- asyncio.Transport, for the session ---

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Encrypt and send. Back-pressure comes as `pause_writing` to the session."""
        if self._closing or not data:
            return
        try:
            self._tls.write(data)
        except ssl.SSLError:
            self.abort()
            return
        self._tcp.write(self._outgoing.read())

    def get_write_buffer_size(self) -> int:
        """How many encrypted bytes wait for the client."""
        return self._tcp.get_write_buffer_size()

    def pause_reading(self) -> None:
        """Take no more from the client; what is decrypted already stays here."""
        self._paused = True
        self._tcp.pause_reading()

    def resume_reading(self) -> None:
        """Take bytes from the client again, first those that wait here."""
        self._paused = False
        if self._closing:
            return
        self._tcp.resume_reading()
        if self._incoming.pending or self._tls.pending():
            asyncio.get_running_loop().call_soon(self._read)

    def is_closing(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._closing or self._tcp.is_closing()

    def close(self) -> None:
        """Say farewell (close_notify), send what waits, and close."""
        if self._closing:
            return
        self._closing = True
        with suppress(ssl.SSLError):
            self._wrapped.unwrap()
        self._flush()
        self._tcp.close()

    def abort(self) -> None:
        """Drop the client at once."""
        self._closing = True
        self._tcp.abort()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Ask the TCP transport."""
        return self._tcp.get_extra_info(name, default)

    # --- asyncio.Protocol, of the TCP transport ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected. Over the cap it is dropped: there is nothing to answer in yet."""
        self._tcp = cast(asyncio.Transport, transport)
        if self._is_full():
            self.abort()
        else:
            self._greeting.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._closing = True
        self._greeting.discard(self)
        session, self._session = self._session, None
        if session is not None:
            session.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Go on with the handshake, or decrypt."""
        if self._closing:
            return
        self._incoming.write(data)
        if self._session is not None:
            self._read()
        elif self._begun or data[0] == _HANDSHAKE:
            self._begun = True
            self._shake_hands()
        else:
            self.abort()

    def eof_received(self) -> bool:
        """TCP ended. After a close_notify an answer under way may still be sent."""
        if self._client_ended and not self._closing:
            return True
        self.abort()
        return False

    def pause_writing(self) -> None:
        """The client reads too slowly."""
        if self._session is not None:
            self._session.pause_writing()

    def resume_writing(self) -> None:
        """The client reads again."""
        if self._session is not None:
            self._session.resume_writing()

    # --- inside ---

    def _shake_hands(self) -> None:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return
        except ssl.SSLError as refused:
            self._refuse(refused)
            return
        self._flush()
        self._greeting.discard(self)
        self._session = self._make_session()
        self._session.connection_made(self)
        self._read()

    def _refuse(self, refused: ssl.SSLError) -> None:
        """Tell the client by an alert, and the log by OpenSSL's word for it."""
        reason = getattr(refused, "verify_message", "") or refused.reason or "no reason given"
        peer = self._tcp.get_extra_info("peername")
        _log.info("handshake refused", peer=peer[0] if peer else "", reason=reason)
        self._closing = True
        self._flush()
        self._tcp.close()

    def _read(self) -> None:
        """Decrypt and pass on all complete records, until the session wants no more."""
        size = READ_SIZE
        try:
            while not self._paused and not self._closing and self._session is not None:
                plain = self._tls.read(size)
                if not plain:
                    self._ended()
                    break
                self._session.data_received(plain)
                if len(plain) == size:
                    size = RECORD_SIZE
                elif not self._incoming.pending:
                    break
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self._ended()
        except ssl.SSLError:
            self.abort()
        if not self._closing and self._outgoing.pending:
            self._flush()

    def _ended(self) -> None:
        """The client sent its close_notify: no request follows."""
        if self._client_ended or self._session is None:
            return
        self._client_ended = True
        if not self._session.eof_received():
            self.close()

    def _flush(self) -> None:
        if self._outgoing.pending:
            self._tcp.write(self._outgoing.read())
