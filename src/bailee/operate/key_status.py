"""Where the root key is and what it opens. Nothing secret leaves this module."""

from dataclasses import dataclass

from bailee.config import Settings
from bailee.errors import BaileeError
from bailee.manage import tenants
from bailee.manage.forms import PAGE_LIMIT
from bailee.model import TenantId
from bailee.store import keys
from bailee.store import tenants as rows
from bailee.store.engine import Store
from bailee.store.tenants import StoredTenantKey
from bailee.vault.authority import AuthorityVerifier
from bailee.vault.backends import open_root_key
from bailee.vault.backends.passphrase import PassphraseSource
from bailee.vault.keyring import Keyring
from bailee.vault.statements import verified_tenant_key


@dataclass(frozen=True, slots=True)
class TenantKeyStatus:
    """One key pair of a tenant.

    `opens` says whether the root key unwraps it, None in a closed vault; `current` whether new
    credentials are sealed to it.
    """

    tenant: TenantId
    id: str
    created_at: float
    current: bool
    sealed_versions: int
    opens: bool | None


@dataclass(frozen=True, slots=True)
class KeyStatus:
    """A vault's keys. `reason` and `hint` say why it is closed; both are empty when it is open."""

    root_key: str
    """As in the config, `file:` or `passphrase:` and a path, which is absolute here."""
    authority: str
    closed: bool
    reason: str
    hint: str
    keys: tuple[TenantKeyStatus, ...]


def key_status(settings: Settings, passphrase: PassphraseSource) -> KeyStatus:
    """Open the root key, try it on the authority and on every tenant's keys, and forget it.

    Raises:
        StoreUnavailable: The database does not answer.
    """
    vault = settings.vault
    kind, _, place = vault.root_key.partition(":")
    store = Store.open(settings.store.url)
    try:
        keyring, reason, hint = None, "", ""
        try:
            keyring = _open(settings, store, passphrase)
        except BaileeError as error:
            reason, hint = error.detail, error.hint
        return KeyStatus(
            root_key=f"{kind}:{settings.base / place}",
            authority=vault.authority,
            closed=keyring is None,
            reason=reason,
            hint=hint,
            keys=_tenant_keys(store, AuthorityVerifier(vault.authority), keyring),
        )
    finally:
        store.close()


def _open(settings: Settings, store: Store, passphrase: PassphraseSource) -> Keyring:
    vault = settings.vault
    keyring = Keyring(open_root_key(vault.root_key, settings.base, passphrase))
    keyring.authority(tenants.show_authority(store).wrapped_private, vault.authority)
    return keyring


def _tenant_keys(
    store: Store, verifier: AuthorityVerifier, keyring: Keyring | None
) -> tuple[TenantKeyStatus, ...]:
    found: list[TenantKeyStatus] = []
    with store.read() as conn:
        sealed = keys.count_sealed(conn)
    after: str | None = None
    while page := tenants.page(store, after=after, limit=PAGE_LIMIT):
        for tenant in page:
            with store.read() as conn:
                pairs = rows.list_keys(conn, tenant.id)
            found += [
                TenantKeyStatus(
                    tenant=tenant.id,
                    id=pair.id,
                    created_at=pair.created_at,
                    current=pair is pairs[-1],
                    sealed_versions=sealed.get(pair.id, 0),
                    opens=None if keyring is None else _opens(pair, verifier, keyring),
                )
                for pair in pairs
            ]
        after = page[-1].id
    return tuple(found)


def _opens(pair: StoredTenantKey, verifier: AuthorityVerifier, keyring: Keyring) -> bool:
    try:
        key = verified_tenant_key(verifier, pair.signed, tenant=pair.tenant)
        keyring.tenant_private(key, pair.wrapped_private)
    except BaileeError:
        return False
    return True
