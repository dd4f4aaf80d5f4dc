"""What the gateway reads: compiled SQL on stdlib `sqlite3`, read-only, a few µs a row.

Each read stands alone and sees the newest committed state. Nothing is verified and nothing is
judged here: expiry, revocation, signatures and states are for the pipeline.
"""

import json
import os
import sqlite3
from pathlib import Path
from typing import Any, NamedTuple

from bailee.errors import StoreUnavailable
from bailee.model import (
    NO_CALLER_LIMITS,
    CallerId,
    CallerLimits,
    ConnectionId,
    ConnectionState,
    EgressId,
    Gate,
    GrantId,
    LockState,
    ProviderId,
    Role,
    Rule,
    SealedCredential,
    Signed,
    TenantId,
    TokenId,
)
from bailee.secret import Secret
from bailee.store import statements
from bailee.store.blob import as_bytes
from bailee.store.engine import check_schema, connect, find_schema
from bailee.store.grants import rules_from_json

_CACHE_KIB = 8 * 1024
"""How much of the database a worker keeps in memory, at most."""

_Row = tuple[Any, ...]


class TokenRow(NamedTuple):
    """A token, joined with its caller. `revoked_at` is the token's or the caller's."""

    id: TokenId
    role: Role
    tenant: TenantId
    caller: CallerId | None
    """None for an operator's token, which makes no calls."""
    expires_at: float
    revoked_at: float | None
    allow_from: tuple[str, ...]
    """The caller's inbound allowlist; empty means any."""
    subject: str | None
    """The only subject whose connections it may use; None for any."""
    connection: ConnectionId | None
    """The only connection that it may use; None for any."""
    methods: frozenset[str] | None
    """What it may ask for (`policy.token.admits_method`); None for all that a grant allows."""
    limits: CallerLimits = NO_CALLER_LIMITS
    """The caller's own."""


class ConnectionRow(NamedTuple):
    """A connection, joined with its current sealed version, its subject, lock and tenant."""

    id: ConnectionId
    tenant: TenantId
    provider: ProviderId
    subject: str
    journal_key: Secret
    """Under which the subject stands in the journal: 32 bytes."""
    state: ConnectionState
    version: int
    egress: EgressId
    sealed: SealedCredential | None
    """None when there is no sealed version, as after a revocation."""
    lock: LockState
    """As it was measured of this version; `unchecked` else."""
    gate: Gate
    """Which lock the tenant wants."""


class GrantRow(NamedTuple):
    """A grant of a caller that covers a connection."""

    id: GrantId
    allow: tuple[Rule, ...]
    expires_at: float | None
    revoked_at: float | None


class CallLookup:
    """Reads of one thread. Every method raises StoreUnavailable when the database does not answer.

    Raises:
        StoreUnavailable: The database is absent, or its schema is not the code's.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.openings = 0
        """How often a file was opened: another file has another history, whatever its revision."""
        self._open()

    def revision(self) -> int:
        """Return the number that grows with every change of what is read here.

        A database file that was put in the place of the open one is opened, so that a restored
        backup does not go unseen.
        """
        try:
            found = os.stat(self._path)
        except OSError as error:
            raise StoreUnavailable("the database file is gone", "put it back") from error
        if (found.st_dev, found.st_ino) != self._file:
            self.close()
            self._open()
        row = self._one(statements.REVISION, ())
        if row is None:
            raise StoreUnavailable("the database has lost its revision", "restore a backup")
        return int(row[0])

    def token(self, digest: bytes) -> TokenRow | None:
        """Find a token by its digest (SHA-256, 32 bytes), live or not."""
        row = self._one(statements.TOKEN, (digest,))
        if row is None:
            return None
        name, role, tenant, caller, expires_at, revoked_at, allow_from = row[:7]
        subject, connection, methods, calls_per_second, concurrent = row[7:]
        try:
            allowed = () if allow_from in (None, "[]") else tuple(json.loads(allow_from))
            return TokenRow(
                name,
                Role(role),
                tenant,
                caller,
                float(expires_at),
                _time(revoked_at),
                allowed,
                subject,
                connection,
                None if methods is None else _methods(methods),
                _limits(calls_per_second, concurrent),
            )
        except (ValueError, TypeError, OverflowError) as error:
            raise _damaged("token") from error

    def connection(self, connection: str) -> ConnectionRow | None:
        """Find a connection of any tenant; the caller's tenant is compared by whoever asks."""
        row = self._one(statements.CONNECTION, (connection,))
        if row is None:
            return None
        name, tenant, provider, subject, journal_key, state, version, egress = row[:8]
        key_id, trust_digest, ciphertext, lock, gate = row[8:]
        sealed = None
        if ciphertext is not None:
            sealed = SealedCredential(
                name, version, key_id, as_bytes(trust_digest), as_bytes(ciphertext)
            )
        try:
            return ConnectionRow(
                id=name,
                tenant=tenant,
                provider=provider,
                subject=subject,
                journal_key=Secret(as_bytes(journal_key)),
                state=ConnectionState(state),
                version=int(version),
                egress=egress,
                sealed=sealed,
                lock=LockState(lock),
                gate=Gate(gate),
            )
        except (ValueError, TypeError, OverflowError) as error:
            raise _damaged("connection") from error

    def grants(self, caller: CallerId, connection: ConnectionId) -> list[GrantRow]:
        """List the grants of a caller that cover a connection, expired and revoked ones too.

        They name the connection, its provider or its subject. What ended when a connection was
        revoked is given as if it still held: the connection itself says that it is revoked.
        """
        rows = self._all(statements.GRANTS, (caller, connection) * 3)
        try:
            return [
                GrantRow(
                    name, rules_from_json(json.loads(allow)), _time(expires_at), _time(revoked_at)
                )
                for name, allow, expires_at, revoked_at in rows
            ]
        except (ValueError, TypeError, OverflowError, AttributeError) as error:
            raise _damaged("grant") from error

    def provider(self, provider: ProviderId) -> Signed | None:
        """Find the newest signed record of a provider."""
        return self._signed(statements.PROVIDER, (provider,))

    def pin_set(self, provider: ProviderId, origin: str) -> Signed | None:
        """Find the newest signed pin set of an origin."""
        return self._signed(statements.PIN_SET, (provider, origin))

    def egress(self, egress: EgressId) -> Signed | None:
        """Find the signed statement of an egress address: active or retired, it says so itself."""
        return self._signed(statements.EGRESS, (egress,))

    def tenant_key(self, tenant: TenantId, key_id: str) -> tuple[Signed, bytes] | None:
        """Find a tenant's key pair: the signed public half and the wrapped private one."""
        row = self._one(statements.TENANT_KEY, (tenant, key_id))
        return None if row is None else (_signed(row), as_bytes(row[2]))

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def __repr__(self) -> str:
        return f"CallLookup({str(self._path)!r})"

    def _open(self) -> None:
        try:
            found = os.stat(self._path)
            self._database = connect(self._path, "ro")
            try:
                self._database.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
                check_schema(find_schema(self._database))
            except BaseException:
                self._database.close()
                raise
        except (sqlite3.Error, OSError) as error:
            raise StoreUnavailable(
                "the database can't be opened", "is it there, and readable?"
            ) from error
        self._file = (found.st_dev, found.st_ino)
        self.openings += 1

    def _signed(self, statement: str, values: _Row) -> Signed | None:
        row = self._one(statement, values)
        return None if row is None else _signed(row)

    def _one(self, statement: str, values: _Row) -> _Row | None:
        # fetchall, not fetchone: a statement left half-read keeps its snapshot of the database.
        rows = self._all(statement, values)
        return rows[0] if rows else None

    def _all(self, statement: str, values: _Row) -> list[_Row]:
        try:
            return self._database.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            name = getattr(error, "sqlite_errorname", "closed")
            raise StoreUnavailable(f"the database does not answer ({name})") from error


def _signed(row: _Row) -> Signed:
    return Signed(as_bytes(row[0]), as_bytes(row[1]))


def _limits(calls_per_second: int | None, concurrent: int | None) -> CallerLimits:
    if calls_per_second is None and concurrent is None:
        return NO_CALLER_LIMITS
    return CallerLimits(_number(calls_per_second), _number(concurrent))


def _number(value: int | None) -> int | None:
    if value is not None and (type(value) is not int or value < 1):
        raise ValueError("a limit that is no number from 1")
    return value


def _methods(text: str) -> frozenset[str]:
    read = json.loads(text)
    if not isinstance(read, list):
        raise TypeError("methods are a list")
    return frozenset(read)


def _time(value: float | None) -> float | None:
    return None if value is None else float(value)


def _damaged(kind: str) -> StoreUnavailable:
    return StoreUnavailable(f"the row of a {kind} is damaged", "restore a backup")
