"""What is sent to the admin API. Unknown members are refused, so that no plain credential slips in.

Errors name the member and what is expected, and never repeat a value.
"""

import base64
import binascii
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FiniteFloat,
    WithJsonSchema,
)

from bailee.admin.api.examples import Example, examples
from bailee.manage.callers import HIGHEST_LIMIT, LimitChange
from bailee.manage.imports import IMPORT_LIMIT
from bailee.manage.imports import NewConnection as Import
from bailee.model import ConnectionId, Gate, Probing, ProviderId, SealedCredential, Signed

LONGEST_TOKEN_DAYS = 5 * 365
LONGEST_DERIVED_SECONDS = 900.0
_STATEMENT = {"payload": "eyJraW5kIjoiLi4uIn0=", "signature": "5CrTSKlQPgXJ1Ou1QgvC"}
_SEALED: Example = {
    "version": 1,
    "key_id": "key_zrxk6l3n4mvq2yw7t5hbdpa4ce",
    "trust_digest": "9f" * 32,
    "ciphertext": "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJCrze8SNFZ4kKvN7xI0VniQAA==",
}
_CONNECTION: Example = {
    "id": "k3v7q2mzt5hbdpa4cezrxk6l3n",
    "provider": "kraken",
    "subject": "user-17",
    "egress": None,
} | _SEALED


def _from_base64(given: object) -> bytes:
    try:
        return base64.b64decode(str(given), validate=True) if isinstance(given, str) else _bad()
    except (binascii.Error, ValueError):
        raise ValueError("must be base64") from None


def _from_hex(given: object) -> bytes:
    try:
        return binascii.unhexlify(given) if isinstance(given, str) else _bad()
    except ValueError:  # spaces and other alphabets included
        raise ValueError("must be hexadecimal") from None


def _bad() -> bytes:
    raise ValueError("must be a string")


Base64 = Annotated[
    bytes,
    BeforeValidator(_from_base64),
    WithJsonSchema(
        {
            "type": "string",
            "contentEncoding": "base64",
            "contentMediaType": "application/octet-stream",
            "pattern": "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$",
        }
    ),
]
Hex32 = Annotated[
    bytes,
    BeforeValidator(_from_hex),
    Field(min_length=32, max_length=32),
    WithJsonSchema(
        {
            "type": "string",
            "contentEncoding": "base16",
            "contentMediaType": "application/octet-stream",
            "minLength": 64,
            "maxLength": 64,
            "pattern": "^[0-9A-Fa-f]{64}$",
        }
    ),
]
CallerLimit = Annotated[int, Field(ge=1, le=HIGHEST_LIMIT)] | None


class Form(BaseModel):
    """Strict: no member but the named ones, no value that only looks like another type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


class Statement(Form):
    """A statement that the authority signed, elsewhere than here."""

    model_config = examples(_STATEMENT)

    payload: Base64
    signature: Base64

    @property
    def signed(self) -> Signed:
        """What is to be verified."""
        return Signed(self.payload, self.signature)


class NewTenant(Statement):
    """A tenant with its first key pair: the statement is of the public half."""

    model_config = examples(
        {"id": "tax-app", "name": "Tax app", "wrapped_private": "q83vEjRWeJCrze8S"} | _STATEMENT
    )

    id: str
    name: str
    wrapped_private: Base64
    """The private half, wrapped by the root key: nothing here can unwrap it."""
    gate: Annotated[Gate, Field(strict=False)] = Gate.NONE
    probing: Annotated[Probing, Field(strict=False)] = Probing.NONE


class TenantChange(Form):
    """What is to be changed; a member that is left out, or null, stays."""

    model_config = examples({"gate": "declared"}, {"probing": "ok"})

    gate: Annotated[Gate, Field(strict=False)] | None = None
    probing: Annotated[Probing, Field(strict=False)] | None = None


class Proposal(Form):
    """A provider, as `providers.load.encode_provider` writes it."""

    model_config = examples({"document": {"id": "kraken", "name": "Kraken"}})

    document: dict[str, Any]


class JobArguments(Form):
    """Which origin to look at; its default one when none is named."""

    provider: str
    origin: str | None = None


class JobOrder(Form):
    """Work for the keeper."""

    model_config = examples({"kind": "learn_pin", "arguments": {"provider": "kraken"}})

    kind: Literal["learn_pin"]
    arguments: JobArguments
    egress: str | None = None


class LockCheck(Form):
    """How a lock may be checked."""

    model_config = examples({"accept_risky": False})

    accept_risky: bool = False
    """Also where a try from a decoy may lock the key or alarm its user."""


class NewVersion(Form):
    """A sealed credential for a connection that exists."""

    model_config = examples(_SEALED | {"version": 2})

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

    model_config = examples(_CONNECTION)

    id: str
    provider: str
    subject: str
    egress: str | None = None

    @property
    def to_import(self) -> Import:
        """The same as an item of an import."""
        provider = ProviderId(self.provider)
        return Import(provider, self.subject, self.sealed(self.id), self.egress)


class NewConnections(Form):
    """Connections at once; each is judged alone."""

    model_config = examples({"items": [_CONNECTION]})

    items: list[NewConnection] = Field(min_length=1, max_length=IMPORT_LIMIT)


class NewRevocation(Form):
    """Which connections are revoked: exactly one of these."""

    model_config = examples({"provider": "kraken"}, {"subject": "user-17"}, {"all": True})

    all: bool = False
    provider: str | None = None
    subject: str | None = None


class NewCaller(Form):
    """A program that is to ask for calls."""

    model_config = examples(
        {"name": "reports", "allow_from": ["192.0.2.0/24"], "token_days": 90, "concurrent": 50}
    )

    name: str
    allow_from: list[str] = Field(default=[], max_length=256)
    token_days: int = Field(default=90, ge=1, le=LONGEST_TOKEN_DAYS)
    calls_per_second: CallerLimit = None
    concurrent: CallerLimit = None


class CallerChange(Form):
    """What is to be changed: a member that is left out stays, null is for the config's own."""

    model_config = examples({"calls_per_second": 20}, {"concurrent": None})

    calls_per_second: CallerLimit = None
    concurrent: CallerLimit = None

    @property
    def limits(self) -> LimitChange:
        """The members that were sent."""
        change = LimitChange()
        if "calls_per_second" in self.model_fields_set:
            change["calls_per_second"] = self.calls_per_second
        if "concurrent" in self.model_fields_set:
            change["concurrent"] = self.concurrent
        return change


class NewToken(Form):
    """A token of a role (`role`, `days`), or one derived for a caller (the other members)."""

    model_config = examples(
        {"caller": "reports", "subject": "user-17", "methods": ["GET"], "seconds": 300},
        {"role": "application", "label": "backend of the tax app", "days": 365},
    )

    role: Literal["operator", "application", "auditor"] | None = None
    label: str = ""
    days: int = Field(default=365, ge=1, le=LONGEST_TOKEN_DAYS)
    caller: str | None = None
    subject: str | None = None
    connection: str | None = None
    methods: list[str] | None = Field(default=None, max_length=16)
    seconds: FiniteFloat = Field(default=LONGEST_DERIVED_SECONDS, gt=0, le=LONGEST_DERIVED_SECONDS)


class NewGrant(Form):
    """What a caller may do with one connection, or with all of a provider or a subject.

    `caller` is an id or a name.
    """

    model_config = examples(
        {"caller": "reports", "provider": "kraken", "allow": ["POST /0/private/Balance"]}
    )

    caller: str
    connection: str | None = None
    provider: str | None = None
    subject: str | None = None
    allow: list[str]
    expires_at: FiniteFloat | None = None
