"""The words of Bailee as frozen values, which do nothing; `docs/glossary.md` explains them.

Times are Unix seconds (float) unless a name says otherwise.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, NewType

TenantId = NewType("TenantId", str)
ProviderId = NewType("ProviderId", str)
ConnectionId = NewType("ConnectionId", str)
CallerId = NewType("CallerId", str)
TokenId = NewType("TokenId", str)
GrantId = NewType("GrantId", str)
EgressId = NewType("EgressId", str)
JobId = NewType("JobId", str)
CallId = NewType("CallId", str)
Pin = NewType("Pin", bytes)
"""SHA-256 of a certificate's SubjectPublicKeyInfo: 32 bytes."""

DEFAULT_TENANT = TenantId("default")
CONNECTION_ID_PATTERN = r"[a-z2-7]{26}"
RELAYED_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""The only methods that are ever relayed."""


# --- providers -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Origin:
    """One door of a provider. `host` is a lower-case DNS name or an IP literal without brackets."""

    name: str
    host: str
    port: int
    address: str | None = None
    """Dialled instead of asking DNS, where the provider's file says so."""
    ca_pem: str | None = None
    """Takes the place of the system's roots for this origin."""
    danger_private_addresses: bool = False
    tls_minimum: Literal["1.2", "1.3"] = "1.3"

    @property
    def authority(self) -> str:
        """The value of `Host`: without the port when it is 443; an IPv6 literal is bracketed."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == 443 else f"{host}:{self.port}"


class Place(StrEnum):
    """Where in a request a part of a credential stands."""

    HEADER = "header"
    QUERY = "query"
    PATH = "path"
    BASIC = "basic"


@dataclass(frozen=True, slots=True)
class Placement:
    """One part of a credential in one place of a request.

    `name` is the header's or the query parameter's name; for `path` and `basic` it is empty.
    `value` is a template such as `Bearer {api_key}`. For `path` it is a prefix of the provider's
    path (`/bot{token}`), for `basic` it is `{user}:{password}` before base64.
    """

    place: Place
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class PlaceScheme:
    """An auth scheme that only places what the user gave."""

    placements: tuple[Placement, ...]
    fields: tuple[str, ...]
    """The credential's field names, sorted: exactly what the templates name."""


AuthScheme = PlaceScheme


@dataclass(frozen=True, slots=True)
class TokenPlace:
    """Where an unmodified SDK puts the provider's key, and so our token."""

    place: Place
    name: str


@dataclass(frozen=True, slots=True)
class Rule:
    """A method (`*` for any) and a path pattern: `*` within a segment, `**` over any segments."""

    method: str
    pattern: str

    def __str__(self) -> str:
        return f"{self.method} {self.pattern}"


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider's file, checked. Its trust record is derived from `origins` and `auth`."""

    id: ProviderId
    name: str
    category: str
    headers: tuple[str, ...]
    """Request headers let through besides the standard list: lower case, `*` only as the last."""
    origins: tuple[Origin, ...]
    """The first one is the default."""
    auth: AuthScheme
    caller_token: TokenPlace | None
    dummy_secret: str | None
    deny: tuple[Rule, ...]
    multiplexed: tuple[Rule, ...]
    """Paths of JSON-RPC, GraphQL or batch doors: one path, many meanings."""

    def origin(self, name: str | None) -> Origin | None:
        """Find an origin by name; the default one for `None`."""
        if name is None:
            return self.origins[0]
        return next((origin for origin in self.origins if origin.name == name), None)


@dataclass(frozen=True, slots=True)
class PinSet:
    """The pins of one origin. Later sets of the same origin have a higher serial."""

    provider: ProviderId
    origin: str
    serial: int
    pins: tuple[Pin, ...]
    danger_no_backup: bool


@dataclass(frozen=True, slots=True)
class SeenCertificate:
    """One certificate of a verified chain, as `pin learn` shows it. The leaf comes first."""

    subject: str
    issuer: str
    pin: Pin
    key: str
    """The kind of key, as in `EC P-256` or `RSA 2048`."""
    not_before: float
    not_after: float
    role: Literal["leaf", "issuer", "root"]


# --- what is signed and sealed -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Signed:
    """A payload with the authority's signature; it says nothing until it was verified."""

    payload: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class SealContext:
    """What a sealed credential is bound to: moved or altered, it does not open."""

    tenant: TenantId
    connection: ConnectionId
    version: int
    trust_digest: bytes
    """SHA-256 of the provider's trust record: 32 bytes."""


@dataclass(frozen=True, slots=True)
class SealedCredential:
    """One version of a connection's credential. `ciphertext` is encapsulated key and AEAD text."""

    connection: ConnectionId
    version: int
    key_id: str
    """Which of the tenant's key pairs it is sealed to."""
    trust_digest: bytes
    ciphertext: bytes


@dataclass(frozen=True, slots=True)
class TenantKey:
    """The public half of a tenant's key pair (X25519, 32 bytes)."""

    tenant: TenantId
    id: str
    public: bytes


# --- who may do what -----------------------------------------------------------------------------


class Role(StrEnum):
    """What a token is for. Callers use the gateway, operators the admin API."""

    OPERATOR = "operator"
    CALLER = "caller"


@dataclass(frozen=True, slots=True)
class Caller:
    """A program that asks for calls."""

    id: CallerId
    tenant: TenantId
    name: str
    allow_from: tuple[str, ...] = ()
    """Its inbound allowlist (addresses and CIDR); empty means any."""


@dataclass(frozen=True, slots=True)
class Grant:
    """Which caller may use a connection, for which rules, until when."""

    id: GrantId
    caller: CallerId
    connection: ConnectionId
    allow: tuple[Rule, ...]
    expires_at: float | None = None


class ConnectionState(StrEnum):
    """Whether a connection may be used."""

    ACTIVE = "active"
    REVOKED = "revoked"


class EgressState(StrEnum):
    """Whether calls may leave from an egress address."""

    ACTIVE = "active"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class EgressAddress:
    """A published address that calls leave from, as the authority signed it."""

    id: EgressId
    name: str
    """The name of the `[[egress]]` entry of the config that can dial from it."""
    public: str
    """What providers see and users allow."""
    state: EgressState
    serial: int


class JobState(StrEnum):
    """Where a job for the keeper stands."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Job:
    """Work that needs the root key or a socket to a provider, asked for by a row."""

    id: JobId
    kind: str
    tenant: TenantId
    arguments: dict[str, str]
    egress: str
    """The name of the egress address that the work needs; a keeper that owns it takes the job."""
    state: JobState
    created_at: float
    result: dict[str, object] | None = None
    result_signature: bytes | None = None
    error: dict[str, str] | None = None
    finished_at: float | None = None


# --- refusals are values -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Allow:
    """The rules let the request through."""


@dataclass(frozen=True, slots=True)
class Deny:
    """The rules refuse the request. `reason` is for the caller and names no other's data."""

    reason: str
    rule: str = field(default="")


ALLOW = Allow()
