"""TLS by hand, over memory buffers, so that a peer is judged before anything more is sent.

In TLS 1.3 a client has all it needs to judge the peer before it sends its own Finished. OpenSSL
writes Finished (and a client certificate) into a memory buffer; we look at the chain and the pin
while it lies there, and flush it only when both are right. A fake peer so gets a ClientHello and
nothing else.
"""

import asyncio
import datetime
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Generic, Protocol, TypeVar, cast

from cryptography.hazmat.primitives.serialization import Encoding

from bailee.egress.chain import GOOD_CA_HINT, ChainVerifier, VerifiedChain, read_roots
from bailee.egress.pin import PinnedChain
from bailee.egress.pool import PoolKey
from bailee.errors import CertificateRefused, ConfigInvalid, ProviderUnreachable
from bailee.model import Origin

RECORD_SIZE: Final = 16 * 1024
"""No TLS record holds more, and a read returns one record."""
READ_SIZE: Final = 4 * 1024
"""What is read first: most answers are short, and so much is set aside for each read."""
_ROOT_BUNDLES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
)
T = TypeVar("T")


class TlsSettings:
    """How streams to one origin are verified: OpenSSL's settings and the second verifier."""

    def __init__(self, roots_pem: str, tls_minimum: str) -> None:
        self.verifier = ChainVerifier(roots_pem)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = (
            ssl.TLSVersion.TLSv1_2 if tls_minimum == "1.2" else ssl.TLSVersion.TLSv1_3
        )
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        context.hostname_checks_common_name = False
        context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
        context.set_alpn_protocols(["http/1.1"])
        # Just the roots that the second verifier has, and none of a bundle's comments.
        roots = b"".join(root.public_bytes(Encoding.DER) for root in read_roots(roots_pem))
        try:
            context.load_verify_locations(cadata=roots)
        except ssl.SSLError:
            raise ConfigInvalid("OpenSSL can't read a certificate of the CA file") from None
        self.context = context


@lru_cache(maxsize=1024)
def settings_for(ca_pem: str | None, tls_minimum: str) -> TlsSettings:
    """Make the settings for an origin's CA and TLS version, once.

    Raises:
        ConfigInvalid: The CA file, or the system's bundle, holds no readable certificate.
    """
    return TlsSettings(ca_pem if ca_pem is not None else _system_roots(), tls_minimum)


class StreamReceiver(Protocol):
    """What reads a pinned stream."""

    def released(self) -> None:
        """Let go of what refers back to it: the stream is gone, and it is asked nothing more."""
        ...

    def data_received(self, plain: bytes) -> None:
        """Take decrypted bytes."""
        ...

    def stream_lost(self, *, clean: bool) -> None:
        """Learn that the stream is gone; `clean` when the peer ended it by TLS close_notify."""
        ...

    def pause_sending(self) -> None:
        """Stop writing until `resume_sending`: the peer reads too slowly."""
        ...

    def resume_sending(self) -> None:
        """Write again."""
        ...


class _Deaf:
    """Receives what nobody wants any more."""

    def released(self) -> None:
        """It holds nothing."""

    def data_received(self, plain: bytes) -> None:
        """Throw it away."""

    def stream_lost(self, *, clean: bool) -> None:
        """It was to be."""

    def pause_sending(self) -> None:
        """Nothing more is written."""

    def resume_sending(self) -> None:
        """Nothing more is written."""


_DEAF: Final = _Deaf()


class PinnedStream(asyncio.Protocol):
    """A TLS stream whose chain and pin have been checked; only this may carry a call.

    Whoever holds it either gives it to the pool or aborts it. Bytes that come while nobody reads
    are a fault of the peer, and end it.
    """

    __slots__ = (
        "_incoming",
        "_outgoing",
        "_tls",
        "idle_since",
        "key",
        "pinned",
        "receiver",
        "reused",
        "transport",
    )

    def __init__(
        self, handshake: "Handshake[PinnedChain]", pinned: PinnedChain, key: PoolKey
    ) -> None:
        self.transport = handshake.transport
        self._incoming = handshake.incoming
        self._outgoing = handshake.outgoing
        # The object under `SSLObject` does the same without a Python call around each read.
        self._tls: Any = getattr(handshake.tls, "_sslobj", handshake.tls)
        self.pinned = pinned
        self.key = key
        self.receiver: StreamReceiver | None = None
        self.idle_since = 0.0
        self.reused = False

    def __repr__(self) -> str:
        return f"PinnedStream({self.key.provider}.{self.key.origin}, alive={self.alive})"

    @property
    def alive(self) -> bool:
        """Whether the stream can still carry a call."""
        return not self.transport.is_closing()

    def write(self, plain: bytes) -> None:
        """Encrypt and send. Back-pressure comes as `pause_sending` to the receiver."""
        self._tls.write(plain)
        self.transport.write(self._outgoing.read())

    def pause_reading(self) -> None:
        """Stop taking bytes from the peer."""
        self.transport.pause_reading()

    def resume_reading(self) -> None:
        """Take bytes from the peer again."""
        self.transport.resume_reading()

    def abort(self) -> None:
        """Drop the stream at once, without a farewell. The receiver is told nothing but that."""
        receiver, self.receiver = self.receiver, None
        if receiver is not None:
            receiver.released()
        self.transport.abort()

    def close(self, seconds: float) -> None:
        """Send what was written and a close_notify, then close. The receiver is told nothing more.

        Args:
            seconds: After so many the peer may have read it or not.
        """
        self.receiver = _DEAF
        if self.alive:
            with suppress(ssl.SSLError):
                self._tls.shutdown()
            self.transport.write(self._outgoing.read())
            self.transport.close()
            asyncio.get_running_loop().call_later(seconds, self.transport.abort)

    def take_over(self) -> None:
        """Read what the peer sent along with its handshake."""
        if self._incoming.pending:
            self.data_received(b"")

    # --- asyncio.Protocol ---

    def data_received(self, data: bytes) -> None:
        """Decrypt and pass on all complete records."""
        self._incoming.write(data)
        size = READ_SIZE
        try:
            while True:
                plain = self._tls.read(size)
                if not plain:
                    self._lost(clean=True)
                    return
                if self.receiver is None:
                    self.transport.abort()
                    return
                self.receiver.data_received(plain)
                if len(plain) == size:
                    size = RECORD_SIZE
                elif not self._incoming.pending:
                    break
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self._lost(clean=True)
        except ssl.SSLError:
            self._lost(clean=False)
        if self._outgoing.pending and self.alive:
            self.transport.write(self._outgoing.read())

    def eof_received(self) -> bool:
        """The peer ended TCP without a close_notify: the answer may have been cut."""
        self._lost(clean=False)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The transport is gone."""
        self._lost(clean=False)

    def pause_writing(self) -> None:
        """The peer reads too slowly."""
        if self.receiver is not None:
            self.receiver.pause_sending()

    def resume_writing(self) -> None:
        """The peer reads again."""
        if self.receiver is not None:
            self.receiver.resume_sending()

    def _lost(self, *, clean: bool) -> None:
        receiver, self.receiver = self.receiver, None
        self.transport.abort()
        if receiver is not None:
            receiver.stream_lost(clean=clean)


class Handshake(asyncio.Protocol, Generic[T]):
    """A TLS handshake whose end lies in our hands.

    Args:
        settings: How to verify.
        host: The name that the certificate must have.
        judge: Looks at the verified chain while Finished is still unsent; what it raises ends the
            handshake with `abort`, what it returns is the result.
        finish: Whether Finished is sent at all; `pin learn` looks and leaves.
    """

    transport: asyncio.Transport

    def __init__(
        self,
        settings: TlsSettings,
        host: str,
        judge: Callable[[VerifiedChain], T],
        *,
        finish: bool = True,
    ) -> None:
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = settings.context.wrap_bio(self.incoming, self.outgoing, server_hostname=host)
        self.done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._settings = settings
        self._host = host
        self._judge = judge
        self._finish = finish

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the ClientHello."""
        self.transport = cast(asyncio.Transport, transport)
        self._step()

    def data_received(self, data: bytes) -> None:
        """Go on with the handshake."""
        self.incoming.write(data)
        if not self.done.done():
            self._step()

    def connection_lost(self, exc: Exception | None) -> None:
        """The peer hung up in the handshake."""
        self._fail(ProviderUnreachable(f"{self._host} closed the connection in the handshake"))

    def eof_received(self) -> bool:
        """The peer hung up in the handshake."""
        return False

    def _step(self) -> None:
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            self.transport.write(self.outgoing.read())
            return
        except ssl.SSLError as refused:
            self._fail(_refusal(self._host, refused))
            return
        try:
            result = self._judge(self._verified_chain())
        except Exception as refused:  # noqa: BLE001  # raised again where the handshake is awaited
            self._fail(refused)
            return
        if self._finish:
            self.transport.write(self.outgoing.read())
        else:
            self.transport.abort()
        self.done.set_result(result)

    def _verified_chain(self) -> VerifiedChain:
        if self.tls.selected_alpn_protocol() not in (None, "http/1.1"):
            raise CertificateRefused(f"{self._host} chose a protocol other than HTTP/1.1")
        now = datetime.datetime.now(datetime.UTC)
        return self._settings.verifier.verify(presented_chain(self.tls), self._host, now)

    def _fail(self, error: Exception) -> None:
        self.transport.abort()
        if not self.done.done():
            self.done.set_exception(error)


def presented_chain(tls: ssl.SSLObject) -> Sequence[bytes]:
    """List what the peer presented, DER, leaf first.

    `SSLObject.get_unverified_chain` is public since Python 3.13; before, the object under it has
    the same method, whose certificates know how to write themselves.
    """
    public = getattr(tls, "get_unverified_chain", None)
    if public is not None:
        return cast(Sequence[bytes], public())
    hidden = tls._sslobj  # type: ignore[attr-defined]  # 3.11 and 3.12 have no public way
    return [certificate.public_bytes(2) for certificate in hidden.get_unverified_chain()]


def origin_settings(origin: Origin) -> TlsSettings:
    """The settings for an origin: its own CA in place of the system's roots, where it has one."""
    return settings_for(origin.ca_pem, origin.tls_minimum)


def _refusal(host: str, refused: ssl.SSLError) -> CertificateRefused:
    if isinstance(refused, ssl.SSLCertVerificationError):
        reason = refused.verify_message or refused.reason or "not valid"
        about_form = any(word in reason for word in ("key usage", "CA cert", "Key Identifier"))
        return CertificateRefused(
            f"OpenSSL (strict) refused the chain for {host}: {reason}",
            GOOD_CA_HINT if about_form else "",
        )
    return CertificateRefused(f"the TLS handshake with {host} failed: {refused.reason or refused}")


def _system_roots() -> str:
    for bundle in _ROOT_BUNDLES:
        path = Path(bundle)
        if path.is_file():
            return path.read_text("ascii", "replace")
    raise ConfigInvalid(
        "the system has no bundle of root certificates", "install the ca-certificates package"
    )
