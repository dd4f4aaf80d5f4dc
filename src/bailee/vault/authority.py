"""The authority: the Ed25519 key whose signature makes a row of the database worth believing.

What is signed is `length || label || length || payload`, with the lengths as 8 bytes, big-endian:
a signature made under one label says nothing under another, and no payload can be cut so that it
begins inside a label.
"""

import binascii
from base64 import b64decode, b64encode
from enum import StrEnum

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from bailee.errors import BadInput, TrustBroken
from bailee.model import Signed

_PREFIX = "ed25519/"


class Label(StrEnum):
    """What a signed payload is. A new form of a payload gets a new number."""

    PROVIDER = "bailee/provider/v1"
    PINS = "bailee/pins/v1"
    TENANT_KEY = "bailee/tenant-key/v1"
    EGRESS = "bailee/egress/v1"
    CHECKPOINT = "bailee/checkpoint/v1"
    JOB_RESULT = "bailee/job-result/v1"
    FEED = "bailee/feed/v1"


class Authority:
    """The private half. It prints as its public half."""

    __slots__ = ("_private", "public")

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public = _public_text(private.public_key())
        """The public half, `ed25519/<base64 of 32 bytes>`."""

    def __repr__(self) -> str:
        return f"Authority({self.public})"

    def sign(self, label: Label, payload: bytes) -> Signed:
        """Sign `payload` as a `label`."""
        return Signed(payload, self._private.sign(_signed_bytes(label, payload)))


class AuthorityVerifier:
    """The public half, as it stands in the config.

    Args:
        public: `ed25519/<base64 of 32 bytes>`, in the one canonical spelling.

    Raises:
        BadInput: `public` is not of that form.
    """

    __slots__ = ("_key", "public")

    def __init__(self, public: str) -> None:
        self._key = _public_key(public)
        self.public = public

    def __repr__(self) -> str:
        return f"AuthorityVerifier({self.public})"

    def verify(self, label: Label, signed: Signed) -> bytes:
        """Return the payload if the authority signed it as a `label`.

        Raises:
            TrustBroken: It did not.
        """
        try:
            self._key.verify(signed.signature, _signed_bytes(label, signed.payload))
        except InvalidSignature:
            raise TrustBroken(
                f"a record ({label}) is not signed by the authority of the config",
                "someone else wrote it, or [vault] authority belongs to another vault",
            ) from None
        return signed.payload


def _signed_bytes(label: Label, payload: bytes) -> bytes:
    name = label.encode("ascii")
    return b"".join((len(name).to_bytes(8), name, len(payload).to_bytes(8), payload))


def _public_text(key: Ed25519PublicKey) -> str:
    return _PREFIX + b64encode(key.public_bytes_raw()).decode("ascii")


def _public_key(public: str) -> Ed25519PublicKey:
    try:
        raw = b64decode(public.removeprefix(_PREFIX), validate=True)
        key = Ed25519PublicKey.from_public_bytes(raw)
    except (binascii.Error, ValueError):
        key = None
    # The comparison refuses a missing prefix and every second spelling of the same base64.
    if key is None or _public_text(key) != public:
        raise BadInput("the authority's public half is not ed25519/<base64 of 32 bytes>")
    return key
