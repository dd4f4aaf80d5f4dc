"""Send one probe: vetted address, promised source, pinned stream, and only then the credential."""

import asyncio
import json
import secrets
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from bailee import __version__
from bailee.egress.dial import CONNECT_SECONDS, Door, dial
from bailee.egress.resolve import Resolver
from bailee.errors import BadInput
from bailee.keeper.exchange import Answered, exchange
from bailee.keeper.signing import AuthorityAccess
from bailee.keeper.target import Target
from bailee.model import AuthScheme, Origin, ProviderRequest
from bailee.secret import Secret
from bailee.signing.clock import nonce_floor
from bailee.signing.credential import parse_credential
from bailee.signing.request import SignedRequest, Unsigned
from bailee.signing.sign import signer_of
from bailee.store import nonces
from bailee.store.engine import Store
from bailee.vault.opening import open_credential

ANSWER_SECONDS: Final = 5.0
_WRONG_BYTES: Final = 32


class Bearing(StrEnum):
    """What credential a probe carries."""

    NOTHING = "nothing"
    WRONG = "wrong"
    """A random one that the provider can't know."""
    REAL = "real"


@dataclass(frozen=True, slots=True)
class Prober:
    """Sends probes. It keeps no credential: each probe opens it, for its own stream."""

    store: Store
    access: AuthorityAccess
    resolver: Resolver
    clock: Callable[[], float] = time.time

    async def send(
        self, target: Target, asked: ProviderRequest, source: str, bearing: Bearing
    ) -> Answered:
        """Send one request from a source address and read the answer, within 10 seconds.

        The credential is opened after the stream was pinned.

        Raises:
            NameUnresolved, AddressRefused, EgressAddressMissing, ProviderUnreachable,
            CertificateRefused, PinMismatch: Nothing was sent.
            VaultClosed, CredentialClosed: It does not open. Nothing was sent.
            StoreUnavailable: No nonce could be leased. Nothing was sent.
            ProviderTimeout, AnswerLost, AnswerMalformed: It was sent, and no answer can be read.
        """
        origin, pins = target.way(asked.origin)
        nonce = await asyncio.to_thread(self._nonce, target, bearing)
        key = target.pool_key(origin, pins, source)
        stream = await dial(Door(origin, source), pins, key, self.resolver, CONNECT_SECONDS)
        try:
            request = request_bytes(origin, asked, self._sign(target, asked, bearing, nonce))
        except BaseException:
            stream.abort()
            raise
        return await exchange(stream, request, asked.method, ANSWER_SECONDS)

    def _nonce(self, target: Target, bearing: Bearing) -> str:
        """A nonce that was never used: of the connection's lease, for the real credential."""
        signer = signer_of(target.provider.auth)
        if signer.nonce == "uuid":
            return str(uuid.uuid4())
        if signer.nonce == "none" or bearing is Bearing.NOTHING:
            return ""
        at_least = nonce_floor(self.clock(), signer.nonce_unit)
        if bearing is Bearing.WRONG:
            return str(at_least)
        with self.store.write() as conn:
            leased = nonces.lease(conn, target.connection, at_least, 1)
        return str(leased.start)

    def _sign(
        self, target: Target, asked: ProviderRequest, bearing: Bearing, nonce: str
    ) -> SignedRequest:
        unsigned = unsigned_of(asked)
        if bearing is Bearing.NOTHING:
            return SignedRequest(b"", unsigned.path, unsigned.query, unsigned.body, None)
        scheme = target.provider.auth
        if bearing is Bearing.REAL:
            private = self.access.tenant_private(target.key, target.wrapped_private)
            credential = open_credential(target.sealed, target.context, private)
        else:
            credential = wrong_credential(scheme)
        return signer_of(scheme).sign(unsigned, credential, self.clock(), nonce)


def wrong_credential(scheme: AuthScheme) -> Secret:
    """Make a random credential of a scheme's form.

    Each field is 64 hexadecimal digits: text, hexadecimal and base64 at once.

    Raises:
        BadInput: The scheme's fields have another form, as a private key in PEM has.
    """
    fields = {name: secrets.token_hex(_WRONG_BYTES) for name in scheme.fields}
    return parse_credential(scheme, json.dumps(fields).encode("ascii"))


def can_be_wrong(scheme: AuthScheme) -> bool:
    """Tell whether a random credential can be made for a scheme."""
    try:
        wrong_credential(scheme)
    except BadInput:
        return False
    return True


def unsigned_of(asked: ProviderRequest) -> Unsigned:
    """The request of a provider's file as the signer takes it."""
    return Unsigned(
        method=asked.method,
        path=asked.path.encode("ascii"),
        query=asked.query.encode("ascii"),
        body=b"" if asked.body is None else asked.body.encode("utf-8"),
        content_type=asked.content_type.encode("ascii"),
    )


def request_bytes(origin: Origin, asked: ProviderRequest, signed: SignedRequest) -> bytes:
    """Write a whole request. It may hold the credential."""
    content_type = signed.content_type
    if content_type is None:
        content_type = asked.content_type.encode("ascii")
    has_body = asked.body is not None or bool(signed.body) or asked.method == "POST"
    parts = (
        asked.method.encode("ascii"),
        b" ",
        signed.path,
        b"?" + signed.query if signed.query else b"",
        f" HTTP/1.1\r\nHost: {origin.authority}\r\n".encode("ascii"),
        f"User-Agent: bailee/{__version__}\r\n".encode("ascii"),
        b"Accept: application/json\r\nAccept-Encoding: identity\r\nConnection: close\r\n",
        signed.headers,
        b"Content-Type: " + content_type + b"\r\n" if has_body and content_type else b"",
        b"Content-Length: %d\r\n" % len(signed.body) if has_body else b"",
        b"\r\n",
        signed.body,
    )
    return b"".join(parts)
