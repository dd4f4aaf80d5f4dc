"""What the store says about a call, verified once and kept until the store says otherwise.

The store counts its changes in one number. While that number stays the same, what was read before
is still true; when it moves, everything read is forgotten. The number is read five times a second,
and before a call when the last reading is older than that, so that a revocation works within a
second. When it can't be read, nobody knows whether a call is still allowed: after `stale_seconds`
and one second, calls are refused.

Every signed record is verified against the authority's public key before it is used: whoever can
write the database can't make a credential go elsewhere.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, TypeVar, cast

from bailee.egress.pool import PoolKey
from bailee.errors import (
    BaileeError,
    ConnectionNotFound,
    ConnectionRevoked,
    CredentialClosed,
    NoEgressAddress,
    ProviderNotApproved,
    StoreUnavailable,
    TrustBroken,
)
from bailee.http.hop import RequestHeaderPolicy
from bailee.journal.entry import subject_hash
from bailee.model import (
    CallerId,
    ConnectionId,
    ConnectionState,
    EgressId,
    EgressState,
    Origin,
    PinSet,
    Place,
    Provider,
    ProviderId,
    Rule,
    SealContext,
    SealedCredential,
    Signed,
    TenantId,
    TokenPlace,
)
from bailee.policy.allowlist import Allowlist
from bailee.policy.rules import CompiledRules, ProviderRules, compile_rules
from bailee.providers.trust import trust_digest
from bailee.signing.place import PlacePlan, plan_of
from bailee.store.lookup import CallLookup, ConnectionRow, GrantRow, TokenRow
from bailee.vault.authority import AuthorityVerifier
from bailee.vault.sealing import seal_info
from bailee.vault.statements import (
    verified_egress_address,
    verified_pin_set,
    verified_provider,
)

T = TypeVar("T")
CHECK_SECONDS: Final = 0.2
GRACE_SECONDS: Final = 1.0
ENTRIES_LIMIT: Final = 100_000
"""Tokens and accesses that are remembered; over it all are forgotten."""


DECISIONS_LIMIT: Final = 20_000
HEADS_LIMIT: Final = 4_096


@dataclass(frozen=True, slots=True)
class DialSource:
    """An address that this node can dial from, by the name of its `[[egress]]` entry."""

    name: str
    bind: str
    public: str


@dataclass(frozen=True, slots=True)
class ProviderView:
    """A verified provider with what calls need of it, made once."""

    provider: Provider
    serial: int
    trust_digest: bytes
    rules: ProviderRules
    headers: RequestHeaderPolicy
    plan: PlacePlan
    reserved: frozenset[str]
    """Query parameters in which the credential stands."""


@dataclass(frozen=True, slots=True)
class Route:
    """Where a connection's calls to one origin go, all of it verified."""

    connection: ConnectionId
    tenant: TenantId
    view: ProviderView
    origin: Origin
    after_target: bytes
    """What follows the request target: the version and the `Host` line."""
    pins: PinSet
    source: str
    egress: EgressId
    key: PoolKey
    sealed: SealedCredential
    context: SealContext
    subject: str
    """The keyed hash under which the subject stands in the journal."""
    place: str
    """A digest of the sealed credential with its whole context: what was opened for one place is
    not found for another, even where a row was moved in between."""


@dataclass(slots=True)
class Access:
    """What one caller may do with one door of a connection."""

    caller: CallerId
    connection: ConnectionId
    tenant: TenantId
    view: ProviderView | None
    grants: Sequence[GrantRow]
    valid_until: float
    """When the first of the grants expires: then `rules` has to be made anew."""
    rules: CompiledRules
    route: Route | None
    refusal: BaileeError | None
    """Why there is no route; told to callers that have a grant and to nobody else."""


@dataclass(slots=True)
class _Read:
    """All that was read at one revision."""

    tokens: dict[bytes, TokenRow | None] = field(default_factory=dict)
    accesses: dict[tuple[CallerId, bytes], Access | None] = field(default_factory=dict)
    places: dict[bytes, TokenPlace | None] = field(default_factory=dict)
    allowlists: dict[CallerId, Allowlist] = field(default_factory=dict)
    decisions: dict[Hashable, object] = field(default_factory=dict)
    heads: dict[bytes, object] = field(default_factory=dict)


class Snapshot:
    """The gateway's view of the store.

    Args:
        lookup: Reads the database.
        verifier: Verifies what the authority signed.
        sources: The addresses that this node can dial from.
        monotonic: A clock that never goes back, in seconds.
        stale_seconds: For how long an unreadable database is borne with.
    """

    def __init__(
        self,
        lookup: CallLookup,
        verifier: AuthorityVerifier,
        sources: Iterable[DialSource],
        monotonic: Callable[[], float],
        stale_seconds: float = 0.0,
    ) -> None:
        self._lookup = lookup
        self._verifier = verifier
        self._sources = {source.name: source for source in sources}
        self._monotonic = monotonic
        self._bearable = GRACE_SECONDS + stale_seconds
        self._revision = (0, -1)
        self._read_at = float("-inf")
        self._tried_at = float("-inf")
        self._failure = StoreUnavailable()
        self._read = _Read()
        self._serials: dict[str, int] = {}
        self._verified: dict[tuple[str, Signed], object] = {}
        self.on_change: Callable[[], None] = lambda: None
        """Called after the store has changed and everything read was forgotten."""

    def __repr__(self) -> str:
        return f"Snapshot(revision={self._revision})"

    def refresh(self) -> None:
        """Read the revision now; forget everything when it has moved."""
        self._tried_at = self._monotonic()
        try:
            revision = self._lookup.revision()
        except StoreUnavailable as failure:
            self._failure = failure
            return
        self._read_at = self._tried_at
        seen = (self._lookup.openings, revision)
        if seen != self._revision:
            self._revision = seen
            self._read = _Read()
            self.on_change()

    def ensure_fresh(self) -> None:
        """Make sure that what was read may still be used.

        Raises:
            StoreUnavailable: The database has not answered for too long.
        """
        now = self._monotonic()
        if now - self._tried_at > CHECK_SECONDS:
            self.refresh()
        if now - self._read_at > self._bearable:
            raise self._failure

    @property
    def decisions(self) -> dict[Hashable, object]:
        """What was decided at this revision: it is forgotten with everything else that was read."""
        if len(self._read.decisions) >= DECISIONS_LIMIT:
            self._read.decisions.clear()
        return self._read.decisions

    @property
    def reading(self) -> object:
        """Another object whenever the store has changed and everything was forgotten."""
        return self._read

    @property
    def heads(self) -> dict[bytes, object]:
        """Request heads that were understood and let through at this revision, by their digest."""
        if len(self._read.heads) >= HEADS_LIMIT:
            self._read.heads.clear()
        return self._read.heads

    def token(self, digest: bytes) -> TokenRow | None:
        """Find a token by its digest, live or not."""
        tokens = self._read.tokens
        if digest not in tokens:
            if len(tokens) >= ENTRIES_LIMIT:
                tokens.clear()
            tokens[digest] = self._lookup.token(digest)
        return tokens[digest]

    def allowlist(self, row: TokenRow, caller: CallerId) -> Allowlist:
        """The inbound allowlist of a caller that has one."""
        allowlists = self._read.allowlists
        if caller not in allowlists:
            allowlists[caller] = Allowlist.parse(row.allow_from)
        return allowlists[caller]

    def token_place(self, door: bytes) -> TokenPlace | None:
        """Where an unmodified SDK of this connection's provider puts the token, if anywhere."""
        places = self._read.places
        if door not in places:
            if len(places) >= ENTRIES_LIMIT:
                places.clear()
            places[door] = self._find_token_place(door)
        return places[door]

    def access(self, caller: CallerId, tenant: TenantId, door: bytes, now: float) -> Access:
        """Find what a caller may do with a door.

        Args:
            caller: Who asks.
            tenant: Whose it is.
            door: `{connection}` or `{connection}.{origin}`, as it stands in the path.
            now: Unix seconds.

        Raises:
            ConnectionNotFound: There is none, it is another tenant's, or the caller has no grant.
        """
        accesses = self._read.accesses
        key = (caller, door)
        found = accesses.get(key)
        if found is None and key not in accesses:
            if len(accesses) >= ENTRIES_LIMIT:
                accesses.clear()
            found = accesses[key] = self._find_access(caller, tenant, door)
        if found is None:
            raise ConnectionNotFound()
        if now >= found.valid_until:
            found.rules, found.valid_until = _live_rules(found.grants, now)
        if not found.rules.rules:
            raise ConnectionNotFound()
        return found

    # --- reading ---

    def _find_access(self, caller: CallerId, tenant: TenantId, door: bytes) -> Access | None:
        connection, origin_name = _split_door(door)
        row = self._lookup.connection(connection)
        if row is None or row.tenant != tenant:
            return None
        grants = [
            grant for grant in self._lookup.grants(caller, row.id) if grant.revoked_at is None
        ]
        if not grants:
            return None
        access = Access(
            caller=caller,
            connection=row.id,
            tenant=tenant,
            view=None,
            grants=grants,
            valid_until=float("-inf"),
            rules=compile_rules(()),
            route=None,
            refusal=None,
        )
        try:
            access.view = self._view(row.provider)
            access.route = self._route(row, access.view, origin_name)
        except ConnectionNotFound:
            return None
        except StoreUnavailable:
            raise
        except BaileeError as refused:
            access.refusal = refused
        return access

    def _find_token_place(self, door: bytes) -> TokenPlace | None:
        connection, _ = _split_door(door)
        row = self._lookup.connection(connection)
        if row is None:
            return None
        try:
            return self._view(row.provider).provider.caller_token
        except (ProviderNotApproved, TrustBroken):
            return None

    def _view(self, provider_id: ProviderId) -> ProviderView:
        signed = self._lookup.provider(provider_id)
        if signed is None:
            raise ProviderNotApproved(
                f"provider {provider_id} has no approved trust record",
                f"bailee provider approve {provider_id}",
            )
        view = self._verify(
            provider_id,
            signed,
            lambda: make_view(*verified_provider(self._verifier, signed, expected=provider_id)),
        )
        self._refuse_older(f"provider {provider_id}", view.serial)
        return view

    def _refuse_older(self, name: str, serial: int) -> None:
        """Refuse a record that is older than one seen before: somebody put it back."""
        if serial < self._serials.get(name, 0):
            raise TrustBroken(
                f"the signed record of {name} is older than one seen before",
                "after a restored backup restart Bailee; else look who can write the database",
            )
        self._serials[name] = serial

    def _verify(self, name: str, signed: Signed, verify: Callable[[], T]) -> T:
        """Verify a record once; what is remembered is bound to its bytes and to what it is for."""
        key = (name, signed)
        found = self._verified.get(key)
        if found is None:
            if len(self._verified) >= ENTRIES_LIMIT:
                self._verified.clear()
            found = self._verified[key] = verify()
        return cast(T, found)

    def _route(self, row: ConnectionRow, view: ProviderView, origin_name: str | None) -> Route:
        if row.state is not ConnectionState.ACTIVE:
            raise ConnectionRevoked()
        origin = view.provider.origin(origin_name)
        if origin is None:
            raise ConnectionNotFound()
        if row.sealed is None:
            raise CredentialClosed("there is no sealed credential", "bailee connection rotate")
        if row.sealed.trust_digest != view.trust_digest:
            raise CredentialClosed(
                "the provider's trust record was changed since the credential was entered",
                f"enter it again: bailee connection rotate {row.id}",
            )
        pins = self._pins(view.provider.id, origin.name)
        source, egress = self._source(row)
        context = SealContext(row.tenant, row.id, row.version, view.trust_digest)
        return Route(
            connection=row.id,
            tenant=row.tenant,
            view=view,
            origin=origin,
            after_target=f" HTTP/1.1\r\nHost: {origin.authority}\r\n".encode("ascii"),
            pins=pins,
            source=source,
            egress=egress,
            key=PoolKey(
                tenant=row.tenant,
                provider=view.provider.id,
                origin=origin.name,
                trust_digest=view.trust_digest,
                pin_serial=pins.serial,
                pins=pins.pins,
                source=source,
            ),
            sealed=row.sealed,
            context=context,
            place=sha256(seal_info(context) + row.sealed.ciphertext).hexdigest(),
            subject=subject_hash(row.journal_key.reveal(), row.subject),
        )

    def _pins(self, provider: ProviderId, origin: str) -> PinSet:
        signed = self._lookup.pin_set(provider, origin)
        if signed is None:
            raise ProviderNotApproved(
                f"origin {origin} of provider {provider} has no approved pins",
                f"bailee pin learn {provider}",
            )
        pins = self._verify(
            f"{provider} {origin}",
            signed,
            lambda: verified_pin_set(self._verifier, signed, expected=(provider, origin)),
        )
        self._refuse_older(f"pins {provider} {origin}", pins.serial)
        return pins

    def _source(self, row: ConnectionRow) -> tuple[str, EgressId]:
        signed = self._lookup.egress(row.egress)
        if signed is None:
            raise NoEgressAddress(
                "the connection's egress address is not published", "bailee egress list"
            )
        address = self._verify(
            row.egress,
            signed,
            lambda: verified_egress_address(self._verifier, signed, expected=row.egress),
        )
        self._refuse_older(f"egress {address.id}", address.serial)
        if address.state is not EgressState.ACTIVE:
            raise NoEgressAddress(
                f"egress address {address.name} ({address.public}) is retired",
                "bailee egress list shows the active ones",
            )
        source = self._sources.get(address.name)
        if source is None or source.public != address.public:
            raise NoEgressAddress(
                f"this node has no [[egress]] {address.name} for {address.public}",
                "add it to bailee.toml, or send the call to a node that has it",
            )
        return source.bind, address.id


def make_view(provider: Provider, serial: int) -> ProviderView:
    """Prepare a provider for calls."""
    placements = provider.auth.placements
    token = provider.caller_token
    placed = [each.name for each in placements if each.place is Place.HEADER]
    if token is not None and token.place is Place.HEADER:
        placed.append(token.name)
    return ProviderView(
        provider=provider,
        serial=serial,
        trust_digest=trust_digest(provider),
        rules=ProviderRules.of(provider.deny, provider.multiplexed),
        headers=RequestHeaderPolicy.of(provider.headers, placed),
        plan=plan_of(provider.auth),
        reserved=frozenset(each.name for each in placements if each.place is Place.QUERY),
    )


def _split_door(door: bytes) -> tuple[str, str | None]:
    connection, dot, origin = door.decode("ascii", "replace").partition(".")
    return connection, origin if dot else None


def _live_rules(grants: Sequence[GrantRow], now: float) -> tuple[CompiledRules, float]:
    rules: list[Rule] = []
    until = float("inf")
    for grant in grants:
        expires_at = grant.expires_at if grant.expires_at is not None else float("inf")
        if expires_at > now:
            rules.extend(grant.allow)
            until = min(until, expires_at)
    return compile_rules(rules), until
