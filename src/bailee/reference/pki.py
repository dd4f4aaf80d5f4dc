"""A small world of certificate authorities, made anew in milliseconds.

Its certificates pass OpenSSL's strict mode and `cryptography`'s server verifier, which both want:
critical `basicConstraints` and `keyUsage` on a CA, subject and authority key identifiers, names in
`subjectAltName` alone, and `serverAuth` on a leaf (RFC 5280, CA/Browser Forum baseline).

For tests, demos and APIs on a private network: nothing here revokes, logs or renews.
"""

import base64
import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from bailee.model import Pin
from bailee.policy.allowlist import parse_address

DEFAULT_DAYS = 30
CLOCK_SKEW = timedelta(hours=1)
"""Certificates start this long ago, for machines whose clock is behind."""


class Extension(NamedTuple):
    """An extension of a certificate, and whether it is critical."""

    value: x509.ExtensionType
    critical: bool


@dataclass(frozen=True)
class Issued:
    """A certificate, its private key, and the certificates above it without the root.

    Not slotted: what is derived is computed once. `repr` shows the subject alone.
    """

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    above: tuple[x509.Certificate, ...] = ()

    def __repr__(self) -> str:
        return f"Issued({self.certificate.subject.rfc4514_string()})"

    @cached_property
    def der(self) -> bytes:
        """The certificate alone, DER."""
        return self.certificate.public_bytes(Encoding.DER)

    @cached_property
    def pem(self) -> bytes:
        """The certificate alone, PEM."""
        return self.certificate.public_bytes(Encoding.PEM)

    @cached_property
    def chain_pem(self) -> bytes:
        """What a server presents: the certificate and its issuers without the root, PEM."""
        return self.pem + b"".join(issuer.public_bytes(Encoding.PEM) for issuer in self.above)

    @property
    def key_pem(self) -> bytes:
        """The private key, PKCS #8 PEM, not encrypted."""
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    @cached_property
    def pin(self) -> Pin:
        """SHA-256 of the SubjectPublicKeyInfo (RFC 7469), 32 bytes."""
        public = self.certificate.public_key()
        info = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return Pin(hashlib.sha256(info).digest())

    @cached_property
    def pin_text(self) -> str:
        """The pin as people type it: `sha256/` and base64."""
        return "sha256/" + base64.b64encode(self.pin).decode()

    def write(self, directory: Path, name: str) -> tuple[Path, Path]:
        """Write `name.pem` (what a server presents) and `name.key` (mode 0600).

        Returns:
            The two paths, certificates first.
        """
        certificates, key = directory / f"{name}.pem", directory / f"{name}.key"
        certificates.write_bytes(self.chain_pem)
        key.unlink(missing_ok=True)
        descriptor = os.open(key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as file:
            file.write(self.key_pem)
        return certificates, key


@dataclass(frozen=True, slots=True)
class WorldFiles:
    """Where a world was written. `ca` is for those who trust it, the other two for its server."""

    ca: Path
    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class World:
    """A root, perhaps an intermediate, and a leaf for a server."""

    root: Issued
    intermediate: Issued | None
    leaf: Issued

    @classmethod
    def create(
        cls,
        names: Sequence[str] = ("api.test",),
        *,
        title: str = "Bailee reference",
        with_intermediate: bool = True,
    ) -> "World":
        """Make a world whose leaf is for `names` (DNS names, IP addresses).

        Args:
            names: What clients may call the server; the first one is also its common name.
            title: How the CAs are called.
            with_intermediate: Whether the root signs the leaf through an intermediate.
        """
        root = create_root(f"{title} root")
        intermediate = create_intermediate(root, f"{title} CA") if with_intermediate else None
        return cls(root, intermediate, create_leaf(intermediate or root, names))

    @property
    def issuer(self) -> Issued:
        """Who signs leaves: the intermediate, or the root where there is none."""
        return self.intermediate or self.root

    def write(self, directory: Path) -> WorldFiles:
        """Write `ca.pem`, `server.pem` and `server.key` (0600); no CA's key is written."""
        directory.mkdir(parents=True, exist_ok=True)
        ca = directory / "ca.pem"
        ca.write_bytes(self.root.pem)
        return WorldFiles(ca, *self.leaf.write(directory, "server"))


def create_root(name: str, *, extensions: Sequence[Extension] | None = None) -> Issued:
    """Make a self-signed CA. `extensions` replaces those of a good one."""
    return sign_certificate(name, None, ca_extensions() if extensions is None else extensions)


def create_intermediate(issuer: Issued, name: str) -> Issued:
    """Make a CA that may sign leaves and no further CA."""
    return sign_certificate(name, issuer, ca_extensions(path_length=0))


def create_leaf(
    issuer: Issued, names: Sequence[str], *, key: ec.EllipticCurvePrivateKey | None = None
) -> Issued:
    """Make a server's certificate. With the `key` of an older one it is a renewal: same pin."""
    return sign_certificate(names[0], issuer, leaf_extensions(names), key=key)


def ca_extensions(path_length: int | None = None) -> list[Extension]:
    """What a CA's certificate says beside its key identifiers."""
    usage = _key_usage(digital_signature=False, signs_certificates=True)
    return [
        Extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True),
        Extension(usage, critical=True),
    ]


def leaf_extensions(names: Iterable[str]) -> list[Extension]:
    """What a server's certificate says beside its key identifiers."""
    usage = _key_usage(digital_signature=True, signs_certificates=False)
    server = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    return [
        Extension(x509.BasicConstraints(ca=False, path_length=None), critical=True),
        Extension(usage, critical=True),
        Extension(server, critical=False),
        Extension(x509.SubjectAlternativeName([_general_name(n) for n in names]), critical=False),
    ]


def sign_certificate(
    name: str,
    issuer: Issued | None,
    extensions: Iterable[Extension],
    *,
    key: ec.EllipticCurvePrivateKey | None = None,
    starts: datetime | None = None,
    ends: datetime | None = None,
) -> Issued:
    """Sign a certificate with whatever extensions are given; key identifiers are always added.

    Args:
        name: The subject's common name.
        issuer: Who signs; `None` makes it self-signed.
        extensions: All others. Good sets come from `ca_extensions` and `leaf_extensions`.
        key: The subject's key; a new P-256 key by default.
        starts: Valid from; an hour ago by default.
        ends: Valid until; in 30 days by default.
    """
    now = datetime.now(UTC)
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signer = issuer.key if issuer else key
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(starts or now - CLOCK_SKEW)
        .not_valid_after(ends or now + timedelta(days=DEFAULT_DAYS))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), False
        )
    )
    for extension in extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    return Issued(builder.sign(signer, SHA256()), key, _above(issuer))


def _above(issuer: Issued | None) -> tuple[x509.Certificate, ...]:
    if issuer is None or issuer.certificate.subject == issuer.certificate.issuer:
        return ()
    return (issuer.certificate, *issuer.above)


def _general_name(name: str) -> x509.GeneralName:
    if parse_address(name) is None:
        return x509.DNSName(name)
    return x509.IPAddress(ip_address(name))


def _key_usage(*, digital_signature: bool, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
