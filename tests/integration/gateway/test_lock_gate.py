"""A tenant's gate: which connections may be used."""

import asyncio
import time

import pytest

from bailee.manage import locks, tenants
from bailee.model import DEFAULT_TENANT, Gate, LockState
from bailee.store.locks import StoredLock
from integration.gateway.conftest import Stage
from integration.gateway.staging import call

pytestmark = pytest.mark.anyio


def put_lock(stage: Stage, state: LockState, version: int = 1) -> bool:
    """Store a measured lock of the stage's connection."""
    lock = StoredLock(
        stage.connection, DEFAULT_TENANT, state, version, "measured", checked_at=time.time()
    )
    return locks.put(stage.house.store, lock)


PASSING = {
    Gate.NONE: set(LockState),
    Gate.DECLARED: {LockState.DECLARED, LockState.ENFORCED},
    Gate.ENFORCED: {LockState.ENFORCED},
}


@pytest.mark.parametrize("gate", Gate)
async def test_the_gate_decides_by_the_lock(stage: Stage, gate: Gate) -> None:
    """Refused calls say which lock is asked for, and nothing is sent."""
    tenants.set_lock_policy(stage.house.store, DEFAULT_TENANT, gate=gate)
    for state in LockState:
        if state is not LockState.UNCHECKED:
            assert put_lock(stage, state)
        stage.gate.snapshot.refresh()
        seen = len(stage.origin.arrived)
        reply = await call(stage)
        if state in PASSING[gate]:
            assert reply.status == 200
        else:
            assert reply.status == 403
            assert reply.headers["bailee-error"] == "lock-required"
            assert gate.value.encode() in reply.body
            assert len(stage.origin.arrived) == seen


async def test_a_changed_gate_is_seen_within_a_second(stage: Stage) -> None:
    """Nobody has to restart a worker."""
    assert (await call(stage)).status == 200
    tenants.set_lock_policy(stage.house.store, DEFAULT_TENANT, gate=Gate.ENFORCED)
    await asyncio.sleep(0.5)
    assert (await call(stage)).status == 403


async def test_a_rotated_credential_has_no_lock_yet(stage: Stage) -> None:
    """What was measured of the last credential says nothing of the next one."""
    tenants.set_lock_policy(stage.house.store, DEFAULT_TENANT, gate=Gate.ENFORCED)
    assert not put_lock(stage, LockState.ENFORCED, version=2)
    assert put_lock(stage, LockState.ENFORCED)
    stage.gate.snapshot.refresh()
    assert (await call(stage)).status == 200
