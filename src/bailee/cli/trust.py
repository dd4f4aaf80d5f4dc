"""Whom the command line takes for the gateway over TLS, and what it shows of itself."""

import http.client
import os
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bailee.config import TlsFiles
from bailee.errors import BadInput

CA, CERTIFICATE, KEY = "BAILEE_CALLS_CA", "BAILEE_CALLS_CERTIFICATE", "BAILEE_CALLS_KEY"


class OtherKey(Exception):
    """The server has another key than the one that it must have."""


@dataclass(frozen=True, slots=True)
class Trust:
    """How a server is judged; without a pin and a CA, by its name and the system's roots.

    With a `pin` the server must have exactly that key, whatever its certificate's names and time
    are: it is our own. With `ca_file` the certificate must be for the name that it is called by.
    `certificate` and `key` are what it is shown of us.
    """

    pin: bytes | None = None
    ca_file: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


def read_trust(own: TlsFiles | None) -> Trust:
    """Find how the gateway is judged: by `BAILEE_CALLS_CA`, else by its own certificate's pin.

    Args:
        own: What the configuration names, if one is named.

    Raises:
        StartRefused: The certificate of the configuration can't be read.
    """
    from bailee.tls.certificate import read_leaf

    ca, certificate, key = (os.environ.get(name) for name in (CA, CERTIFICATE, KEY))
    return Trust(
        pin=read_leaf(own.certificate).pin if own is not None and not ca else None,
        ca_file=Path(ca) if ca else None,
        certificate=Path(certificate) if certificate else None,
        key=Path(key) if key else None,
    )


def secure_connection(
    host: str, port: int, trust: Trust, seconds: float
) -> http.client.HTTPSConnection:
    """Prepare a connection that sends nothing before the server has been judged.

    Raises:
        BadInput: A file that the environment names can't be used.
    """
    context = _context(trust)
    if trust.certificate is not None:
        try:
            context.load_cert_chain(trust.certificate, trust.key)
        except OSError as error:  # so are ssl's own errors
            raise BadInput(f"{CERTIFICATE} and {KEY} can't be used: {_reason(error)}") from None
    return _Judged(host, port, timeout=seconds, context=context, pin=trust.pin)


def _context(trust: Trust) -> ssl.SSLContext:
    if trust.pin is not None:
        # Judged by `_Judged.connect`. It is our own gateway, called by an address: no name fits.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        return context
    try:
        return ssl.create_default_context(cafile=trust.ca_file)
    except OSError as error:
        raise BadInput(f"{CA} can't be used: {_reason(error)}") from None


class _Judged(http.client.HTTPSConnection):
    def __init__(self, *place: Any, pin: bytes | None, **options: Any) -> None:
        super().__init__(*place, **options)
        self._pin = pin

    def connect(self) -> None:
        """Connect, shake hands and compare the key: the request is not written yet."""
        super().connect()
        if self._pin is not None and _pin_of(self) != self._pin:
            self.close()
            raise OtherKey


def presented(connection: http.client.HTTPSConnection) -> bytes:
    """What the server of an open connection presented: its leaf, DER."""
    shown = connection.sock.getpeercert(binary_form=True)
    return bytes(shown or b"")


def _pin_of(connection: http.client.HTTPSConnection) -> bytes | None:
    from bailee.tls.certificate import describe_der

    try:
        return describe_der(presented(connection)).pin
    except ValueError:
        return None


def _reason(error: OSError) -> str:
    said = error.reason if isinstance(error, ssl.SSLError) else error.strerror
    return (said or "?").lower().replace("_", " ")
