"""The authority for as long as one signature takes, and tenants' keys for one opening."""

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from bailee.errors import VaultClosed
from bailee.manage import tenants
from bailee.model import TenantKey
from bailee.store.engine import Store
from bailee.vault.authority import Authority
from bailee.vault.keyring import Keyring


class AuthorityAccess:
    """Unwraps the authority when something is to be signed, and keeps no copy.

    Args:
        store: Has the wrapped private half.
        keyring: Of the root key; None when the vault is closed.
        public: The public half of the config.
    """

    def __init__(self, store: Store, keyring: Keyring | None, public: str) -> None:
        self._store = store
        self._keyring = keyring
        self._public = public

    def __repr__(self) -> str:
        return f"AuthorityAccess({'open' if self._keyring else 'closed'})"

    def authority(self) -> Authority:
        """Unwrap the authority.

        Raises:
            VaultClosed: There is no root key, or it is not this vault's.
            NotFound: The database has no authority.
            StoreUnavailable: The database does not answer.
        """
        wrapped = tenants.show_authority(self._store).wrapped_private
        return self._open().authority(wrapped, self._public)

    def tenant_private(self, key: TenantKey, wrapped: bytes) -> X25519PrivateKey:
        """Unwrap the private half of a tenant's verified key.

        Raises:
            VaultClosed: There is no root key, or it did not wrap this key.
        """
        return self._open().tenant_private(key, wrapped)

    def _open(self) -> Keyring:
        if self._keyring is None:
            raise VaultClosed(
                "the keeper has no root key", "put the root key back, then reload or restart"
            )
        return self._keyring
