"""The keeper removes what is old with the authority's word for it, and never without."""

import asyncio
import os
import time
from pathlib import Path

import pytest

from bailee.app.chains import StoreChains
from bailee.journal.entry import Event
from bailee.journal.finding import Report
from bailee.journal.reading import JournalReader
from bailee.journal.verify import verify
from bailee.journal.writer import Journal
from bailee.keeper.checkpoints import Checkpoints
from bailee.keeper.retention import Retention
from bailee.store import chains as rows
from bailee.vault.authority import Label
from journal_support import write_calls
from keeper_bench import Bench

pytestmark = pytest.mark.anyio
DAY = 86_400.0
LONG_AGO = time.time() - 40 * DAY


def directory(bench: Bench) -> Path:
    return bench.house.directory / "journal"


@pytest.fixture
def old(bench: Bench) -> Path:
    """The file of a gateway that ended 40 days ago."""
    return write_old(bench)


def write_old(bench: Bench) -> Path:
    register = StoreChains(bench.house.store)
    journal = Journal.open(directory(bench), "gateway", register, clock=lambda: LONG_AGO)
    write_calls(journal, 3)
    path = directory(bench) / f"{journal.head().chain}.jsonl"
    journal.close()
    os.utime(path, (LONG_AGO, LONG_AGO))
    return path


def retention(bench: Bench, *, days: int = 30, closed: bool = False) -> Retention:
    house = bench.house
    access = bench.access(None if closed else house.keyring)
    return Retention(house.store, access, house.verifier, bench.journal, directory(bench), days)


def report(bench: Bench) -> Report:
    with bench.house.store.read() as conn:
        known = rows.list_page(conn, after=None, limit=100)
        marks = [each.signed for each in rows.list_checkpoints(conn, after=None, limit=100)]
    verifier = bench.house.verifier
    return verify(
        directory(bench), known, marks, lambda signed: verifier.verify(Label.CHECKPOINT, signed)
    )


async def test_old_chain_is_removed_and_the_journal_verifies(bench: Bench, old: Path) -> None:
    """Checkpoints before and after name the chain; its file is gone, and nothing is missing."""
    checkpoints = Checkpoints(bench.house.store, bench.access(bench.house.keyring), bench.journal)
    checkpoints.sign()
    (removed,) = await retention(bench).remove_old()
    assert removed.chain == old.stem
    assert not old.exists()
    after = Checkpoints(bench.house.store, bench.access(bench.house.keyring), bench.journal)
    bench.journal.store_head()
    after.sign()
    found = report(bench)
    assert (found.findings, found.removed) == ((), 1)
    events = [r.entry for r in JournalReader(directory(bench)).poll() if isinstance(r.entry, Event)]
    (event,) = [event for event in events if event.kind == "journal.removed"]
    assert event.target == old.stem
    assert event.detail == {"lines": str(removed.seq), "hash": removed.hash, "keep_days": "30"}


async def test_young_chain_stays(bench: Bench, old: Path) -> None:
    """With more days to keep nothing is signed and nothing goes."""
    assert await retention(bench, days=50).remove_old() == ()
    assert old.exists()
    assert report(bench).checkpoints == 0


async def test_closed_vault_removes_nothing(bench: Bench, old: Path) -> None:
    """Without the root key there is no word for it."""
    assert await retention(bench, closed=True).remove_old() == ()
    assert old.exists()
    assert report(bench).findings == ()


async def test_journal_that_can_not_be_written_removes_nothing(bench: Bench, old: Path) -> None:
    """A removal is recorded before it is made; what was signed by then does no harm."""
    bench.journal.close()
    assert await retention(bench).remove_old() == ()
    assert old.exists()
    assert report(bench).findings == ()


async def test_chain_with_a_fault_stays_and_the_others_go(bench: Bench, old: Path) -> None:
    """Nobody gets rid of the traces of an edit by waiting."""
    other = write_old(bench)
    other.write_bytes(other.read_bytes().replace(b"/v1/balance", b"/v1/other", 1))
    os.utime(other, (LONG_AGO, LONG_AGO))
    assert [last.chain for last in await retention(bench).remove_old()] == [old.stem]
    assert other.exists()
    assert not old.exists()
    assert {finding.chain for finding in report(bench).findings} == {other.stem}


async def test_half_done_removal_is_done_again(bench: Bench, old: Path) -> None:
    """A keeper that died between its word and the deed finds the file again."""
    kept = old.read_bytes()
    await retention(bench).remove_old()
    old.write_bytes(kept)
    os.utime(old, (LONG_AGO, LONG_AGO))
    assert report(bench).findings == ()
    assert len(await retention(bench).remove_old()) == 1
    assert not old.exists()
    assert (report(bench).findings, report(bench).removed) == ((), 1)


async def test_round_ends_with_the_drain(bench: Bench, old: Path) -> None:
    """It looks at start, and does not hold a drain up for an hour."""
    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        tasks.create_task(retention(bench).run(bench.draining))
        while old.exists():
            await asyncio.sleep(0.01)
        bench.draining.set()
