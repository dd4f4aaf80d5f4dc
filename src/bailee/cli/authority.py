"""The authority at hand: for commands that sign, on the host that has the root key."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bailee.config import Settings
from bailee.manage import tenants
from bailee.model import Signed
from bailee.store.engine import Store
from bailee.vault.authority import Authority, AuthorityVerifier
from bailee.vault.backends import open_root_key
from bailee.vault.keyring import Keyring


@dataclass(frozen=True, slots=True)
class SigningDesk:
    """The unwrapped authority beside the database of its vault.

    Commands read here what they build on, verified; what they sign they send to the admin API,
    which checks it, stores it and records who did it.
    """

    store: Store
    authority: Authority
    verifier: AuthorityVerifier


@contextmanager
def signing_desk(settings: Settings) -> Iterator[SigningDesk]:
    """Open the root key and the database of a vault, and close the database at the end.

    Raises:
        VaultClosed: The root key is missing, or is not this vault's.
        StoreUnavailable: The database does not answer.
    """
    root = open_root_key(settings.vault.root_key, settings.base)
    verifier = AuthorityVerifier(settings.vault.authority)
    store = Store.open(settings.store.url)
    try:
        wrapped = tenants.show_authority(store).wrapped_private
        authority = Keyring(root).authority(wrapped, verifier.public)
        yield SigningDesk(store, authority, verifier)
    finally:
        store.close()


def statement(signed: Signed) -> dict[str, str]:
    """Write a signed statement as the admin API takes it."""
    from base64 import b64encode

    return {
        "payload": b64encode(signed.payload).decode("ascii"),
        "signature": b64encode(signed.signature).decode("ascii"),
    }


def read_statement(document: dict[str, object]) -> Signed:
    """Read a signed statement as the admin API gives it; nothing is verified yet.

    Raises:
        TrustBroken: It is not there, or not base64.
    """
    import binascii
    from base64 import b64decode

    from bailee.errors import TrustBroken

    try:
        payload, signature = (
            b64decode(str(document[name] or ""), validate=True) for name in ("payload", "signature")
        )
    except (KeyError, binascii.Error, ValueError):
        raise TrustBroken("the admin API answered with a record that can't be read") from None
    if not payload:
        raise TrustBroken("the admin API answered without a signed record")
    return Signed(payload, signature)
