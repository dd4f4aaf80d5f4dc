"""Secrets that sign: how they are read, and what is made with them.

A secret that begins like PEM is a private key; every other is the key of an HMAC. A key is read
anew for each signature, since a parsed key that is kept is one that stands in memory in plain.
"""

import binascii
import hmac
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from bailee.errors import CredentialClosed
from bailee.model import Algorithm, SigningKey
from bailee.signing.fields import ENTER_AGAIN

RSA_BITS: Final = range(2048, 8193)
_PEM: Final = "-----BEGIN "
_HMAC: Final = {
    Algorithm.HMAC_SHA256: "sha256",
    Algorithm.HMAC_SHA384: "sha384",
    Algorithm.HMAC_SHA512: "sha512",
}
_KINDS: Final = {Algorithm.ED25519: "Ed25519", Algorithm.RSA_SHA256: "RSA"}


class UnfitSecret(Exception):
    """A secret is of no form that the scheme takes. Its text says which, and nothing of it."""


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The kinds of secret that a scheme takes."""

    hmac: SigningKey | None
    asymmetric: dict[Algorithm, SigningKey]

    @classmethod
    def of(cls, keys: tuple[SigningKey, ...]) -> "KeyRing":
        """Make ready the keys of a scheme."""
        symmetric = [key for key in keys if key.algorithm in _HMAC]
        return cls(
            symmetric[0] if symmetric else None,
            {key.algorithm: key for key in keys if key.algorithm not in _HMAC},
        )

    def takes_pem(self, secret: str) -> bool:
        """Tell whether a secret is read as PEM, and so may hold line breaks."""
        return bool(self.asymmetric) and secret.startswith(_PEM)

    def check(self, secret: str) -> None:
        """Check thoroughly a secret that a user entered.

        Raises:
            UnfitSecret: With a predicate such as "is not base64".
        """
        if self.takes_pem(secret):
            self._load(secret, thoroughly=True)
        elif self.hmac is None:
            kinds = " or ".join(_KINDS[each] for each in self.asymmetric)
            raise UnfitSecret(f"is not the PEM of an {kinds} private key")
        else:
            _decode(self.hmac, secret)

    def signature(self, secret: str, message: bytes) -> tuple[bytes, SigningKey]:
        """Sign a message.

        Returns:
            The bytes of the signature, and the key that says how they are written.

        Raises:
            CredentialClosed: The secret is of no form that the scheme takes.
        """
        try:
            if not self.takes_pem(secret):
                if self.hmac is not None:
                    key = _decode(self.hmac, secret)
                    return hmac.digest(key, message, _HMAC[self.hmac.algorithm]), self.hmac
            else:
                private, signing = self._load(secret, thoroughly=False)
                if isinstance(private, RSAPrivateKey):
                    return private.sign(message, PKCS1v15(), SHA256()), signing
                return private.sign(message), signing
        except UnfitSecret:
            pass
        raise CredentialClosed("the credential's secret is of no form that signs here", ENTER_AGAIN)

    def _load(
        self, secret: str, *, thoroughly: bool
    ) -> tuple[RSAPrivateKey | Ed25519PrivateKey, SigningKey]:
        private = _load_pem(secret, thoroughly=thoroughly)
        if isinstance(private, RSAPrivateKey) and private.key_size not in RSA_BITS:
            raise UnfitSecret(f"is an RSA key of {private.key_size} bits; 2048 to 8192 are taken")
        for kind, algorithm in (
            (RSAPrivateKey, Algorithm.RSA_SHA256),
            (Ed25519PrivateKey, Algorithm.ED25519),
        ):
            if isinstance(private, kind) and algorithm in self.asymmetric:
                return private, self.asymmetric[algorithm]
        raise UnfitSecret("is a private key of a kind that this provider does not take")


def _load_pem(secret: str, *, thoroughly: bool) -> object:
    """Load a private key; the parser's errors are not chained, for they may quote it.

    RSA's own checks take milliseconds; they are made when the key is entered.
    """
    if secret.startswith((_PEM + "PUBLIC", _PEM + "RSA PUBLIC", _PEM + "CERTIFICATE")):
        raise UnfitSecret("holds a public key or a certificate; the private key signs")
    fault = "is not a well-formed PEM private key"
    try:
        return load_pem_private_key(
            secret.encode("utf-8"), None, unsafe_skip_rsa_key_validation=not thoroughly
        )
    except TypeError:
        fault = "is encrypted with a passphrase; enter the private key without one"
    except (ValueError, UnsupportedAlgorithm):
        pass
    raise UnfitSecret(fault)


def _as_text(secret: str) -> bytes:
    return secret.encode("utf-8")


def _as_base64(secret: str) -> bytes:
    return b64decode(secret, validate=True)


_DECODERS: Final[dict[str, Callable[[str], bytes]]] = {
    "text": _as_text,
    "base64": _as_base64,
    "hex": binascii.unhexlify,
}


def _decode(key: SigningKey, secret: str) -> bytes:
    decoded = b""
    try:
        decoded = _DECODERS[key.secret_as](secret)
    except ValueError:
        pass
    if not decoded:
        raise UnfitSecret(f"is not {key.secret_as}")
    return decoded
