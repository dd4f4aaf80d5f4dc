"""A whole vault in a directory, made through the same use cases as the CLI's, for tests."""

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bailee.manage import callers, connections, egress, grants, pins, providers, tenants, tokens
from bailee.manage.ids import new_connection_id, new_id
from bailee.model import (
    DEFAULT_TENANT,
    ConnectionId,
    EgressAddress,
    EgressId,
    EgressState,
    Pin,
    PinSet,
    Provider,
    ProviderId,
    SealContext,
    TenantId,
)
from bailee.providers.load import parse_provider
from bailee.providers.trust import trust_digest
from bailee.secret import Secret
from bailee.signing.credential import parse_credential
from bailee.store.engine import Store, migrate
from bailee.vault.authority import Authority, AuthorityVerifier
from bailee.vault.backends.file import create_root_key
from bailee.vault.keyring import Keyring
from bailee.vault.sealing import seal
from bailee.vault.statements import (
    sign_egress_address,
    sign_pin_set,
    sign_provider,
    sign_tenant_key,
    verified_tenant_key,
)

SOURCE = "127.0.0.2"
CONFIG = """
[vault]
root_key = "file:root.key"
authority = "{authority}"

[store]
url = "sqlite:///bailee.db"

[gateway]
listen = "127.0.0.1:{gateway}"
workers = {workers}

[admin]
listen = "127.0.0.1:{admin}"

[public]
listen = "127.0.0.1:{public}"

[[egress]]
name = "a"
bind = "{source}"
public = "{source}"
"""


@dataclass(frozen=True, slots=True)
class House:
    """A vault and all that is needed to change it."""

    directory: Path
    root: Secret
    keyring: Keyring
    authority: Authority
    verifier: AuthorityVerifier
    store: Store

    @property
    def database(self) -> Path:
        return self.directory / "bailee.db"

    def write_config(
        self, gateway: int = 0, admin: int = 0, public: int = 0, workers: int = 1
    ) -> Path:
        """Write `bailee.toml` with these ports."""
        path = self.directory / "bailee.toml"
        path.write_text(
            CONFIG.format(
                authority=self.authority.public,
                gateway=gateway,
                admin=admin,
                public=public,
                workers=workers,
                source=SOURCE,
            )
        )
        return path

    def approve_provider(self, provider: Provider) -> None:
        """Sign a provider and store it."""
        serial = providers.next_serial(self.store, provider.id)
        signed = sign_provider(self.authority, provider, serial)
        providers.approve(self.store, self.verifier, signed, time.time())

    def approve_pins(
        self, provider: ProviderId, pin_values: Iterable[Pin], origin: str = "rest"
    ) -> None:
        """Sign the pins of an origin and store them."""
        serial = pins.next_serial(self.store, provider, origin)
        values = tuple(pin_values)
        signed = sign_pin_set(
            self.authority, PinSet(provider, origin, serial, values, len(values) < 2)
        )
        pins.approve(self.store, self.verifier, signed, time.time())

    def add_egress(self, name: str = "a", public: str = SOURCE) -> EgressAddress:
        """Publish an egress address."""
        address = EgressAddress(EgressId(new_id("egr")), name, public, EgressState.ACTIVE, 1)
        signed = sign_egress_address(self.authority, address)
        return egress.add(self.store, self.verifier, signed, time.time())

    def add_connection(
        self,
        provider: Provider,
        credential: dict[str, str],
        subject: str = "u1",
        tenant: TenantId = DEFAULT_TENANT,
    ) -> ConnectionId:
        """Seal a credential as the CLI does, and store it."""
        secret = parse_credential(provider.auth, json.dumps(credential).encode())
        key = verified_tenant_key(self.verifier, tenants.current_key(self.store, tenant))
        connection = new_connection_id()
        context = SealContext(tenant, connection, 1, trust_digest(provider))
        sealed = seal(secret, key, context)
        connections.add(
            self.store, self.verifier, tenant, provider.id, subject, sealed, time.time()
        )
        return connection

    def add_tenant(self, tenant: TenantId) -> None:
        """Add a tenant with a key pair of its own."""
        key, wrapped = self.keyring.new_tenant_key(tenant)
        signed = sign_tenant_key(self.authority, key)
        tenants.add(self.store, self.verifier, tenant, tenant, signed, wrapped, time.time())

    def add_caller(
        self,
        name: str = "app",
        tenant: TenantId = DEFAULT_TENANT,
        allow_from: Iterable[str] = (),
        seconds: float = 3600.0,
    ) -> str:
        """Add a caller and return its token."""
        added = callers.add(
            self.store, tenant, name, time.time(), allow_from=allow_from, seconds=seconds
        )
        return added.token.text.reveal().decode()

    def grant(
        self,
        connection: ConnectionId,
        *rules: str,
        caller: str = "app",
        tenant: TenantId = DEFAULT_TENANT,
        expires_at: float | None = None,
    ) -> str:
        """Let a caller use a connection."""
        added = grants.add(
            self.store, tenant, caller, connection, rules, time.time(), expires_at=expires_at
        )
        return added.grant.id

    def operator_token(self) -> str:
        """Issue an operator's token."""
        issued = tokens.issue_operator(self.store, DEFAULT_TENANT, "test", time.time())
        return issued.text.reveal().decode()


def build_house(directory: Path) -> House:
    """Make a vault with a default tenant and the egress address `a` = 127.0.0.2."""
    directory.mkdir(parents=True, exist_ok=True)
    root = create_root_key(directory / "root.key")
    keyring = Keyring(root)
    authority, wrapped = keyring.new_authority()
    url = f"sqlite:///{directory / 'bailee.db'}"
    migrate(url)
    store = Store.open(url)
    house = House(directory, root, keyring, authority, AuthorityVerifier(authority.public), store)
    tenants.install_authority(store, authority.public, wrapped)
    house.add_tenant(DEFAULT_TENANT)
    house.add_egress()
    return house


def make_provider(
    port: int, ca_pem: str, more: str = "", auth: str = "", id: str = "api"
) -> Provider:
    """A provider `https://api.test:PORT` on 127.0.0.1 with its own CA."""
    auth = auth or 'header = "Authorization"\nvalue = "Bearer {api_key}"'
    auth = auth if "scheme = " in auth else f'scheme = "place"\n{auth}'
    text = f"""
id = "{id}"
{more}
[origin.rest]
url = "https://api.test:{port}"
address = "127.0.0.1"
ca_file = "ca.pem"
danger_private_addresses = true
[auth]
{auth}
"""
    return parse_provider(text, lambda path: ca_pem)
