"""Certificate, key and CA are tried before anybody is served with them."""

import os
import ssl
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

import pki
from bailee.config import TlsFiles
from bailee.errors import StartRefused
from bailee.reference.pki import World, create_root
from bailee.tls.context import load_tls

WORLD, OTHER = World.create(["gate.test"]), World.create(["gate.test"])
CALLERS = create_root("callers")


@pytest.fixture
def files(tmp_path: Path) -> TlsFiles:
    """A good pair and a good CA of callers."""
    written = WORLD.write(tmp_path)
    ca = tmp_path / "callers.pem"
    ca.write_bytes(CALLERS.pem)
    return TlsFiles(written.certificate, written.key, ca)


def test_good_files_are_loaded(files: TlsFiles) -> None:
    """TLS 1.3 alone, no tickets; a client's certificate is wanted where its CA is named."""
    loaded = load_tls(files)
    context = loaded.context
    assert loaded.certificate.pin == WORLD.leaf.pin
    assert context.minimum_version is ssl.TLSVersion.TLSv1_3
    assert context.num_tickets == 0
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.verify_flags & ssl.VERIFY_X509_STRICT
    assert [each["subject"] for each in context.get_ca_certs()] == [((("commonName", "callers"),),)]
    assert load_tls(replace(files, client_ca=None)).context.verify_mode is ssl.CERT_NONE


def test_key_may_be_a_link(files: TlsFiles, tmp_path: Path) -> None:
    """As ACME clients keep the newest pair."""
    link = tmp_path / "live.key"
    link.symlink_to(files.key)
    assert load_tls(replace(files, key=link)).certificate.pin == WORLD.leaf.pin


def test_certificate_whose_time_is_over_is_loaded(files: TlsFiles) -> None:
    """To refuse it would be an outage for callers that only pin."""
    leaf = pki.expired_leaf(WORLD.issuer, ["gate.test"])
    leaf.write(files.key.parent, "server")
    assert load_tls(files).certificate.pin == leaf.pin


def encrypted(files: TlsFiles) -> None:
    """Put a passphrase on the key."""
    scheme = BestAvailableEncryption(b"passphrase")
    pem = WORLD.leaf.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, scheme)
    files.key.write_bytes(pem)


def make_pipe(files: TlsFiles) -> None:
    """Put a pipe in the key's place."""
    files.key.unlink()
    os.mkfifo(files.key, 0o600)


BREAKS: dict[str, tuple[Callable[[TlsFiles], object], str]] = {
    "a key of another certificate": (
        lambda files: files.key.write_bytes(OTHER.leaf.key_pem),
        "gateway.tls_key is not the key of gateway.tls_certificate",
    ),
    "a key of another kind": (
        lambda files: files.key.write_bytes(
            ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32)).private_bytes(
                Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
            )
        ),
        "gateway.tls_key is not the key of gateway.tls_certificate",
    ),
    "an issuer that stands first": (
        lambda files: files.certificate.write_bytes(WORLD.issuer.pem + WORLD.leaf.pem),
        "gateway.tls_key is not the key of gateway.tls_certificate",
    ),
    "a key with a passphrase": (encrypted, "is encrypted"),
    "no key in its file": (lambda files: files.key.write_bytes(WORLD.leaf.pem), "no private key"),
    "no file of the key": (lambda files: files.key.unlink(), "is missing"),
    "a key that others may read": (lambda files: files.key.chmod(0o640), "is open to others"),
    "a key that is a pipe": (
        make_pipe,
        "is not a plain file",
    ),
    "no file of the certificate": (
        lambda files: files.certificate.unlink(),
        "gateway.tls_certificate:",
    ),
    "no CA in its file": (
        lambda files: files.client_ca and files.client_ca.write_bytes(b"nothing"),
        "gateway.tls_client_ca:",
    ),
}


@pytest.mark.parametrize("case", BREAKS)
def test_faulty_files_are_refused(files: TlsFiles, case: str) -> None:
    """The fault is named, and nothing of the key is said."""
    change, said = BREAKS[case]
    change(files)
    with pytest.raises(StartRefused) as refused:
        load_tls(files)
    assert said in refused.value.detail
    assert "PRIVATE" not in str(refused.value)
    assert refused.value.__cause__ is None
