"""Reading what names a server and what holds a spare key. The look itself is integration."""

import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from bailee.errors import BadInput, Conflict
from bailee.operate.server_pin import Server, new_backup_key, parse_server, pin_of_file
from bailee.reference.pki import create_root


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("app.example.com", Server("app.example.com", 443)),
        ("App.Example.com:8443", Server("app.example.com", 8443)),
        ("localhost:1", Server("localhost", 1)),
        ("192.0.2.7", Server("192.0.2.7", 443)),
        ("192.0.2.7:8443", Server("192.0.2.7", 8443)),
        ("::1", Server("::1", 443)),
        ("[::1]:8443", Server("::1", 8443)),
        ("[::1]", Server("::1", 443)),
    ],
)
def test_server_is_read(text: str, server: Server) -> None:
    """A name or an address, with or without a port."""
    assert parse_server(text, None, None) == server


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":443",
        "app:0",
        "app:65536",
        "app:https",
        "app:443:1",
        "https://app.example.com",
        "app.example.com/path",
        "user@app",
        "a b",
        "app'\n",
        "[app]:443",
        "[::1:443",
        "<app>",
        "...",
    ],
)
def test_text_that_is_no_server(text: str) -> None:
    """What would not be one word of a command, of XML or of Python is refused."""
    with pytest.raises(BadInput):
        parse_server(text, None, None)


def test_address_to_look_at() -> None:
    """It must be an address."""
    assert parse_server("app", "127.0.0.1", None).address == "127.0.0.1"
    with pytest.raises(BadInput, match="--address"):
        parse_server("app", "app.example.com", None)


def test_ca_file(tmp_path: Path) -> None:
    """It is read at once, so that a wrong name is told before anything else."""
    (tmp_path / "ca.pem").write_bytes(create_root("root").pem)
    server = parse_server("app", None, tmp_path / "ca.pem")
    assert server.ca_pem is not None
    assert server.ca_pem.startswith("-----BEGIN CERTIFICATE")
    with pytest.raises(BadInput, match="no such file"):
        parse_server("app", None, tmp_path / "absent.pem")


def spellings() -> dict[str, bytes]:
    """One key in every form in which it may lie around."""
    issued = create_root("root")
    name = x509.Name([])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(issued.key, SHA256())
    public = issued.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    old = issued.key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    return {
        "certificate": issued.pem,
        "request": request.public_bytes(Encoding.PEM),
        "public key": public,
        "private key": issued.key_pem,
        "private key as OpenSSL wrote it": old,
        "after a text": b"Subject: CN=x\n" + public,
    }


def test_pin_of_a_key_in_every_form(tmp_path: Path) -> None:
    """The pin is the key's, whatever it is wrapped in."""
    pins = set()
    for what, pem in spellings().items():
        (tmp_path / what).write_bytes(pem)
        pins.add(pin_of_file(tmp_path / what))
    assert len(pins) == 1


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
def test_pin_of_other_kinds_of_keys(tmp_path: Path, kind: str) -> None:
    """RSA and Ed25519 keys have pins too."""
    key = rsa.generate_private_key(65537, 2048) if kind == "rsa" else None
    made = key or ed25519.Ed25519PrivateKey.generate()
    pem = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "key").write_bytes(pem)
    assert len(pin_of_file(tmp_path / "key")) == 32


def test_file_without_a_key(tmp_path: Path) -> None:
    """Nothing of the file is repeated: it may be a key after all."""
    secret = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"passphrase")
    )
    files = {
        "empty": b"",
        "text": b"c2VjcmV0",
        "cut": create_root("root").pem[:100],
        "binary": b"\xff" * 100,
        "locked": secret,
    }
    for what, content in files.items():
        (tmp_path / what).write_bytes(content)
        with pytest.raises(BadInput) as caught:
            pin_of_file(tmp_path / what)
        assert "c2VjcmV0" not in caught.value.detail
    with pytest.raises(BadInput, match="no such file"):
        pin_of_file(tmp_path / "absent")


def test_new_backup_key(tmp_path: Path) -> None:
    """A P-256 key that only its owner reads, with the pin that was told; never over another."""
    pin = new_backup_key(tmp_path / "spare.key")
    assert stat.S_IMODE((tmp_path / "spare.key").stat().st_mode) == 0o600
    key = load_pem_private_key((tmp_path / "spare.key").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert key.curve.name == "secp256r1"
    assert pin_of_file(tmp_path / "spare.key") == pin
    with pytest.raises(Conflict):
        new_backup_key(tmp_path / "spare.key")
    assert pin_of_file(tmp_path / "spare.key") == pin
    with pytest.raises(BadInput, match="can't be written"):
        new_backup_key(tmp_path / "absent" / "spare.key")
