"""Open a credential for a stream that has proved whom it leads to, and place it.

What a scheme places does not depend on the request, so the cache keeps it as it was placed. It is
kept under the key of this process, as the credential would be, and nowhere in plain.
"""

from collections.abc import Sequence
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from bailee.egress.tls import PinnedStream
from bailee.errors import CredentialClosed, TrustBroken, VaultClosed
from bailee.gateway.route import Route
from bailee.http.echo import needles_of
from bailee.model import TenantId
from bailee.secret import Secret
from bailee.signing.fields import decode_fields
from bailee.signing.place import Placed, PlacePlan
from bailee.store.lookup import CallLookup
from bailee.vault.authority import AuthorityVerifier
from bailee.vault.keyring import Keyring
from bailee.vault.opening import CredentialCache, ProcessSeal, open_credential
from bailee.vault.statements import verified_tenant_key

Needles = Sequence[bytes]
"""The forms of a credential that must not stand in an answer; see `http.echo`."""
_SEPARATOR: Final = b"\0"
"""Stands in no header line, query, path, JSON or needle."""


class CallVault:
    """The part of the vault that a gateway worker holds.

    Args:
        keyring: What the root key unwraps; None when the vault is closed.
        lookup: Reads the tenants' wrapped keys.
        verifier: Verifies the statements about them.
    """

    def __init__(
        self, keyring: Keyring | None, lookup: CallLookup, verifier: AuthorityVerifier
    ) -> None:
        self._keyring = keyring
        self._lookup = lookup
        self._verifier = verifier
        self._cache = CredentialCache()
        self._heads = ProcessSeal()
        """Seals whole request heads between calls: they hold the placed credential."""
        self._privates: dict[tuple[TenantId, str], X25519PrivateKey] = {}

    def require_open(self) -> Keyring:
        """Return the keyring, or raise VaultClosed: before anything is recorded or dialled."""
        if self._keyring is None:
            raise VaultClosed(
                "the root key is missing or was altered", "bailee doctor says which; then restart"
            )
        return self._keyring

    def place_for(
        self, stream: PinnedStream, route: Route, plan: PlacePlan, now: float
    ) -> tuple[Placed, Needles]:
        """Open a route's credential for a stream that leads where the route says, and place it.

        Returns:
            What is placed, and what must not stand in the answer.

        Raises:
            VaultClosed: No root key, or one that did not wrap this tenant's key.
            CredentialClosed: It does not open in this place.
            TrustBroken: The stream is another route's, or the tenant's key is not the authority's.
        """
        require_same_way(stream, route)
        found = self._cache.find(route.place, route.sealed.version, now)
        if found is not None:
            headers, query, prefix, *forms = found.reveal().split(_SEPARATOR)
            return Placed(headers, query, prefix), forms
        private = self._private(route.tenant, route.sealed.key_id)
        credential = open_credential(route.sealed, route.context, private)
        placed, needles = plan.place(credential), _needles(credential)
        kept = Secret(_SEPARATOR.join((*placed, *needles)))
        self._cache.keep(route.place, route.sealed.version, kept, now)
        return placed, needles

    def open_for(self, stream: PinnedStream, route: Route, now: float) -> tuple[Secret, Needles]:
        """Open a route's credential for a stream that leads where the route says, to sign with it.

        Returns:
            The credential, and what must not stand in the answer.

        Raises:
            VaultClosed, CredentialClosed, TrustBroken: As `place_for`.
        """
        require_same_way(stream, route)
        found = self._cache.find(route.place, route.sealed.version, now)
        if found is not None:
            text, *forms = found.reveal().split(_SEPARATOR)
            return Secret(text), forms
        private = self._private(route.tenant, route.sealed.key_id)
        credential = open_credential(route.sealed, route.context, private)
        needles = _needles(credential)
        kept = Secret(_SEPARATOR.join((credential.reveal(), *needles)))
        self._cache.keep(route.place, route.sealed.version, kept, now)
        return credential, needles

    def open_once(self, stream: PinnedStream, route: Route) -> tuple[Secret, Needles]:
        """Open a route's credential as `open_for` does, for a use that nothing repeats."""
        require_same_way(stream, route)
        private = self._private(route.tenant, route.sealed.key_id)
        credential = open_credential(route.sealed, route.context, private)
        return credential, _needles(credential)

    def seal_head(self, head: bytes, needles: Needles) -> tuple[bytes, bytes]:
        """Seal a head that holds the placed credential, with what must not stand in the answer."""
        return self._heads.seal(_SEPARATOR.join((head, *needles)))

    def open_head(self, sealed: tuple[bytes, bytes]) -> tuple[bytes, Needles] | None:
        """Open what `seal_head` made; None when everything opened was forgotten since."""
        kept = self._heads.open(sealed)
        if kept is None:
            return None
        head, *needles = kept.split(_SEPARATOR)
        return head, needles

    def forget(self) -> None:
        """Drop everything opened: the store has changed, perhaps by a revocation."""
        self._cache.drop_all()
        self._privates.clear()
        self._heads.renew()

    def _private(self, tenant: TenantId, key_id: str) -> X25519PrivateKey:
        private = self._privates.get((tenant, key_id))
        if private is None:
            keyring = self.require_open()
            row = self._lookup.tenant_key(tenant, key_id)
            if row is None:
                raise CredentialClosed("the tenant's key that it is sealed to is gone")
            signed, wrapped = row
            key = verified_tenant_key(self._verifier, signed, tenant=tenant, key_id=key_id)
            private = self._privates[tenant, key_id] = keyring.tenant_private(key, wrapped)
        return private


def _needles(credential: Secret) -> Needles:
    values = decode_fields(credential).values()
    found = needles_of(value.encode() for value in values)
    return [needle for needle in found if _SEPARATOR not in needle]


def require_same_way(stream: PinnedStream, route: Route) -> None:
    """Raise TrustBroken unless a stream was dialled, verified and pinned for just this route."""
    if stream.key is not route.key and stream.key != route.key:
        raise TrustBroken("the stream leads elsewhere than the route")
