"""OpenSSL's settings for callers: TLS 1.3 alone, HTTP/1.1 alone, every handshake a whole one."""

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from bailee.config import TlsFiles
from bailee.errors import StartRefused, VaultClosed
from bailee.tls.certificate import FILE_BYTES, Certificate, describe, read_certificates, read_chain
from bailee.vault.backends.private import read_private

KEY: Final = "gateway.tls_key"
CLIENT_CA: Final = "gateway.tls_client_ca"


@dataclass(frozen=True, slots=True)
class OwnTls:
    """OpenSSL's settings, and the certificate that they show."""

    context: ssl.SSLContext
    certificate: Certificate


def load_tls(files: TlsFiles) -> OwnTls:
    """Read the certificate, its key, and the CA of the callers' certificates, and try them.

    Raises:
        StartRefused: One can't be read or used, the key is open to others, or it does not belong
            to the certificate. One whose time is over is no fault.
    """
    pem, chain = read_chain(files.certificate)
    key = _read_key(files, chain[0])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    # No ticket is sent, so that nothing can be resumed, and no early data, which can be replayed.
    context.num_tickets = 0
    context.set_alpn_protocols(["http/1.1"])
    try:
        # By way of memory, so that what was checked is what is used.
        with _in_memory(pem) as certificates, _in_memory(key) as private:
            context.load_cert_chain(certificates, private, _no_passphrase)
    except (ssl.SSLError, OSError) as refused:
        raise StartRefused(
            f"gateway.tls_certificate and {KEY}: OpenSSL refuses them: {_reason(refused)}"
        ) from None
    if files.client_ca is not None:
        _require_client_certificates(context, files)
    return OwnTls(context, describe(chain[0]))


def _require_client_certificates(context: ssl.SSLContext, files: TlsFiles) -> None:
    assert files.client_ca is not None
    _, trusted = read_certificates(files.client_ca, CLIENT_CA)
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    try:
        roots = b"".join(each.public_bytes(Encoding.DER) for each in trusted)
        context.load_verify_locations(cadata=roots)
    except ssl.SSLError as refused:
        raise StartRefused(f"{CLIENT_CA}: OpenSSL refuses it: {_reason(refused)}") from None


def _read_key(files: TlsFiles, leaf: x509.Certificate) -> bytes:
    """Read the private key; it must be private, and the certificate's."""
    try:
        pem = read_private(files.key, f"{KEY} ({files.key})", FILE_BYTES, links=True)
    except VaultClosed as closed:
        raise StartRefused(closed.detail, closed.hint) from None
    try:
        public = load_pem_private_key(pem, None).public_key()
    except TypeError:
        raise StartRefused(
            f"{KEY}: {files.key} is encrypted",
            "nobody is there to type its passphrase: take it off",
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise StartRefused(f"{KEY}: {files.key} holds no private key", "it must be PEM") from None
    form = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    if public.public_bytes(*form) != leaf.public_key().public_bytes(*form):
        raise StartRefused(
            f"{KEY} is not the key of gateway.tls_certificate",
            "name two files of one pair; the server's own certificate comes first in its file",
        )
    return pem


@contextmanager
def _in_memory(content: bytes) -> Iterator[str]:
    """Give bytes a name, for an interface that takes nothing else; nothing is written to disk."""
    descriptor = os.memfd_create("bailee-tls", os.MFD_CLOEXEC)
    with open(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        yield f"/proc/self/fd/{descriptor}"


def _no_passphrase() -> str:
    """Without this OpenSSL would ask on the terminal."""
    return ""


def _reason(refused: OSError) -> str:
    said = refused.reason if isinstance(refused, ssl.SSLError) else refused.strerror
    return (said or "no reason given").lower().replace("_", " ")
