"""`signing.key`: signatures that the other side verifies with what it has."""

import hashlib
import hmac

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from bailee.errors import CredentialClosed
from bailee.model import Algorithm, SigningKey
from bailee.signing.key import KeyRing
from signing_samples import ed25519_key, pem, rsa_key

ED25519 = SigningKey(Algorithm.ED25519, "pem", "base64")
RSA = SigningKey(Algorithm.RSA_SHA256, "pem", "hex")
TEXT = SigningKey(Algorithm.HMAC_SHA256, "text", "hex")
HMACS = {
    "hmac-sha256": (hashlib.sha256, 32),
    "hmac-sha384": (hashlib.sha384, 48),
    "hmac-sha512": (hashlib.sha512, 64),
}
SECRETS = {"text": "00ff", "base64": "AP8=", "hex": "00ff"}


@pytest.mark.parametrize("algorithm", HMACS)
@pytest.mark.parametrize("form", SECRETS)
def test_hmac_of_every_kind(algorithm: str, form: str) -> None:
    """The key is what the form says, and the digest is what the algorithm says."""
    key = SigningKey(Algorithm(algorithm), form, "hex")  # type: ignore[arg-type]  # a parameter
    made, used = KeyRing.of((key,)).signature(SECRETS[form], b"message")
    digest, size = HMACS[algorithm]
    secret = b"00ff" if form == "text" else b"\x00\xff"
    assert made == hmac.new(secret, b"message", digest).digest()
    assert (len(made), used) == (size, key)


def test_ed25519_verifies_with_the_public_key() -> None:
    """And with that message alone."""
    made, used = KeyRing.of((TEXT, ED25519, RSA)).signature(pem(ed25519_key()), b"message")
    public = ed25519_key().public_key()
    public.verify(made, b"message")
    assert used == ED25519
    with pytest.raises(InvalidSignature):
        public.verify(made, b"message.")


def test_rsa_verifies_with_the_public_key() -> None:
    """PKCS#1 v1.5 with SHA-256."""
    made, used = KeyRing.of((TEXT, ED25519, RSA)).signature(pem(rsa_key()), b"message")
    public = rsa_key().public_key()
    public.verify(made, b"message", PKCS1v15(), SHA256())
    assert used == RSA
    with pytest.raises(InvalidSignature):
        public.verify(made, b"message.", PKCS1v15(), SHA256())


def test_text_that_looks_like_pem_is_text_where_no_pem_is_taken() -> None:
    """Only a scheme that has private keys reads them."""
    ring = KeyRing.of((TEXT,))
    assert not ring.takes_pem(pem(ed25519_key()))
    assert ring.signature(pem(ed25519_key()), b"")[1] == TEXT


@pytest.mark.parametrize(
    ("keys", "secret"),
    [
        ((SigningKey(Algorithm.HMAC_SHA256, "base64", "hex"),), "*"),
        ((SigningKey(Algorithm.HMAC_SHA256, "base64", "hex"),), ""),
        ((SigningKey(Algorithm.HMAC_SHA256, "hex", "hex"),), "0"),
        ((ED25519,), "text"),
        ((ED25519,), pem(rsa_key())),
        ((RSA,), pem(ed25519_key())),
        ((TEXT, RSA), "-----BEGIN PRIVATE KEY-----\n"),
    ],
)
def test_signature_refuses_what_no_entry_lets_through(
    keys: tuple[SigningKey, ...], secret: str
) -> None:
    """What was opened is not trusted; no parser's error hangs on the refusal."""
    with pytest.raises(CredentialClosed) as caught:
        KeyRing.of(keys).signature(secret, b"message")
    assert not secret or secret not in caught.value.detail
