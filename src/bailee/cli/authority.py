"""The authority at hand: for commands that sign, on the host that has the root key."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bailee.config import Settings
from bailee.manage import tenants
from bailee.store.engine import Store
from bailee.vault.authority import Authority, AuthorityVerifier
from bailee.vault.backends import open_root_key
from bailee.vault.backends.passphrase import PassphraseSource
from bailee.vault.keyring import Keyring


@dataclass(frozen=True, slots=True)
class SigningDesk:
    """The root key at work and the authority, beside the database of their vault.

    Commands read here what they build on, verified; what they sign they send to the admin API,
    which checks it, stores it and records who did it.
    """

    store: Store
    keyring: Keyring
    authority: Authority
    verifier: AuthorityVerifier


@contextmanager
def signing_desk(settings: Settings) -> Iterator[SigningDesk]:
    """Open the root key and the database of a vault, and close the database at the end.

    Raises:
        VaultClosed: The root key is missing, or is not this vault's.
        StoreUnavailable: The database does not answer.
    """
    source = PassphraseSource(os.environ, settings.vault.passphrase_file)
    root = open_root_key(settings.vault.root_key, settings.base, source)
    verifier = AuthorityVerifier(settings.vault.authority)
    store = Store.open(settings.store.url)
    try:
        wrapped = tenants.show_authority(store).wrapped_private
        keyring = Keyring(root)
        authority = keyring.authority(wrapped, verifier.public)
        yield SigningDesk(store, keyring, authority, verifier)
    finally:
        store.close()
