"""Open sealed credentials, and keep opened ones for a short while. Gateway and keeper only."""

import hmac
import os
from collections import OrderedDict
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bailee.errors import CredentialClosed
from bailee.model import SealContext, SealedCredential
from bailee.secret import Secret
from bailee.vault.sealing import SUITE, seal_info

CACHE_MAX_ENTRIES = 10_000
CACHE_MAX_SECONDS = 300.0
_AGAIN = "enter the credential again (bailee connection rotate)"
_NONCE_BYTES = 12


def open_credential(
    sealed: SealedCredential, context: SealContext, private: X25519PrivateKey
) -> Secret:
    """Open a credential in the place where it is about to be used.

    Args:
        sealed: The row.
        context: What the call found: its trust digest is computed from the *verified* provider,
            never taken from the row.
        private: The tenant's key that `sealed.key_id` names.

    Raises:
        CredentialClosed: The row is of another place, or was altered, or the provider's trust
            record was changed since. Nothing of it was decrypted.
    """
    if (sealed.connection, sealed.version) != (context.connection, context.version):
        raise CredentialClosed("the sealed version is another connection's", _AGAIN)
    if not hmac.compare_digest(sealed.trust_digest, context.trust_digest):
        raise CredentialClosed(
            "the provider's trust record was changed since the credential was entered", _AGAIN
        )
    try:
        return Secret(SUITE.decrypt(sealed.ciphertext, private, seal_info(context)))
    except (InvalidTag, ValueError):
        raise CredentialClosed("the sealed version was altered or moved", _AGAIN) from None


class _Entry(NamedTuple):
    version: int
    kept_at: float
    nonce: bytes
    ciphertext: bytes


class ProcessSeal:
    """Seals bytes that hold a credential for as long as this process does not need them.

    Not thread-safe. The key is random, is nowhere else, and is forgotten by `renew`.
    """

    def __init__(self) -> None:
        self.renew()

    def __repr__(self) -> str:
        return "ProcessSeal(...)"

    def renew(self) -> None:
        """Take another key: what was sealed before opens no more."""
        self._key = AESGCM(AESGCM.generate_key(256))

    def seal(self, plain: bytes) -> tuple[bytes, bytes]:
        """Return nonce and ciphertext."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce, self._key.encrypt(nonce, plain, None)

    def open(self, sealed: tuple[bytes, bytes]) -> bytes | None:
        """Return the bytes, or None when they were sealed under an earlier key."""
        try:
            return self._key.decrypt(sealed[0], sealed[1], None)
        except InvalidTag:
            return None


class CredentialCache:
    """Opened credentials of one process, under a key that only this process has.

    Opening costs some 40 µs, finding about 1 µs. Entries hold ciphertext only, so that a
    credential stands in memory in plain only while a request uses it. One version a connection:
    the current one. Not thread-safe: one a worker, on its loop.

    Args:
        limit: Most entries; the least recently used goes first. At most 10,000.
        seconds: How long an entry lives after it was kept; use does not prolong it. At most 300.
    """

    def __init__(self, limit: int = CACHE_MAX_ENTRIES, seconds: float = CACHE_MAX_SECONDS) -> None:
        if not 1 <= limit <= CACHE_MAX_ENTRIES or not 0 < seconds <= CACHE_MAX_SECONDS:
            raise ValueError("a credential cache has 1 to 10,000 entries for at most 300 seconds")
        self._limit = limit
        self._seconds = seconds
        self._key = AESGCM(AESGCM.generate_key(256))
        self._entries: OrderedDict[str, _Entry] = OrderedDict()

    def __repr__(self) -> str:
        return f"CredentialCache({len(self._entries)} of {self._limit}, {self._seconds} s)"

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, connection: str, version: int, now: float) -> Secret | None:
        """Return the credential if it is kept, current and not too old.

        Args:
            connection: Whose credential: its id, or what binds more of its place in than that.
            version: The version that the database says is current.
            now: Seconds of the clock that `keep` was given. A clock that went back ends an entry.
        """
        entry = self._entries.get(connection)
        if entry is None:
            return None
        if entry.version != version or not 0.0 <= now - entry.kept_at < self._seconds:
            del self._entries[connection]
            return None
        self._entries.move_to_end(connection)
        return Secret(self._key.decrypt(entry.nonce, entry.ciphertext, None))

    def keep(self, connection: str, version: int, credential: Secret, now: float) -> None:
        """Keep an opened credential in place of any older version of the same connection."""
        nonce = os.urandom(_NONCE_BYTES)
        ciphertext = self._key.encrypt(nonce, credential.reveal(), None)
        self._entries[connection] = _Entry(version, now, nonce, ciphertext)
        self._entries.move_to_end(connection)
        while len(self._entries) > self._limit:
            self._entries.popitem(last=False)

    def drop(self, connection: str) -> None:
        """Forget one connection's credential, as after a revocation."""
        self._entries.pop(connection, None)

    def drop_all(self) -> None:
        """Forget everything, and the key under which it was kept."""
        self._entries.clear()
        self._key = AESGCM(AESGCM.generate_key(256))
