"""What a check of a connection rests on: read at one moment, and verified before it is used."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass

from bailee.egress.pool import PoolKey
from bailee.errors import (
    ConnectionRevoked,
    CredentialClosed,
    NoEgressAddress,
    NotFound,
    ProviderNotApproved,
    TrustBroken,
)
from bailee.keeper.work.learn_pin import EgressSource
from bailee.model import (
    ConnectionId,
    ConnectionState,
    EgressAddress,
    EgressState,
    Origin,
    PinSet,
    Provider,
    SealContext,
    SealedCredential,
    TenantId,
    TenantKey,
)
from bailee.providers.trust import trust_digest
from bailee.store.engine import Store
from bailee.store.lookup import CallLookup, ConnectionRow
from bailee.vault.authority import AuthorityVerifier
from bailee.vault.statements import (
    verified_egress_address,
    verified_pin_set,
    verified_provider,
    verified_tenant_key,
)


@dataclass(frozen=True, slots=True)
class Target:
    """A connection, where its probes go, and its sealed credential."""

    connection: ConnectionId
    tenant: TenantId
    provider: Provider
    trust_digest: bytes
    ways: Mapping[str, tuple[Origin, PinSet]]
    """The origins that the provider's probes name, each with its pins."""
    egress: EgressAddress
    source: EgressSource
    sealed: SealedCredential
    key: TenantKey
    wrapped_private: bytes

    @property
    def context(self) -> SealContext:
        """What the credential must have been sealed to."""
        return SealContext(self.tenant, self.connection, self.sealed.version, self.trust_digest)

    def way(self, origin: str | None) -> tuple[Origin, PinSet]:
        """The origin of a probe; the default one for None."""
        return self.ways[self.provider.origins[0].name if origin is None else origin]

    def pool_key(self, origin: Origin, pins: PinSet, source: str) -> PoolKey:
        """By what a stream to an origin is known."""
        return PoolKey(
            tenant=self.tenant,
            provider=self.provider.id,
            origin=origin.name,
            trust_digest=self.trust_digest,
            pin_serial=pins.serial,
            pins=pins.pins,
            source=source,
        )


class Targets:
    """Finds targets, and refuses records that are older than ones it has seen.

    Args:
        store: The database.
        verifier: Of the authority of the config.
        sources: The addresses that this node can dial from, by the name of their `[[egress]]`.
    """

    def __init__(
        self, store: Store, verifier: AuthorityVerifier, sources: Mapping[str, EgressSource]
    ) -> None:
        self._path = store.path
        self._verifier = verifier
        self._sources = sources
        self._serials: dict[str, int] = {}

    def __repr__(self) -> str:
        return f"Targets({len(self._sources)} sources)"

    def find(self, tenant: TenantId, connection: ConnectionId) -> Target:
        """Find a tenant's connection. Nothing is opened.

        Raises:
            NotFound: The tenant has no such connection.
            ConnectionRevoked: It is revoked.
            CredentialClosed: It has no credential, or one of another trust record.
            ProviderNotApproved: The provider, or the pins of an origin, are not approved.
            NoEgressAddress: Its address is not published, or not this node's.
            TrustBroken: A record is not what the authority signed.
            StoreUnavailable: The database does not answer.
        """
        with closing(CallLookup(self._path)) as lookup:
            row = lookup.connection(connection)
            if row is None or row.tenant != tenant:
                raise NotFound("there is no such connection")
            if row.state is not ConnectionState.ACTIVE:
                raise ConnectionRevoked()
            provider = self._provider(lookup, row)
            digest = trust_digest(provider)
            if row.sealed is None:
                raise CredentialClosed("there is no sealed credential", "bailee connection rotate")
            if row.sealed.trust_digest != digest:
                raise CredentialClosed(
                    "the provider's trust record was changed since the credential was entered",
                    f"enter it again: bailee connection rotate {row.id}",
                )
            ways = {name: self._way(lookup, provider, name) for name in _origins(provider)}
            egress, source = self._source(lookup, row)
            key, wrapped = self._key(lookup, row.tenant, row.sealed.key_id)
        return Target(
            row.id, row.tenant, provider, digest, ways, egress, source, row.sealed, key, wrapped
        )

    def _provider(self, lookup: CallLookup, row: ConnectionRow) -> Provider:
        signed = lookup.provider(row.provider)
        if signed is None:
            raise ProviderNotApproved(
                f"provider {row.provider} has no approved trust record",
                f"bailee provider approve {row.provider}",
            )
        provider, serial = verified_provider(self._verifier, signed, expected=row.provider)
        self._refuse_older(f"provider {provider.id}", serial)
        return provider

    def _way(self, lookup: CallLookup, provider: Provider, name: str) -> tuple[Origin, PinSet]:
        origin = provider.origin(name)
        signed = lookup.pin_set(provider.id, name)
        if origin is None or signed is None:
            raise ProviderNotApproved(
                f"origin {name} of provider {provider.id} has no approved pins",
                f"bailee pin learn {provider.id} --origin {name}",
            )
        pins = verified_pin_set(self._verifier, signed, expected=(provider.id, name))
        self._refuse_older(f"pins {provider.id} {name}", pins.serial)
        return origin, pins

    def _source(self, lookup: CallLookup, row: ConnectionRow) -> tuple[EgressAddress, EgressSource]:
        signed = lookup.egress(row.egress)
        if signed is None:
            raise NoEgressAddress("the connection's egress address is not published")
        address = verified_egress_address(self._verifier, signed, expected=row.egress)
        self._refuse_older(f"egress {address.id}", address.serial)
        if address.state is not EgressState.ACTIVE:
            raise NoEgressAddress(f"egress address {address.name} is retired")
        source = self._sources.get(address.name)
        if source is None or source.public != address.public:
            raise NoEgressAddress(
                f"this node has no [[egress]] {address.name} for {address.public}",
                "correct [[egress]], or publish the address that it has",
            )
        return address, source

    def _key(self, lookup: CallLookup, tenant: TenantId, key_id: str) -> tuple[TenantKey, bytes]:
        found = lookup.tenant_key(tenant, key_id)
        if found is None:
            raise CredentialClosed("the tenant's key that it is sealed to is gone")
        signed, wrapped = found
        return verified_tenant_key(self._verifier, signed, tenant=tenant, key_id=key_id), wrapped

    def _refuse_older(self, name: str, serial: int) -> None:
        if serial < self._serials.get(name, 0):
            raise TrustBroken(
                f"the signed record of {name} is older than one seen before",
                "after a restored backup restart Bailee; else look who can write the database",
            )
        self._serials[name] = serial


def _origins(provider: Provider) -> frozenset[str]:
    """The names of the origins that the provider's probes go to."""
    asked = [provider.report.request] if provider.report else []
    if provider.probe:
        asked += [provider.probe.request, provider.probe.public]
    return frozenset(each.origin or provider.origins[0].name for each in asked)
