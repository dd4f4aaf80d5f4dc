"""Find and verify where a connection's calls go.

Every signed record is verified against the authority's public key before it is used, and against
the serial of the one seen before: whoever can write the database can't make a credential go
elsewhere.
"""

from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import Final, TypeVar, cast

from bailee.egress.pool import PoolKey
from bailee.errors import (
    BaileeError,
    ConnectionNotFound,
    ConnectionRevoked,
    CredentialClosed,
    LockRequired,
    NoEgressAddress,
    ProviderNotApproved,
    StoreUnavailable,
    TrustBroken,
)
from bailee.gateway.route import Access, DialSource, ProviderView, Route, make_view
from bailee.journal.entry import subject_hash
from bailee.lock.gate import satisfies
from bailee.model import (
    CallerId,
    ConnectionState,
    EgressId,
    EgressState,
    Origin,
    PinSet,
    Provider,
    ProviderId,
    SealContext,
    Signed,
    TenantId,
    TokenPlace,
)
from bailee.policy.rules import compile_rules
from bailee.store.lookup import CallLookup, ConnectionRow
from bailee.vault.authority import AuthorityVerifier
from bailee.vault.sealing import seal_info
from bailee.vault.statements import (
    verified_egress_address,
    verified_pin_set,
    verified_provider,
)

T = TypeVar("T")
RECORDS_LIMIT: Final = 100_000
"""Verified records that are remembered; over it all are forgotten."""


class Routing:
    """Reads rows and makes verified values of them. It remembers signatures, never rows.

    Args:
        lookup: Reads the database.
        verifier: Verifies what the authority signed.
        sources: The addresses that this node can dial from.
    """

    def __init__(
        self, lookup: CallLookup, verifier: AuthorityVerifier, sources: Iterable[DialSource]
    ) -> None:
        self._lookup = lookup
        self._verifier = verifier
        self._sources = {source.name: source for source in sources}
        self._serials: dict[str, int] = {}
        self._verified: dict[tuple[str, Signed], object] = {}

    def __repr__(self) -> str:
        return f"Routing({len(self._sources)} sources, {len(self._verified)} records)"

    def find_access(self, caller: CallerId, tenant: TenantId, door: bytes) -> Access | None:
        """Find what a caller's grants let it do with a door; None without connection or grant.

        What keeps a granted connection from being used stands in `refusal`.

        Raises:
            StoreUnavailable: The database does not answer.
        """
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
            subject=row.subject,
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

    def find_token_place(self, door: bytes) -> TokenPlace | None:
        """Find where an unmodified SDK of a door's provider puts the token, if anywhere."""
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
            if len(self._verified) >= RECORDS_LIMIT:
                self._verified.clear()
            found = self._verified[key] = verify()
        return cast(T, found)

    def _route(self, row: ConnectionRow, view: ProviderView, origin_name: str | None) -> Route:
        if row.state is not ConnectionState.ACTIVE:
            raise ConnectionRevoked()
        origin = view.provider.origin(origin_name)
        if origin is None:
            raise ConnectionNotFound()
        if not satisfies(row.gate, row.lock):
            raise LockRequired(
                f"the gate asks for an {row.gate} lock, and this one is {row.lock}",
                f"bailee lock check {row.id}",
            )
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
            after_target=_after_target(view.provider, origin),
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
                connection=row.id if view.provider.own_streams else "",
            ),
            sealed=row.sealed,
            context=context,
            place=sha256(seal_info(context) + row.sealed.ciphertext).hexdigest(),
            subject=subject_hash(row.journal_key.reveal(), row.subject),
            subject_name=row.subject,
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


def _after_target(provider: Provider, origin: Origin) -> bytes:
    lines = f" HTTP/1.1\r\nHost: {origin.authority}\r\n"
    if provider.echoes:
        lines += "Accept-Encoding: identity\r\n"
    return lines.encode("ascii")


def _split_door(door: bytes) -> tuple[str, str | None]:
    connection, dot, origin = door.decode("ascii", "replace").partition(".")
    return connection, origin if dot else None
