"""A lock is of one version of one active connection, and of its tenant."""

from dataclasses import replace

import pytest
import sqlalchemy as sa

from bailee.errors import Conflict
from bailee.model import (
    ConnectionId,
    EgressId,
    Gate,
    LockState,
    Probing,
    ProviderId,
    SealedCredential,
)
from bailee.secret import Secret
from bailee.store import connections, locks, revoking, tenants
from bailee.store.engine import Store
from bailee.store.locks import LockCount, LockStanding, StoredLock
from bailee.store.lookup import CallLookup
from bailee.store.scope import ALL_TENANTS
from contract.store import rows
from contract.store.rows import CONNECTION, LOCK, NOW, OTHER, PROVIDER, SUBJECT, TENANT

SECOND = ConnectionId("d" * 26)
FOREIGN = ConnectionId("e" * 26)
KRAKEN = ProviderId("kraken")
UNCHECKED = StoredLock(CONNECTION, TENANT, LockState.UNCHECKED, 1)


@pytest.fixture
def seeded(store: Store) -> Store:
    """A measured connection, one that is not, and another tenant's of the same subject."""
    with store.write() as conn:
        rows.seed(conn)
        connections.insert(conn, replace(rows.connection(SECOND), provider=KRAKEN))
        connections.insert_subject(conn, OTHER, SUBJECT, Secret(bytes(32)))
        connections.insert(conn, rows.connection(FOREIGN, OTHER))
    return store


def rotate(store: Store) -> None:
    """Put a second version in the place of the first."""
    with store.write() as conn:
        sealed = SealedCredential(CONNECTION, 2, "key_a", rows.TRUST, b"x" * 60)
        connections.insert_sealed(conn, sealed, NOW)
        assert connections.set_version(conn, TENANT, CONNECTION, 2)


def lock_of(store: Store) -> StoredLock:
    """The lock of the first connection."""
    with store.read() as conn:
        found = locks.find(conn, TENANT, CONNECTION)
    assert found is not None
    return found.lock


def test_a_lock_comes_back(seeded: Store, lookup: CallLookup) -> None:
    """It comes back whole, with whose it is, and the gateway sees its state and the gate."""
    with seeded.write() as conn:
        assert locks.find(conn, TENANT, CONNECTION) == LockStanding(PROVIDER, SUBJECT, LOCK)
        tenants.set_lock_policy(conn, TENANT, Gate.ENFORCED, Probing.OK)
    row = lookup.connection(CONNECTION)
    assert row is not None
    assert (row.lock, row.gate) == (LockState.ENFORCED, Gate.ENFORCED)
    other = lookup.connection(FOREIGN)
    assert other is not None
    assert (other.lock, other.gate) == (LockState.UNCHECKED, Gate.NONE)


def test_the_last_measurement_counts(seeded: Store) -> None:
    """One row a connection: a new measurement takes the place of the last one, parts and all."""
    bare = StoredLock(CONNECTION, TENANT, LockState.OPEN, 1, "served", checked_at=NOW + 1)
    with seeded.write() as conn:
        assert locks.put(conn, bare)
        assert conn.execute(sa.text("SELECT count(*) FROM locks")).scalar() == 1
    assert lock_of(seeded) == bare


def test_a_rotation_unchecks(seeded: Store, lookup: CallLookup) -> None:
    """What was measured of the last credential says nothing of the next, anywhere."""
    rotate(seeded)
    assert lock_of(seeded) == replace(UNCHECKED, version=2)
    row = lookup.connection(CONNECTION)
    assert row is not None
    assert row.lock is LockState.UNCHECKED
    with seeded.write() as conn:
        assert not locks.put(conn, LOCK)
        assert locks.list_page(conn, TENANT, state=LockState.ENFORCED, after=None, limit=9) == []
        assert locks.put(conn, replace(LOCK, version=2))
    assert lock_of(seeded).state is LockState.ENFORCED


def test_a_revocation_unchecks(seeded: Store, lookup: CallLookup) -> None:
    """A revoked connection has no lock, is counted nowhere, and takes no measurement."""
    with seeded.write() as conn:
        revoking.revoke_many(conn, TENANT, NOW, connection=CONNECTION)
    assert lock_of(seeded) == UNCHECKED
    row = lookup.connection(CONNECTION)
    assert row is not None
    assert row.lock is LockState.UNCHECKED
    with seeded.write() as conn:
        assert not locks.put(conn, LOCK)
        assert locks.count(conn, TENANT) == [LockCount(KRAKEN, LockState.UNCHECKED, 1)]
        page = locks.list_page(conn, TENANT, after=None, limit=9)
    assert [each.lock.connection for each in page] == [SECOND]


def test_a_lock_is_of_its_tenant(seeded: Store, lookup: CallLookup) -> None:
    """Another tenant neither finds, lists, counts nor writes it; nor does a row that was moved."""
    with seeded.write() as conn:
        assert locks.find(conn, OTHER, CONNECTION) is None
        assert not locks.put(conn, replace(LOCK, tenant=OTHER))
        page = locks.list_page(conn, OTHER, after=None, limit=9)
        assert [each.lock.connection for each in page] == [FOREIGN]
        assert locks.list_page(conn, OTHER, state=LockState.ENFORCED, after=None, limit=9) == []
        assert locks.count(conn, OTHER) == [LockCount(PROVIDER, LockState.UNCHECKED, 1)]
    with pytest.raises(Conflict), seeded.write() as conn:
        conn.execute(sa.text("UPDATE locks SET tenant_id = 'other'"))
    with pytest.raises(Conflict), seeded.write() as conn:
        conn.execute(sa.text("UPDATE locks SET state = 'proven'"))


def test_locks_are_listed_by_filter_and_page(seeded: Store) -> None:
    """Unchecked connections are listed too; filters hold, and pages do not overlap."""
    with seeded.read() as conn:
        seen: list[str] = []
        after = None
        while page := locks.list_page(conn, ALL_TENANTS, after=after, limit=2):
            seen += [each.lock.connection for each in page]
            after = page[-1].lock.connection
        assert seen == [CONNECTION, SECOND, FOREIGN]

        def names(**filters: object) -> list[str]:
            page = locks.list_page(conn, TENANT, after=None, limit=9, **filters)  # type: ignore[arg-type]  # a table of filters
            return [each.lock.connection for each in page]

        assert names() == [CONNECTION, SECOND]
        assert names(provider=KRAKEN) == [SECOND]
        assert names(state=LockState.ENFORCED) == [CONNECTION]
        assert names(state=LockState.UNCHECKED) == [SECOND]
        assert names(state=LockState.OPEN) == []
        assert names(state=LockState.ENFORCED, provider=KRAKEN) == []


def test_exposure_counts_by_provider_and_state(seeded: Store) -> None:
    """Every active connection is counted once, of one tenant or of all."""
    with seeded.read() as conn:
        assert locks.count(conn, TENANT) == [
            LockCount(PROVIDER, LockState.ENFORCED, 1),
            LockCount(KRAKEN, LockState.UNCHECKED, 1),
        ]
        assert locks.count(conn, ALL_TENANTS) == [
            LockCount(PROVIDER, LockState.ENFORCED, 1),
            LockCount(PROVIDER, LockState.UNCHECKED, 1),
            LockCount(KRAKEN, LockState.UNCHECKED, 1),
        ]


def test_exposure_counts_causes_and_powers_apart(seeded: Store) -> None:
    """Locks of one state are counted together when cause and powers are the same, too."""
    blocked = replace(
        LOCK,
        state=LockState.BLOCKED,
        report={"powers": ["read", "trade"]},
        observations=[{"cause": "refused"}, {"cause": "later"}],
    )
    with seeded.write() as conn:
        locks.put(conn, blocked)
        third = ConnectionId("g" * 26)
        connections.insert(conn, rows.connection(third))
        locks.put(conn, replace(blocked, connection=third))
        locks.put(conn, replace(blocked, connection=SECOND, report=None))
        fourth = ConnectionId("h" * 26)
        connections.insert(conn, rows.connection(fourth))
        other: list[dict[str, object]] = [{"cause": "banned"}]
        locks.put(conn, replace(blocked, connection=fourth, observations=other))
        assert locks.count(conn, TENANT) == [
            LockCount(PROVIDER, LockState.BLOCKED, 1, "banned", ("read", "trade")),
            LockCount(PROVIDER, LockState.BLOCKED, 2, "refused", ("read", "trade")),
            LockCount(KRAKEN, LockState.BLOCKED, 1, "refused"),
        ]


def test_a_measurement_has_its_time(seeded: Store) -> None:
    """What was measured, was measured at some time."""
    with pytest.raises(Conflict), seeded.write() as conn:
        locks.put(conn, replace(LOCK, checked_at=None, egress=EgressId("egr_b")))
    assert lock_of(seeded) == LOCK
