"""Imports: many connections in one transaction, each with its own report.

What is faulty keeps nothing else out. The same lot may be sent again after a failure: what was
added the first time is found and said to exist.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sqlalchemy import Connection

from bailee.errors import BadInput, BaileeError, Conflict, ConnectionRevoked
from bailee.manage.connections import JOURNAL_KEY_BYTES, Place, check_form
from bailee.manage.egress import EgressChooser
from bailee.manage.forms import parse_subject
from bailee.manage.ids import is_connection_id
from bailee.model import (
    ConnectionId,
    ConnectionState,
    ProviderId,
    SealedCredential,
    TenantId,
)
from bailee.secret import Secret
from bailee.store import connections as rows
from bailee.store.connections import StoredConnection
from bailee.store.engine import Store
from bailee.vault.authority import AuthorityVerifier

IMPORT_LIMIT: Final = 500


@dataclass(frozen=True, slots=True)
class NewConnection:
    """A connection to be added, as `connections.add` takes it."""

    provider: ProviderId
    subject: str
    sealed: SealedCredential
    egress_name: str | None = None


class ImportOutcome(StrEnum):
    """What became of one of them."""

    ADDED = "added"
    EXISTS = "exists"
    """The tenant has this connection, of this provider and subject, and it is active."""
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of one connection. The last three are the error's when it was refused."""

    connection: ConnectionId
    outcome: ImportOutcome
    code: str = ""
    detail: str = ""
    hint: str = ""


def add_many(
    store: Store,
    verifier: AuthorityVerifier,
    tenant: TenantId,
    items: Sequence[NewConnection],
    now: float,
) -> list[Imported]:
    """Add up to 500 connections; each is checked as `connections.add` does.

    Returns:
        A report for each, in their order.

    Raises:
        BadInput: There are none, or more than 500.
        NotFound: There is no such tenant.
        TrustBroken: Its key was not signed by the authority.
    """
    if not 1 <= len(items) <= IMPORT_LIMIT:
        raise BadInput(f"1 to {IMPORT_LIMIT} connections are added at once")
    with store.write() as conn:
        lot = _Lot(conn, verifier, tenant, items, now)
        reports = [lot.take(item) for item in items]
        lot.insert()
    return reports


class _Lot:
    """What is true of all connections of one lot is looked up and verified once."""

    def __init__(
        self,
        conn: Connection,
        verifier: AuthorityVerifier,
        tenant: TenantId,
        items: Sequence[NewConnection],
        now: float,
    ) -> None:
        self._conn = conn
        self._tenant = tenant
        self._now = now
        self._place = Place(conn, verifier, tenant)
        self._egress = EgressChooser(conn, verifier)
        named = {item.sealed.connection for item in items}
        self._taken = rows.find_taken(conn, tenant, set(filter(is_connection_id, named)))
        self._added: list[tuple[StoredConnection, SealedCredential]] = []

    def __repr__(self) -> str:
        return f"_Lot({len(self._added)} to add)"

    def take(self, item: NewConnection) -> Imported:
        name = item.sealed.connection
        try:
            if self._is_known(item):
                return Imported(name, ImportOutcome.EXISTS)
            connection = self._checked(item)
        except BaileeError as error:
            return Imported(name, ImportOutcome.REFUSED, error.code, error.detail, error.hint)
        self._taken[name] = connection
        self._added.append((connection, item.sealed))
        return Imported(name, ImportOutcome.ADDED)

    def insert(self) -> None:
        if not self._added:
            return
        named = {connection.subject for connection, _ in self._added}
        unknown = named - rows.known_subjects(self._conn, self._tenant, named)
        if unknown:
            keys = {each: Secret(secrets.token_bytes(JOURNAL_KEY_BYTES)) for each in unknown}
            rows.insert_subjects(self._conn, self._tenant, keys)
        rows.insert_many(self._conn, self._added, self._now)

    def _is_known(self, item: NewConnection) -> bool:
        if item.sealed.connection not in self._taken:
            return False
        known = self._taken[item.sealed.connection]
        if known is None or (known.provider, known.subject) != (item.provider, item.subject):
            raise Conflict("a connection with this id exists already")
        if known.state is not ConnectionState.ACTIVE:
            raise ConnectionRevoked(
                "the connection was added before and is revoked",
                "give the line another reference, so that it becomes a new connection",
            )
        return True

    def _checked(self, item: NewConnection) -> StoredConnection:
        parse_subject(item.subject)
        check_form(item.sealed)
        self._place.check(item.provider, item.sealed, version=1)
        return StoredConnection(
            id=item.sealed.connection,
            tenant=self._tenant,
            provider=item.provider,
            subject=item.subject,
            state=ConnectionState.ACTIVE,
            version=1,
            egress=self._egress.choose(item.egress_name).id,
            created_at=self._now,
        )
