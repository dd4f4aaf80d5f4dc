"""A provider that breaks harms the call that it breaks, and no other."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bailee.reference.pki import World
from fault_calls import METHODS, Desk, admit_callers
from fault_origin import FAULTS, LATE, LATE_SECONDS, RESETS, run_fault_origin
from gate import run_gate
from house import build_house

IDLE_SECONDS = 0.4
QUICK = [name for name, fault in FAULTS.items() if not fault.hangs and name != LATE]
pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def world() -> World:
    """One CA world for all of these tests: keys take time."""
    return World.create(["api.test"])


@pytest.fixture
async def desk(tmp_path: Path, world: World) -> AsyncIterator[Desk]:
    """Four callers before a gateway before an origin that breaks as asked."""
    house = build_house(tmp_path / "vault")
    async with run_fault_origin(world.leaf) as origin:
        callers = admit_callers(house, world, origin.port)
        async with run_gate(house, idle_seconds=IDLE_SECONDS) as gate:
            yield Desk(gate.port, origin, callers)
            assert not gate.line.calls
    assert not origin.strangers
    house.store.close()


@pytest.mark.parametrize("method", METHODS)
async def test_each_fault_when_the_stream_is_pooled_or_fresh(desk: Desk, method: str) -> None:
    """The caller sees what the fault lets it see, and a write reaches the origin once at most.

    Whatever broke, the next call is served.
    """
    caller = desk.callers[0]
    for fault in FAULTS:
        await desk.on_fresh(caller, method, fault)
        await desk.on_pooled(caller, method, fault)
        await desk.call(desk.callers[1], "GET", "none")
    assert desk.wrong == []


async def test_stream_when_an_answer_comes_unasked(desk: Desk) -> None:
    """What a provider sends on an idle stream ends the stream, and no caller sees it."""
    await desk.on_fresh(desk.callers[0], "GET", LATE)
    await asyncio.sleep(4 * LATE_SECONDS)
    assert not desk.origin.streams
    await desk.call(desk.callers[1], "GET", "none", "next")
    assert desk.origin.places["next"] == [0]
    assert desk.wrong == []


async def test_callers_when_all_faults_come_at_once(desk: Desk) -> None:
    """No caller sees a byte of another's answer, and none goes out with another's credential."""
    await desk.storm(clients=16, calls=320, seed=1, faults=QUICK)
    assert desk.wrong == []
    assert desk.calls == 320


async def test_write_when_its_answer_is_reset(desk: Desk) -> None:
    """A write whose connection is reset reaches the origin once at most, on whichever stream."""
    assert await desk.resets(clients=8, count=80) == 1
    assert desk.wrong == []
    assert {desk.origin.requests["POST", f"r{number}"] for number in range(80)} == {1}
    assert len(RESETS) == 4
