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
WEBSOCKET = "WEBSOCKET"
"""What grants, tokens and the journal call the opening of a WebSocket, which is sent as a GET."""
GRANTABLE_METHODS = RELAYED_METHODS | {WEBSOCKET}
"""What a rule or a token may name."""


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
class Rule:
    """A method (`*` for any) and a path pattern: `*` within a segment, `**` over any segments."""

    method: str
    pattern: str

    def __str__(self) -> str:
        return f"{self.method} {self.pattern}"


@dataclass(frozen=True, slots=True)
class BodyCondition:
    """What must stand at one place of a JSON body: one of some values."""

    path: tuple[str, ...]
    """The names of the members that lead there; in a message also places in lists: a number, or `*`
    for every place."""
    values: tuple[str, ...]
    """Strings, numbers, booleans and null in their one JSON spelling, in ASCII."""

    @property
    def selector(self) -> str:
        """The place as a rule names it."""
        return "$." + ".".join(self.path)

    def __str__(self) -> str:
        if len(self.values) == 1:
            return f"{self.selector} = {self.values[0]}"
        return f"{self.selector} in [{', '.join(self.values)}]"


Bodies = tuple[tuple[BodyCondition, ...], ...]
"""What a body must be: all the conditions of one of these."""


@dataclass(frozen=True, slots=True)
class BodyRule(Rule):
    """A grant's rule that also says what must stand in the body, or, of a WebSocket, in each of the
    client's messages. No provider has one."""

    body: tuple[BodyCondition, ...]

    def __str__(self) -> str:
        word = "frame" if self.method == WEBSOCKET else "body"
        return f"{Rule.__str__(self)} {word} {' and '.join(map(str, self.body))}"


@dataclass(frozen=True, slots=True)
class PlaceScheme:
    """An auth scheme that only places what the user gave."""

    placements: tuple[Placement, ...]
    fields: tuple[str, ...]
    """The credential's field names, sorted: exactly what the templates name."""


class Algorithm(StrEnum):
    """How a signature is made."""

    HMAC_SHA256 = "hmac-sha256"
    HMAC_SHA384 = "hmac-sha384"
    HMAC_SHA512 = "hmac-sha512"
    ED25519 = "ed25519"
    RSA_SHA256 = "rsa-sha256"
    """RSASSA-PKCS1-v1_5."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One kind of secret that a provider accepts, and the signature that is made with it."""

    algorithm: Algorithm
    secret_as: Literal["text", "base64", "hex", "pem"]
    """What the user's secret is: `pem` for Ed25519 and RSA, one of the others for HMAC."""
    signature_as: Literal["hex", "base64"]


@dataclass(frozen=True, slots=True)
class SigningPart:
    """A named piece made of others: `of`, or a JSON object, then digested, then encoded."""

    name: str
    of: str
    """A template; empty where there is `json`."""
    json: tuple[tuple[str, str], ...]
    """(member, template of a text): a JSON object of these, then of the members of the request's
    JSON body that are none of these."""
    digest: Literal["none", "sha256", "sha384", "sha512", "sign"]
    """`sign` uses the key of the scheme."""
    encoding: Literal["raw", "hex", "base64"]


class Slot(StrEnum):
    """Where a template scheme puts something."""

    HEADER = "header"
    QUERY = "query"
    BODY = "body"
    """A member of the body, which is a form or a JSON object."""
    PARAMETER = "parameter"
    """The query or the form: where the caller has it, else in the form where there is one."""


@dataclass(frozen=True, slots=True)
class Filling:
    """What a template scheme puts into one place; the caller's own is taken out."""

    slot: Slot
    name: str
    value: str
    """A template, as in `{signature}`."""


@dataclass(frozen=True, slots=True)
class TemplateScheme:
    """An auth scheme that signs each request; `signing/template.py` says what templates hold."""

    fields: tuple[str, ...]
    """The credential's field names, sorted."""
    secret: str
    """The one of `fields` that signs. It is never put anywhere."""
    keys: tuple[SigningKey, ...]
    """At most one for HMAC, and one each for Ed25519 and RSA."""
    time: Literal["none", "s", "ms", "us", "iso"]
    nonce: Literal["none", "monotonic", "uuid"]
    nonce_unit: Literal["s", "ms", "us", "ns"]
    """A monotonic nonce begins at the time in these."""
    parts: tuple[SigningPart, ...]
    """Each may use those before it."""
    message: str
    """The template of what is signed."""
    fillings: tuple[Filling, ...]
    unsigned: tuple[Rule, ...]
    """Requests that get what needs no signature, time or nonce, and nothing else."""


AuthScheme = PlaceScheme | TemplateScheme


@dataclass(frozen=True, slots=True)
class TokenPlace:
    """Where an unmodified SDK puts the provider's key, and so our token."""

    place: Place
    name: str


class Meaning(StrEnum):
    """What a provider's answer says about the credential and the address that were used."""

    SERVED = "served"
    """The answer holds what only an accepted credential is given."""
    ADDRESS = "address"
    """Refused for the source address, and said so unmistakably."""
    CREDENTIAL = "credential"
    """Refused for the credential: unknown, wrong, expired, badly signed."""
    CREDENTIAL_OR_ADDRESS = "credential-or-address"
    """Refused with words that the provider uses for both."""
    PERMISSION = "permission"
    """Credential and address are good; the credential may not do this."""
    LIMITED = "limited"
    """A rate limit or a ban."""
    UNCLEAR = "unclear"
    """Anything else."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What an answer must be; all parts that are given must hold, and an empty part holds.

    `present` and `equals` speak of a JSON body: a path is names and list places joined by dots, as
    in `result.list.0.id`. A path that leads nowhere makes the condition false.
    """

    status: tuple[int, ...] = ()
    """One of these; empty means any."""
    present: tuple[str, ...] = ()
    """Paths that must lead to something that is neither null nor an empty text, list or object."""
    equals: tuple[tuple[str, str], ...] = ()
    """(path, value): what the path leads to, as text; numbers and booleans as JSON spells them."""
    contains: tuple[str, ...] = ()
    """Texts, one of which must stand in the body; letters count in either case."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """One way in which a provider refuses. The first that fits an answer counts."""

    means: Meaning
    when: Condition


class DecoyPolicy(StrEnum):
    """Whether a user's credential may be tried from a decoy."""

    OK = "ok"
    RISKY = "risky"
    """It may lock the key or alarm its user: only where that was accepted by name."""
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class ProviderRequest:
    """A request of a provider's file. It only reads: a probe never writes (R48)."""

    method: str
    path: str
    query: str = ""
    """Percent-encoded, without the question mark."""
    body: str | None = None
    content_type: str = ""
    origin: str | None = None
    """The name of an origin; the default one for `None`."""


@dataclass(frozen=True, slots=True)
class Probe:
    """How to see whether a credential is served from an address."""

    request: ProviderRequest
    success: Condition
    """A positive field in the body, never the status alone."""
    public: ProviderRequest
    """A request that anyone may make, without a credential: it tells whether an address is let in
    at all."""
    public_success: Condition
    decoy: DecoyPolicy = DecoyPolicy.RISKY


@dataclass(frozen=True, slots=True)
class SelfReport:
    """Where the provider itself says what a credential is restricted to, and what it may do."""

    request: ProviderRequest
    success: Condition
    addresses: str = ""
    """Path to the allowed addresses: a list, or a text separated by commas or spaces."""
    restricted: str = ""
    """Path to a boolean, for providers that do not name the addresses."""
    unrestricted_values: tuple[str, ...] = ()
    """What stands at `addresses` when everything is allowed, such as `*`."""
    powers: tuple[tuple[str, str, str], ...] = ()
    """(power, path, value): the credential has `withdraw`, `trade` or `read` when what the path
    leads to is, or contains, the value as text."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a provider's own report says of a credential. Without arguments: it says nothing."""

    addresses: tuple[str, ...] = ()
    """The addresses and networks that the credential works from, in canonical form; empty when
    they are not told, could not all be read, or are not restricted."""
    restricted: bool | None = None
    """Whether it works from listed addresses alone; `None` when that is not told."""
    powers: tuple[str, ...] = ()
    """Which of `read`, `trade` and `withdraw` it has."""


@dataclass(frozen=True, slots=True)
class Allowlisting:
    """What the provider lets its users restrict."""

    scope: Literal["key", "account", "none"]
    family: tuple[Literal["ipv4", "ipv6"], ...] = ("ipv4",)
    where: str = ""
    """The menu path on the provider's site."""
    max: int | None = None
    """How many addresses fit."""
    cidr: bool | None = None
    decays_days: int | None = None
    """After so many days a key without a list is deleted or loses powers."""


@dataclass(frozen=True, slots=True)
class Budget:
    """How many calls a provider takes in some time, all of its origins together."""

    per: Literal["egress", "connection"]
    """Whose calls are counted: all that leave from one address, or those of one connection."""
    calls: int
    """No window of `seconds` sees more than these."""
    seconds: float
    burst: int
    """So many of them may go at once; the others are spread."""


@dataclass(frozen=True, slots=True)
class LoginFrame:
    """How a login stands in a message of a WebSocket."""

    when: tuple[BodyCondition, ...]
    """How the client's own login is recognised, which is replaced."""
    message: str
    """What takes its place: a JSON object whose texts are templates."""
    numbers: tuple[str, ...]
    """Places in it, as in `args.1`, whose text is written as a number."""
    keep: tuple[str, ...]
    """Members that are taken over from the client's login: a number, or a short text."""
    time: Literal["none", "s", "ms", "us", "iso"]
    ahead: int
    """So many seconds after now is `{time}`."""
    sign: str
    """The template of what `{signature}` is made of; empty where there is none."""
    parts: tuple[SigningPart, ...]
    """Each is made `of` a template."""


@dataclass(frozen=True, slots=True)
class WebSocket:
    """Where a provider has WebSockets, and how one logs in there."""

    origins: tuple[str, ...]
    login: Literal["handshake", "frame", "none"]
    """Where the credential goes: on the handshake, as on any call, in the first message, or
    nowhere."""
    frame: LoginFrame | None = None
    """Just where `login` is `frame`."""


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
    allowlisting: Allowlisting | None = None
    probe: Probe | None = None
    report: SelfReport | None = None
    refusals: tuple[Refusal, ...] = ()
    echoes: bool = False
    """Whether its answers are known to show credentials: they are asked for uncompressed, and
    refused if they are not."""
    websocket: WebSocket | None = None
    """None: it has no WebSockets that could be used."""
    budgets: tuple[Budget, ...] = ()
    """No two have the same `per` and `seconds`."""
    own_streams: bool = False
    """Whether no stream carries calls of two connections: it may mix up its answers."""

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
    """What a token is for. Callers use the gateway, the other three the admin API."""

    OPERATOR = "operator"
    """Everything, in every tenant."""
    APPLICATION = "application"
    """One tenant's connections, callers, grants and locks."""
    AUDITOR = "auditor"
    """Reads everything, changes nothing."""
    CALLER = "caller"


@dataclass(frozen=True, slots=True)
class CallerLimits:
    """How much one caller may ask for. What is `None` is as the gateway's config says."""

    calls_per_second: int | None = None
    concurrent: int | None = None
    """Calls under way in one worker."""


NO_CALLER_LIMITS = CallerLimits()
"""The config says it all."""


@dataclass(frozen=True, slots=True)
class Caller:
    """A program that asks for calls."""

    id: CallerId
    tenant: TenantId
    name: str
    allow_from: tuple[str, ...] = ()
    """Its inbound allowlist (addresses and CIDR); empty means any."""
    limits: CallerLimits = NO_CALLER_LIMITS


@dataclass(frozen=True, slots=True)
class Grant:
    """Which caller may use which connections, for which rules, until when.

    Exactly one of `connection`, `provider` and `subject` is given: the grant is over one
    connection, over all of the tenant's connections to a provider, or over all of a subject, those
    made later included.
    """

    id: GrantId
    caller: CallerId
    connection: ConnectionId | None
    allow: tuple[Rule, ...]
    expires_at: float | None = None
    provider: ProviderId | None = None
    subject: str | None = None


class LockState(StrEnum):
    """The measured state of a credential's allowlist; the glossary says when each is given."""

    UNCHECKED = "unchecked"
    ENFORCED = "enforced"
    DECLARED = "declared"
    OPEN = "open"
    BLOCKED = "blocked"
    UNPROVEN = "unproven"


class Gate(StrEnum):
    """Which lock a tenant's connections need before they may be used."""

    NONE = "none"
    DECLARED = "declared"
    """`declared` or `enforced`."""
    ENFORCED = "enforced"


class Probing(StrEnum):
    """Which trials of its users' credentials from a decoy a tenant has consented to."""

    NONE = "none"
    OK = "ok"
    """With providers where it is known to do no harm."""
    RISKY = "risky"
    """Also where it may lock a key or alarm its user."""


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


@dataclass(frozen=True, slots=True)
class FeedAddress:
    """An address of the feed."""

    id: EgressId
    public: str
    state: EgressState
    serial: int
    """Of the statement that published it."""
    since: float
    """When the feed first had it."""
    until: float | None = None
    """When calls stop leaving from it; None while that is not known."""


@dataclass(frozen=True, slots=True)
class Feed:
    """What everyone may read: the addresses that calls leave from. All times are whole seconds."""

    serial: int
    """Of a later feed it is higher."""
    created_at: float
    valid_until: float
    addresses: tuple[FeedAddress, ...]


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

    bodies: Bodies = ()
    """If there are any: only if its body is one of these."""


@dataclass(frozen=True, slots=True)
class Deny:
    """The rules refuse the request. `reason` is for the caller and names no other's data."""

    reason: str
    rule: str = field(default="")


ALLOW = Allow()
