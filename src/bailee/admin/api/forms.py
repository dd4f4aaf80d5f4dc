"""What operators send. A member that is not known is refused, so that no plain credential slips in.

Errors name the member and what is expected, and never repeat a value.
"""

import base64
import binascii
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, FiniteFloat

from bailee.model import ConnectionId, SealedCredential, Signed

LONGEST_TOKEN_DAYS = 5 * 365


def _from_base64(given: object) -> bytes:
    try:
        return base64.b64decode(str(given), validate=True) if isinstance(given, str) else _bad()
    except (binascii.Error, ValueError):
        raise ValueError("must be base64") from None


def _from_hex(given: object) -> bytes:
    try:
        return bytes.fromhex(given) if isinstance(given, str) else _bad()
    except ValueError:
        raise ValueError("must be hexadecimal") from None


def _bad() -> bytes:
    raise ValueError("must be a string")


Base64 = Annotated[bytes, BeforeValidator(_from_base64)]
Hex32 = Annotated[bytes, BeforeValidator(_from_hex), Field(min_length=32, max_length=32)]


class Form(BaseModel):
    """Strict: no member but the named ones, no value that only looks like another type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


class Statement(Form):
    """A statement that the authority signed, elsewhere than here."""

    payload: Base64
    signature: Base64

    @property
    def signed(self) -> Signed:
        """What is to be verified."""
        return Signed(self.payload, self.signature)


class Proposal(Form):
    """A provider, as `providers.load.encode_provider` writes it."""

    document: dict[str, Any]


class JobArguments(Form):
    """Which origin to look at; its default one when none is named."""

    provider: str
    origin: str | None = None


class JobOrder(Form):
    """Work for the keeper."""

    kind: Literal["learn_pin"]
    arguments: JobArguments
    egress: str | None = None


class NewVersion(Form):
    """A sealed credential for a connection that exists."""

    version: int
    key_id: str
    trust_digest: Hex32
    ciphertext: Base64

    def sealed(self, connection: str) -> SealedCredential:
        """The version as the vault knows it."""
        return SealedCredential(
            ConnectionId(connection), self.version, self.key_id, self.trust_digest, self.ciphertext
        )


class NewConnection(NewVersion):
    """A connection with its first sealed credential; whoever seals chooses the id."""

    id: str
    provider: str
    subject: str
    egress: str | None = None


class NewCaller(Form):
    """A program that is to ask for calls."""

    name: str
    allow_from: list[str] = Field(default=[], max_length=256)
    token_days: int = Field(default=90, ge=1, le=LONGEST_TOKEN_DAYS)


class NewGrant(Form):
    """What a caller may do with a connection. `caller` is an id or a name."""

    caller: str
    connection: str
    allow: list[str]
    expires_at: FiniteFloat | None = None
