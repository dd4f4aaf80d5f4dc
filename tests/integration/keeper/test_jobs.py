"""The loop that takes jobs: which, how many, and what becomes of what breaks."""

import asyncio
import time

import pytest

from bailee.errors import BaileeError, Conflict
from bailee.keeper.jobs import AT_ONCE, Finished
from bailee.manage import jobs
from bailee.model import Job, JobState
from keeper_bench import Bench

pytestmark = pytest.mark.anyio
SOME_ROUNDS = 0.2
"""Seconds in which a loop that polls each 0.01 s would have taken another job."""


async def done(_: Job) -> Finished:
    return Finished({"seen": True}, b"mark")


async def test_done_when_work_ends(bench: Bench) -> None:
    """A result is stored with its signature."""
    job = bench.order(kind="look")
    async with bench.loop({"look": done}):
        ended = await bench.ended(job)
    assert (ended.state, ended.result, ended.result_signature) == (
        JobState.DONE, {"seen": True}, b"mark"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("error", "code"), [(Conflict("no", "do"), "conflict"), (ZeroDivisionError(), "internal-error")]
)
async def test_failed_when_work_raises(bench: Bench, error: Exception, code: str) -> None:
    """An error of ours is told as it is, any other one as a fault in Bailee; the loop goes on."""

    async def broken(_: Job) -> Finished:
        raise error

    job = bench.order(kind="look")
    async with bench.loop({"look": broken, "see": done}):
        ended = await bench.ended(job)
        assert (await bench.ended(bench.order(kind="see"))).state is JobState.DONE
    assert ended.error is not None
    assert (ended.state, ended.error["code"]) == (JobState.FAILED, code)
    assert not isinstance(error, BaileeError) or ended.error["hint"] == error.hint


async def test_left_when_job_is_anothers(bench: Bench) -> None:
    """Unknown kinds, and egress addresses that this node does not have, are left to others."""
    strange, away = bench.order(kind="other"), bench.order(kind="look", egress="z")
    async with bench.loop({"look": done}):
        await bench.ended(bench.order(kind="look"))
    assert {bench.show(job).state for job in (strange, away)} == {JobState.WAITING}


async def test_bounded_when_there_are_many(bench: Bench) -> None:
    """So many at once and no more; the others wait for their turn."""
    inside, most, full, leave = 0, 0, asyncio.Event(), asyncio.Event()

    async def slow(job: Job) -> Finished:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        if inside == AT_ONCE:
            full.set()
        await leave.wait()
        inside -= 1
        return await done(job)

    ordered = [bench.order(kind="look") for _ in range(AT_ONCE + 3)]
    async with bench.loop({"look": slow}):
        await full.wait()
        await asyncio.sleep(SOME_ROUNDS)
        leave.set()
        for job in ordered:
            assert (await bench.ended(job)).state is JobState.DONE
    assert most == AT_ONCE


async def test_ended_when_drained(bench: Bench) -> None:
    """A drain lets the job under way end, and takes no other."""
    started, leave = asyncio.Event(), asyncio.Event()

    async def slow(job: Job) -> Finished:
        started.set()
        await leave.wait()
        return await done(job)

    first = bench.order(kind="look")
    async with bench.loop({"look": slow}):
        await started.wait()
        bench.draining.set()
        await asyncio.sleep(SOME_ROUNDS)
        second = bench.order(kind="look")
        leave.set()
    assert bench.show(first).state is JobState.DONE
    assert bench.show(second).state is JobState.WAITING


async def test_kept_when_another_keeper_took_it(bench: Bench) -> None:
    """Whoever lost its lease can't overwrite what the next one stores."""
    store = bench.house.store

    async def robbed(job: Job) -> Finished:
        later = time.time() + 61
        assert jobs.take(store, ["look"], ["a"], "other", later) is not None
        jobs.finish(store, job.id, "other", {"by": "other"}, b"other", later)
        return await done(job)

    job = bench.order(kind="look")
    async with bench.loop({"look": robbed}):
        ended = await bench.ended(job)
    assert bench.show(job) == ended
    assert ended.result == {"by": "other"}


async def test_going_on_when_store_was_away(bench: Bench) -> None:
    """A database that does not answer for a while stops nothing for good."""
    house = bench.house
    away = house.directory / "away.db"
    async with bench.loop({"look": done}):
        house.store.close()
        house.database.rename(away)
        await asyncio.sleep(0.05)
        away.rename(house.database)
        assert (await bench.ended(bench.order(kind="look"))).state is JobState.DONE
