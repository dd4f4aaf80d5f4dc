"""Rows that the suite puts into a store, one function a table, in an order that keys allow."""

from collections.abc import Callable

import sqlalchemy as sa

from bailee.model import (
    Caller,
    CallerId,
    CallId,
    ConnectionId,
    ConnectionState,
    EgressAddress,
    EgressId,
    EgressState,
    Grant,
    GrantId,
    Job,
    JobId,
    JobState,
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
from bailee.store import (
    authority,
    callers,
    chains,
    connections,
    egress,
    feeds,
    grants,
    jobs,
    locks,
    nonces,
    once,
    pins,
    providers,
    replays,
    tenants,
    tokens,
)

NOW = 1_800_000_000.0
TENANT = TenantId("default")
OTHER = TenantId("other")
PROVIDER = ProviderId("acme")
CONNECTION = ConnectionId("c" * 26)
CALLER = CallerId("clr_a")
EGRESS = EgressId("egr_a")
SUBJECT = "u1"
JOURNAL_KEY = Secret(bytes(range(32)))
DIGEST = b"d" * 32
TRUST = b"t" * 32
SEALED = SealedCredential(CONNECTION, 1, "key_a", TRUST, b"sealed" * 20)
ADDRESS = EgressAddress(EGRESS, "a", "203.0.113.7", EgressState.ACTIVE, 1)
GRANT = Grant(GrantId("grt_a"), CALLER, CONNECTION, (Rule("GET", "/**"), Rule("POST", "/o/*")))

LOCK = locks.StoredLock(
    connection=CONNECTION,
    tenant=TENANT,
    state=LockState.ENFORCED,
    version=1,
    reason="",
    egress=EGRESS,
    decoy="d",
    checked_at=NOW,
    report={"addresses": ["203.0.113.7"]},
    observations=[{"step": "D+", "meaning": "address"}],
)


def signed(text: str) -> Signed:
    """A statement of which the store only knows the bytes."""
    return Signed(text.encode(), b"signature of " + text.encode())


def connection(name: str = CONNECTION, tenant: TenantId = TENANT) -> connections.StoredConnection:
    """An active connection of the seeded subject."""
    return connections.StoredConnection(
        id=ConnectionId(name),
        tenant=tenant,
        provider=PROVIDER,
        subject=SUBJECT,
        state=ConnectionState.ACTIVE,
        version=1,
        egress=EGRESS,
        created_at=NOW,
    )


def token(name: str = "tok_a", caller: CallerId | None = CALLER) -> tokens.StoredToken:
    """A caller's token, or an operator's without a caller."""
    role = Role.OPERATOR if caller is None else Role.CALLER
    return tokens.StoredToken(TokenId(name), TENANT, role, caller, "", NOW, NOW + 100)


def job(name: str, egress_name: str = "a", at: float = NOW, tenant: TenantId = TENANT) -> Job:
    """A waiting job."""
    arguments = {"provider": "acme", "origin": "rest"}
    return Job(JobId(name), "learn_pin", tenant, arguments, egress_name, JobState.WAITING, at)


def _tenants(conn: sa.Connection) -> None:
    tenants.insert(conn, tenants.StoredTenant(TENANT, "Default", NOW))
    tenants.insert(conn, tenants.StoredTenant(OTHER, "Other", NOW))


def _tenant_keys(conn: sa.Connection) -> None:
    key = tenants.StoredTenantKey("key_a", TENANT, signed("key"), b"wrapped", NOW)
    tenants.insert_key(conn, key)


def _authority(conn: sa.Connection) -> None:
    authority.insert(conn, authority.StoredAuthority("ed25519/AA==", b"wrapped"))


def _providers(conn: sa.Connection) -> None:
    for serial in (1, 2):
        record = signed(f"provider {serial}")
        providers.insert(conn, providers.StoredProvider(PROVIDER, serial, record, NOW))


def _pin_sets(conn: sa.Connection) -> None:
    for serial in (1, 2):
        record = signed(f"pins {serial}")
        pins.insert(conn, pins.StoredPinSet(PROVIDER, "rest", serial, record, NOW))


def _egress_addresses(conn: sa.Connection) -> None:
    egress.insert(conn, egress.StoredEgress(ADDRESS, signed("egress"), NOW))


def _connections(conn: sa.Connection) -> None:
    connections.insert_subject(conn, TENANT, SUBJECT, JOURNAL_KEY)
    connections.insert(conn, connection())


def _sealed_versions(conn: sa.Connection) -> None:
    connections.insert_sealed(conn, SEALED, NOW)


def _callers(conn: sa.Connection) -> None:
    callers.insert(conn, Caller(CALLER, TENANT, "app", ("10.0.0.0/8", "192.0.2.1")), NOW)


def _tokens(conn: sa.Connection) -> None:
    tokens.insert(conn, token(), DIGEST)


def _grants(conn: sa.Connection) -> None:
    grants.insert(conn, TENANT, GRANT, NOW)


def _locks(conn: sa.Connection) -> None:
    assert locks.put(conn, LOCK)


def _nonces(conn: sa.Connection) -> None:
    nonces.lease(conn, CONNECTION, 1, 1)


def _once_keys(conn: sa.Connection) -> None:
    assert once.claim(conn, TENANT, CALLER, DIGEST, CallId("a-1"), NOW) == "a-1"


def _replays(conn: sa.Connection) -> None:
    assert replays.reserve(conn, TENANT, "tok_o", "key", DIGEST, NOW)


def _feeds(conn: sa.Connection) -> None:
    for serial in (1, 2):
        feeds.insert(conn, serial, signed(f"feed {serial}"), NOW)


def _jobs(conn: sa.Connection) -> None:
    jobs.insert(conn, job("job_a"))


def _journal_chains(conn: sa.Connection) -> None:
    chains.register(conn, chains.StoredChain("gateway-1", "gateway", "gateway-1.jsonl", NOW))


INSERTS: dict[str, Callable[[sa.Connection], None]] = {
    "tenants": _tenants,
    "tenant_keys": _tenant_keys,
    "authority": _authority,
    "providers": _providers,
    "pin_sets": _pin_sets,
    "egress_addresses": _egress_addresses,
    "connections": _connections,
    "sealed_versions": _sealed_versions,
    "callers": _callers,
    "tokens": _tokens,
    "grants": _grants,
    "locks": _locks,
    "nonces": _nonces,
    "once_keys": _once_keys,
    "replays": _replays,
    "feeds": _feeds,
    "jobs": _jobs,
    "journal_chains": _journal_chains,
}


def seed(conn: sa.Connection) -> None:
    """Insert one of everything."""
    for insert in INSERTS.values():
        insert(conn)
