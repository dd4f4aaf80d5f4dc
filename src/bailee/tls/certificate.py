"""What the certificate that callers are shown says of itself."""

import base64
import datetime
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bailee.errors import StartRefused
from bailee.model import Pin

SETTING: Final = "gateway.tls_certificate"
SOON_DAYS: Final = 30
FILE_BYTES: Final = 1024 * 1024
_DAY: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Certificate:
    """A leaf: the pin of its key, the names that callers may call it by, and when it is valid.

    `starts` and `ends` are Unix seconds.
    """

    pin: Pin
    names: tuple[str, ...]
    starts: float
    ends: float

    @property
    def pin_text(self) -> str:
        """The pin as people type it: `sha256/` and base64."""
        return "sha256/" + base64.b64encode(self.pin).decode("ascii")

    def is_valid(self, now: float) -> bool:
        """Whether a caller whose clock says `now` can take it."""
        return self.starts <= now <= self.ends

    def concern(self, now: float) -> str:
        """Say what is wrong with its time, or will be within 30 days; empty when nothing is."""
        if now < self.starts:
            return f"it is not valid before {_day(self.starts)}"
        if now > self.ends:
            return f"it ended on {_day(self.ends)}"
        days = int((self.ends - now) // _DAY)
        return f"it ends on {_day(self.ends)}, in {days} days" if days < SOON_DAYS else ""


def read_chain(path: Path) -> tuple[bytes, list[x509.Certificate]]:
    """Read a file of certificates in PEM: the leaf first, then what issued it.

    Raises:
        StartRefused: It can't be read, or holds no certificate.
    """
    return read_certificates(path, SETTING)


def read_certificates(path: Path, setting: str) -> tuple[bytes, list[x509.Certificate]]:
    """Read a file of certificates in PEM; `setting` says in the error which one.

    Raises:
        StartRefused: It can't be read, or holds no certificate.
    """
    try:
        with path.open("rb") as file:
            pem = file.read(FILE_BYTES)
        return pem, x509.load_pem_x509_certificates(pem)
    except OSError as error:
        reason = (error.strerror or "?").lower()
        raise StartRefused(f"{setting}: {path} can't be read: {reason}") from None
    except ValueError:
        raise StartRefused(
            f"{setting}: {path} holds no certificate that can be read", "it must be in PEM"
        ) from None


def read_leaf(path: Path) -> Certificate:
    """Read what callers are shown, without its key.

    Raises:
        StartRefused: The file can't be read, or holds no certificate.
    """
    return describe(read_chain(path)[1][0])


def describe_der(der: bytes) -> Certificate:
    """Tell what a certificate says that a server presented, DER.

    Raises:
        ValueError: It is none.
    """
    return describe(x509.load_der_x509_certificate(der))


def describe(certificate: x509.Certificate) -> Certificate:
    """Tell what a certificate says.

    Source:
        RFC 7469, section 2.4, for the pin.
    """
    spki = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return Certificate(
        Pin(hashlib.sha256(spki).digest()),
        _names(certificate),
        certificate.not_valid_before_utc.timestamp(),
        certificate.not_valid_after_utc.timestamp(),
    )


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    """The subject alternative names: what stands in the common name alone counts for nobody."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return ()
    addresses = map(str, found.get_values_for_type(x509.IPAddress))
    return (*found.get_values_for_type(x509.DNSName), *addresses)


def _day(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%d")
