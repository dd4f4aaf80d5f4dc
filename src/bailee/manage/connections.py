"""Connections: sealed credentials come in, and never go out."""

import secrets
from dataclasses import dataclass

from sqlalchemy import Connection

from bailee.errors import (
    BadInput,
    Conflict,
    ConnectionRevoked,
    NotFound,
    ProviderNotApproved,
    TrustBroken,
)
from bailee.manage import egress
from bailee.manage.forms import parse_limit, parse_subject
from bailee.manage.ids import is_connection_id
from bailee.manage.providers import find_approved
from bailee.model import (
    ConnectionId,
    ConnectionState,
    EgressAddress,
    ProviderId,
    SealedCredential,
    TenantId,
)
from bailee.providers.trust import trust_digest
from bailee.secret import Secret
from bailee.store import connections as rows
from bailee.store import egress as egress_rows
from bailee.store import tenants as tenant_rows
from bailee.store.connections import StoredConnection
from bailee.store.engine import Store
from bailee.store.revoking import revoke_many
from bailee.store.scope import Scope
from bailee.vault.authority import AuthorityVerifier
from bailee.vault.statements import verified_tenant_key

JOURNAL_KEY_BYTES = 32
LEAST_CIPHERTEXT_BYTES = 32 + 16
"""The encapsulated key and the tag: nothing sealed is shorter."""
MOST_CIPHERTEXT_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class ConnectionDetail:
    """A connection with what can be said of its credential without opening it."""

    connection: StoredConnection
    egress: EgressAddress | None
    """Where its calls leave from, as the row says."""
    sealed_at: float | None
    """When its credential was entered; None when it has none any more."""
    fits_trust: bool
    """Whether the credential was sealed to the provider as it is approved now; if not, it stays
    closed until it is entered again."""


def add(
    store: Store,
    verifier: AuthorityVerifier,
    tenant: TenantId,
    provider: ProviderId,
    subject: str,
    sealed: SealedCredential,
    now: float,
    *,
    egress_name: str | None = None,
) -> StoredConnection:
    """Add a connection whose first credential was sealed by whoever asks.

    Args:
        store: The database.
        verifier: Of the authority of the config.
        tenant: Whose connection it is.
        provider: An approved provider.
        subject: Whose credential it is; the application chooses the id.
        sealed: Version 1, sealed to the tenant's current key and the provider's trust digest.
        now: Unix seconds.
        egress_name: From which address its calls leave; None for the active one with the fewest
            connections.

    Raises:
        BadInput: The id, the subject or the sealed credential is not of the right form.
        NotFound: There is no such provider, or no such tenant.
        ProviderNotApproved: The provider is only proposed.
        TrustBroken: A record that this rests on was not signed by the authority.
        Conflict: It was sealed to another key, trust record or version, or the id exists.
        NoEgressAddress: No such address is active.
    """
    parse_subject(subject)
    check_form(sealed)
    with store.write() as conn:
        Place(conn, verifier, tenant).check(provider, sealed, version=1)
        if rows.find(conn, tenant, sealed.connection) is not None:
            raise Conflict("a connection with this id exists already")
        address = egress.choose(conn, verifier, egress_name)
        if rows.subject_key(conn, tenant, subject) is None:
            key = Secret(secrets.token_bytes(JOURNAL_KEY_BYTES))
            rows.insert_subject(conn, tenant, subject, key)
        connection = StoredConnection(
            id=sealed.connection,
            tenant=tenant,
            provider=provider,
            subject=subject,
            state=ConnectionState.ACTIVE,
            version=1,
            egress=address.id,
            created_at=now,
        )
        rows.insert(conn, connection)
        rows.insert_sealed(conn, sealed, now)
    return connection


def show(
    store: Store, verifier: AuthorityVerifier, tenant: TenantId, connection: ConnectionId
) -> ConnectionDetail:
    """Tell about a connection; its credential is not shown, sealed or not.

    Raises:
        NotFound: The tenant has no such connection.
    """
    with store.read() as conn:
        found = _find(conn, tenant, connection)
        address = egress_rows.find(conn, found.egress)
        facts = rows.sealed_facts(conn, tenant, connection, found.version)
        current = _current_digest(conn, verifier, found.provider)
    return ConnectionDetail(
        connection=found,
        egress=None if address is None else address.address,
        sealed_at=None if facts is None else facts.created_at,
        fits_trust=facts is not None and facts.trust_digest == current,
    )


def page(
    store: Store,
    scope: Scope,
    *,
    provider: ProviderId | None = None,
    subject: str | None = None,
    state: ConnectionState | None = None,
    revoked_since: float | None = None,
    after: str | None = None,
    limit: int = 100,
) -> list[StoredConnection]:
    """List the connections of a scope in the order of their ids; each filter given must fit.

    Raises:
        BadInput: `limit` is not 1 to 1000.
    """
    with store.read() as conn:
        return rows.list_page(
            conn,
            scope,
            provider=provider,
            subject=subject,
            state=state,
            revoked_since=revoked_since,
            after=after,
            limit=parse_limit(limit),
        )


def rotate(
    store: Store,
    verifier: AuthorityVerifier,
    tenant: TenantId,
    sealed: SealedCredential,
    now: float,
) -> StoredConnection:
    """Put a new credential in the place of a connection's last one, which is deleted.

    Args:
        store: The database.
        verifier: Of the authority of the config.
        tenant: Whose connection it is.
        sealed: The version after the current one; it names the connection.
        now: Unix seconds.

    Raises:
        BadInput: The sealed credential is not of the right form.
        NotFound: The tenant has no such connection.
        ConnectionRevoked: It is revoked.
        TrustBroken: A record that this rests on was not signed by the authority.
        Conflict: It was sealed to another key, trust record or version.
    """
    check_form(sealed)
    with store.write() as conn:
        found = _find(conn, tenant, sealed.connection)
        if found.state is not ConnectionState.ACTIVE:
            raise ConnectionRevoked()
        place = Place(conn, verifier, tenant)
        place.check(found.provider, sealed, version=found.version + 1)
        rows.insert_sealed(conn, sealed, now)
        rows.set_version(conn, tenant, found.id, sealed.version)
        rows.drop_sealed(conn, found.id, below=sealed.version)
        return _find(conn, tenant, found.id)


def revoke(
    store: Store, tenant: TenantId, connection: ConnectionId, now: float
) -> StoredConnection:
    """Revoke a connection for good and delete its sealed credential.

    Grants and derived tokens that name it are revoked with it. One that was revoked stays as it is.

    Raises:
        NotFound: The tenant has no such connection.
    """
    with store.write() as conn:
        revoke_many(conn, tenant, now, connection=connection)
        return _find(conn, tenant, connection)


def check_form(sealed: SealedCredential) -> None:
    """Refuse what can't be a sealed credential, whatever it is sealed to.

    Raises:
        BadInput: The id or the length is not of the right form.
    """
    if not is_connection_id(sealed.connection):
        raise BadInput("the id of a connection is 26 characters of a to z and 2 to 7")
    if not LEAST_CIPHERTEXT_BYTES < len(sealed.ciphertext) <= MOST_CIPHERTEXT_BYTES:
        raise BadInput("the sealed credential has a length that none can have")


class Place:
    """Where a tenant's credentials have to be sealed to; good for one transaction.

    Raises:
        NotFound: There is no such tenant, or it has no key.
        TrustBroken: Its key was not signed by the authority.
    """

    def __init__(self, conn: Connection, verifier: AuthorityVerifier, tenant: TenantId) -> None:
        key = tenant_rows.current_key(conn, tenant)
        if key is None:
            raise NotFound("there is no such tenant, or it has no key")
        self._key_id = verified_tenant_key(verifier, key.signed, tenant=tenant, key_id=key.id).id
        self._conn = conn
        self._verifier = verifier
        self._digests: dict[ProviderId, bytes] = {}

    def __repr__(self) -> str:
        return f"Place(key {self._key_id})"

    def check(self, provider: ProviderId, sealed: SealedCredential, version: int) -> None:
        """Refuse what would be stored and then never open.

        Raises:
            NotFound: There is no such provider.
            ProviderNotApproved: It is only proposed.
            TrustBroken: Its record was not signed by the authority.
            Conflict: The credential was sealed to another key, trust record or version.
        """
        if sealed.version != version:
            raise Conflict(
                f"the credential was sealed as version {sealed.version}, and {version} is due",
                "look at the connection, then seal again",
            )
        if sealed.key_id != self._key_id:
            raise Conflict("the credential was sealed to another key than the tenant's current one")
        if provider not in self._digests:
            approved = find_approved(self._conn, self._verifier, provider)
            self._digests[provider] = trust_digest(approved)
        if sealed.trust_digest != self._digests[provider]:
            raise Conflict(
                "the credential was sealed to another trust record than the approved one",
                "read the provider again, then seal again",
            )


def _find(conn: Connection, tenant: TenantId, connection: ConnectionId) -> StoredConnection:
    found = rows.find(conn, tenant, connection)
    if found is None:
        raise NotFound("there is no such connection")
    return found


def _current_digest(
    conn: Connection, verifier: AuthorityVerifier, provider: ProviderId
) -> bytes | None:
    try:
        return trust_digest(find_approved(conn, verifier, provider))
    except (NotFound, ProviderNotApproved, TrustBroken):
        return None
