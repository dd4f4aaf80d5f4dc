"""A small vault with two tenants, for the tests of the use cases."""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from bailee.manage import connections, egress, providers, tenants
from bailee.manage.ids import new_connection_id, new_id
from bailee.model import (
    ConnectionId,
    EgressAddress,
    EgressId,
    EgressState,
    Origin,
    Pin,
    PinSet,
    Place,
    Placement,
    PlaceScheme,
    Provider,
    ProviderId,
    SealContext,
    SealedCredential,
    Signed,
    TenantId,
    TenantKey,
)
from bailee.providers.trust import trust_digest
from bailee.secret import Secret
from bailee.store.connections import StoredConnection
from bailee.store.engine import Store, migrate
from bailee.vault.authority import Authority, AuthorityVerifier
from bailee.vault.keyring import Keyring
from bailee.vault.sealing import seal
from bailee.vault.statements import (
    sign_egress_address,
    sign_pin_set,
    sign_provider,
    sign_tenant_key,
    verified_tenant_key,
)

NOW = 1_800_000_000.0
TENANT = TenantId("default")
OTHER = TenantId("other")
ACME = ProviderId("acme")
PROVIDER = Provider(
    id=ACME,
    name="Acme",
    category="test",
    headers=(),
    origins=(Origin("rest", "api.acme.test", 443), Origin("ws", "ws.acme.test", 443)),
    auth=PlaceScheme((Placement(Place.HEADER, "Authorization", "Bearer {api_key}"),), ("api_key",)),
    caller_token=None,
    dummy_secret=None,
    deny=(),
    multiplexed=(),
)
CREDENTIAL = Secret(b'{"api_key":"canary-5b1d"}')
PIN_A, PIN_B = Pin(b"a" * 32), Pin(b"b" * 32)


def moved(provider: Provider, host: str = "evil.test") -> Provider:
    """The same provider with another host: another trust record."""
    return replace(provider, origins=(replace(provider.origins[0], host=host),))


def pin_set(serial: int, *pins: Pin, origin: str = "rest") -> PinSet:
    """A pin set of the provider."""
    return PinSet(ACME, origin, serial, pins, danger_no_backup=len(pins) == 1)


@dataclass(frozen=True, slots=True)
class World:
    """An open store, the authority that signed what is in it, and one who is not the authority."""

    store: Store
    keyring: Keyring
    authority: Authority
    stranger: Authority
    verifier: AuthorityVerifier

    @classmethod
    def make(cls, directory: Path) -> Self:
        """Make a database with two tenants, one approved provider and one egress address."""
        url = f"sqlite:///{directory / 'bailee.db'}"
        migrate(url)
        keyring = Keyring(Secret(os.urandom(32)))
        authority, wrapped = keyring.new_authority()
        world = cls(
            Store.open(url),
            keyring,
            authority,
            keyring.new_authority()[0],
            AuthorityVerifier(authority.public),
        )
        tenants.install_authority(world.store, authority.public, wrapped)
        for tenant in (TENANT, OTHER):
            key, wrapped_key = keyring.new_tenant_key(tenant)
            signed = sign_tenant_key(authority, key)
            tenants.add(world.store, world.verifier, tenant, "", signed, wrapped_key, NOW)
        world.approve(PROVIDER)
        world.publish("a")
        return world

    def approve(self, provider: Provider) -> None:
        """Approve a provider as it is given."""
        serial = providers.next_serial(self.store, provider.id)
        signed = sign_provider(self.authority, provider, serial)
        providers.approve(self.store, self.verifier, signed, NOW)

    def publish(self, name: str) -> EgressAddress:
        """Publish an egress address."""
        address = EgressAddress(EgressId(new_id("egr")), name, "203.0.113.7", EgressState.ACTIVE, 1)
        signed = sign_egress_address(self.authority, address)
        return egress.add(self.store, self.verifier, signed, NOW)

    def pins(self, pins: PinSet, by: Authority | None = None) -> Signed:
        """Sign a pin set."""
        return sign_pin_set(by or self.authority, pins)

    def key(self, tenant: TenantId = TENANT) -> TenantKey:
        """A tenant's current key, verified."""
        signed = tenants.current_key(self.store, tenant)
        return verified_tenant_key(self.verifier, signed, tenant=tenant)

    def sealed(
        self,
        version: int = 1,
        *,
        connection: ConnectionId | None = None,
        tenant: TenantId = TENANT,
        provider: Provider = PROVIDER,
    ) -> SealedCredential:
        """A credential, sealed as the CLI would."""
        place = SealContext(
            tenant, connection or new_connection_id(), version, trust_digest(provider)
        )
        return seal(CREDENTIAL, self.key(tenant), place)

    def connect(self, subject: str = "u1", tenant: TenantId = TENANT) -> StoredConnection:
        """Add a connection."""
        sealed = self.sealed(tenant=tenant)
        return connections.add(self.store, self.verifier, tenant, ACME, subject, sealed, NOW)
