"""Locks and the tenants' policy for them, tenant by tenant."""

import pytest

from bailee.errors import BadInput, NotFound
from bailee.manage import connections, locks, tenants
from bailee.model import ConnectionId, EgressId, Gate, LockState, Probing, TenantId
from bailee.store.locks import LockCount, StoredLock
from bailee.store.lookup import CallLookup
from bailee.store.scope import ALL_TENANTS
from bailee.vault.statements import sign_tenant_key
from unit.manage.world import ACME, NOW, OTHER, TENANT, World


def measured(connection: ConnectionId, tenant: TenantId = TENANT) -> StoredLock:
    """What the keeper would find out."""
    return StoredLock(
        connection, tenant, LockState.DECLARED, 1, egress=EgressId("egr_a"), checked_at=NOW
    )


def test_a_lock_is_shown_until_it_holds_no_more(world: World) -> None:
    """Unchecked, measured, and unchecked again once the credential is another one."""
    added = world.connect()
    blank = locks.show(world.store, TENANT, added.id)
    assert (blank.lock.state, blank.lock.checked_at) == (LockState.UNCHECKED, None)
    assert (blank.provider, blank.subject) == (ACME, "u1")
    assert locks.put(world.store, measured(added.id))
    assert locks.show(world.store, TENANT, added.id).lock == measured(added.id)
    sealed = world.sealed(2, connection=added.id)
    connections.rotate(world.store, world.verifier, TENANT, sealed, NOW)
    again = locks.show(world.store, TENANT, added.id).lock
    assert again == StoredLock(added.id, TENANT, LockState.UNCHECKED, 2)
    assert not locks.put(world.store, measured(added.id))


def test_locks_are_the_tenants(world: World) -> None:
    """Show, list, count and put know nothing of another tenant's connection."""
    mine, theirs = world.connect(), world.connect("u1", OTHER)
    locks.put(world.store, measured(mine.id))
    with pytest.raises(NotFound):
        locks.show(world.store, OTHER, mine.id)
    assert not locks.put(world.store, measured(mine.id, OTHER))
    assert [each.lock.connection for each in locks.page(world.store, OTHER)] == [theirs.id]
    assert locks.page(world.store, OTHER, state=LockState.DECLARED) == []
    assert locks.exposure(world.store, OTHER) == [LockCount(ACME, LockState.UNCHECKED, 1)]
    both = [LockCount(ACME, LockState.DECLARED, 1), LockCount(ACME, LockState.UNCHECKED, 1)]
    assert locks.exposure(world.store, ALL_TENANTS) == both
    assert len(locks.page(world.store, ALL_TENANTS)) == 2
    for limit in (0, 1001):
        with pytest.raises(BadInput):
            locks.page(world.store, TENANT, limit=limit)


def test_a_tenant_sets_its_policy(world: World) -> None:
    """What is not given stays; the gateway reads the gate; the other tenant's is its own."""
    added = world.connect()
    changed = tenants.set_lock_policy(world.store, TENANT, gate=Gate.ENFORCED)
    assert (changed.gate, changed.probing) == (Gate.ENFORCED, Probing.NONE)
    changed = tenants.set_lock_policy(world.store, TENANT, probing=Probing.RISKY)
    assert (changed.gate, changed.probing) == (Gate.ENFORCED, Probing.RISKY)
    assert tenants.find(world.store, TENANT) == changed
    changed = tenants.set_lock_policy(world.store, TENANT, gate=Gate.ENFORCED)
    assert (changed.gate, changed.probing) == (Gate.ENFORCED, Probing.RISKY)
    assert tenants.find(world.store, OTHER).gate is Gate.NONE
    lookup = CallLookup(world.store.path)
    row = lookup.connection(added.id)
    lookup.close()
    assert row is not None
    assert row.gate is Gate.ENFORCED
    for absent in (TenantId("absent"), TenantId("*")):
        with pytest.raises(NotFound):
            tenants.find(world.store, absent)
        with pytest.raises(NotFound):
            tenants.set_lock_policy(world.store, absent, gate=Gate.NONE)


def test_a_tenant_begins_with_the_policy_given(world: World) -> None:
    """A new tenant has its gate from its first row on."""
    third = TenantId("third")
    key, wrapped = world.keyring.new_tenant_key(third)
    signed = sign_tenant_key(world.authority, key)
    added = tenants.add(
        world.store,
        world.verifier,
        third,
        "Third",
        signed,
        wrapped,
        NOW,
        gate=Gate.DECLARED,
        probing=Probing.OK,
    )
    assert tenants.find(world.store, third) == added
    assert (added.gate, added.probing) == (Gate.DECLARED, Probing.OK)
    assert tenants.page(world.store)[-1] == added
