"""The writer, on real files."""

import os
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bailee.errors import JournalUnavailable, StoreUnavailable
from bailee.journal.chain import MAX_BLOCK_LINES
from bailee.journal.entry import Event, decode
from bailee.journal.verify import verify
from bailee.journal.writer import OUTCOMES_TO_KEEP, OUTCOMES_TO_WRITE, Journal
from bailee.model import Signed, TenantId
from journal_support import (
    MemoryRegister,
    intent,
    only_file,
    outcome,
    read_blocks,
    read_lines,
    write_calls,
)


def no_checkpoint(signed: Signed) -> bytes:
    raise AssertionError("there is no checkpoint")


def types(path: Path) -> list[str]:
    return [type(decode(line)).__name__ for line in read_lines(path)]


def test_an_intent_is_in_the_file_when_intend_returns(tmp_path: Path) -> None:
    """R42: the line is there before the call leaves; the outcome waits for the next write."""
    journal = Journal.open(tmp_path / "j", "gateway", MemoryRegister())
    path = only_file(tmp_path / "j")
    journal.intend(intent(1))
    assert types(path) == ["Start", "Intent"]
    journal.outcome(outcome(1))
    assert types(path) == ["Start", "Intent"]
    journal.intend(intent(2))
    assert types(path) == ["Start", "Intent", "Outcome", "Intent"]
    journal.outcome(outcome(2))
    journal.flush()
    journal.record(Event("pin-learned", 5.0, "keeper", TenantId("default"), "exchange", {}))
    journal.close()
    assert types(path)[4:] == ["Outcome", "Event", "End"]


def test_several_intents_are_one_block(tmp_path: Path) -> None:
    """R42: all are in the file when intend() returns; the outcomes that waited come first."""
    journal = Journal.open(tmp_path, "gateway", MemoryRegister())
    path = only_file(tmp_path)
    journal.intend(intent(1), intent(2), intent(3))
    journal.outcome(outcome(2))
    journal.outcome(outcome(1))
    journal.intend(intent(4), intent(5))
    assert types(path) == ["Start", *["Intent"] * 3, *["Outcome"] * 2, *["Intent"] * 2]
    assert [block.count(b"\n") for block in read_blocks(path)] == [1, 3, 4]
    assert (journal.head().seq, len(read_lines(path))) == (8, 8)
    assert read_lines(path)[-1].endswith(b',"seq":8,"hash":"%b"}' % journal.head().hash.encode())
    journal.close()


def test_nothing_to_write_writes_nothing(tmp_path: Path) -> None:
    """No intent and no outcome: no block. Outcomes that wait go with the call nevertheless."""
    journal = Journal.open(tmp_path, "gateway", MemoryRegister())
    before = journal.head()
    journal.intend()
    journal.flush()
    assert journal.head() == before
    journal.outcome(outcome(1))
    journal.intend()
    assert types(only_file(tmp_path)) == ["Start", "Outcome"]
    journal.close()


def test_more_entries_than_a_block_holds_are_refused(tmp_path: Path) -> None:
    """A block has a bound, which verifying relies on; what follows is written as ever."""
    register = MemoryRegister()
    journal = Journal.open(tmp_path, "gateway", register)
    with pytest.raises(JournalUnavailable, match="more entries"):
        journal.intend(*[intent(1)] * (MAX_BLOCK_LINES + 1))
    journal.intend(*[intent(1)] * MAX_BLOCK_LINES)
    journal.outcome(outcome(1))
    journal.close()
    report = verify(tmp_path, register.all(), [], no_checkpoint)
    assert (report.findings, report.notices, report.lines) == ((), (), MAX_BLOCK_LINES + 3)


def test_all_that_may_wait_fits_a_block() -> None:
    """Outcomes kept for a new chain are written with its first intents, of 30,000 calls at once."""
    assert OUTCOMES_TO_KEEP + OUTCOMES_TO_WRITE + 30_000 < MAX_BLOCK_LINES


def test_an_always_synced_journal_reads_the_same(tmp_path: Path) -> None:
    """`always` writes the same lines."""
    register = MemoryRegister()
    journal = Journal.open(tmp_path / "j", "gateway", register, sync="always")
    write_calls(journal, 3)
    journal.close()
    report = verify(tmp_path / "j", register.all(), [], no_checkpoint)
    assert (report.findings, report.notices, report.lines) == ((), (), 8)


def test_a_chain_is_registered_before_its_file_exists(tmp_path: Path) -> None:
    """A register that can't be reached leaves no file, and nothing to find."""
    register = MemoryRegister()
    register.available = False
    with pytest.raises(StoreUnavailable):
        Journal.open(tmp_path / "j", "gateway", register)
    assert list((tmp_path / "j").iterdir()) == []


def test_the_file_is_readable_for_its_group_alone(tmp_path: Path) -> None:
    """Mode 0640 whatever the umask is."""
    before = os.umask(0o077)
    try:
        journal = Journal.open(tmp_path / "j", "gateway", MemoryRegister())
    finally:
        os.umask(before)
    assert stat.S_IMODE(only_file(tmp_path / "j").stat().st_mode) == 0o640
    journal.close()


def test_every_start_begins_a_new_chain(tmp_path: Path) -> None:
    """An old file is never appended to."""
    register = MemoryRegister()
    for _ in range(3):
        journal = Journal.open(tmp_path, "gateway", register)
        before = {path: path.read_bytes() for path in tmp_path.iterdir()}
        write_calls(journal, 2)
        journal.close()
        changed = [path for path, content in before.items() if path.read_bytes() != content]
        assert [path.stem for path in changed] == [journal.head().chain]
    assert len(register.chains) == 3


def test_heads_are_stored_and_chains_closed(tmp_path: Path) -> None:
    """store_head() stores where the chain stands, once for each place; close() closes it."""
    register = MemoryRegister()
    journal = Journal.open(tmp_path, "gateway", register)
    (chain,) = register.chains
    assert register.chains[chain].head_seq == 1
    write_calls(journal, 2)
    journal.store_head()
    assert register.heads() == [journal.head()]
    writes = register.writes
    journal.store_head()
    assert register.writes == writes, "an idle journal writes nothing to the store"
    journal.close()
    assert register.chains[chain].closed_at is not None
    assert register.heads() == [journal.head()]
    journal.close()
    with pytest.raises(JournalUnavailable, match="closed"):
        journal.intend(intent(9))


def test_a_full_chain_gives_way_once_the_next_is_ready(tmp_path: Path) -> None:
    """Rotation: the old chain ends with an end record and is closed; no entry is lost."""
    register = MemoryRegister()
    journal = Journal.open(tmp_path, "gateway", register, rotate_bytes=4096)
    for number in range(100):
        write_calls(journal, 1, first=number)
        if number % 3 == 0:
            journal.store_head()
    journal.close()
    report = verify(tmp_path, register.all(), [], no_checkpoint)
    assert (report.findings, report.notices) == ((), ())
    assert len(register.chains) > 5
    assert all(chain.closed_at is not None for chain in register.all())
    assert report.lines == 200 + 2 * len(register.chains)


def test_a_full_chain_goes_on_while_the_store_is_away(tmp_path: Path) -> None:
    """Rotation may be late: a call is not refused because the database does not answer."""
    register = MemoryRegister()
    journal = Journal.open(tmp_path, "gateway", register, rotate_bytes=2048)
    register.available = False
    write_calls(journal, 50)
    with pytest.raises(StoreUnavailable):
        journal.store_head()
    register.available = True
    journal.store_head()
    write_calls(journal, 1, first=50)
    journal.close()
    assert len(register.chains) == 2
    assert verify(tmp_path, register.all(), [], no_checkpoint).sound


def test_a_removed_file_is_given_up(tmp_path: Path) -> None:
    """Lines are not written on into a file that nobody can find any more."""
    register = MemoryRegister()
    journal = Journal.open(tmp_path, "gateway", register)
    only_file(tmp_path).unlink()
    journal.store_head()
    journal.intend(intent(1))
    assert types(only_file(tmp_path)) == ["Start", "Intent"]
    journal.close()


def test_a_directory_that_can_not_be_made_is_named(tmp_path: Path) -> None:
    """A missing parent directory is an error that says what to do."""
    with pytest.raises(JournalUnavailable) as caught:
        Journal.open(tmp_path / "missing" / "j", "gateway", MemoryRegister())
    assert "directory" in caught.value.hint


def test_an_entry_that_is_too_long_is_refused_alone(tmp_path: Path) -> None:
    """A line has a bound; what follows a refused entry is written as ever, the bound is no block's,
    and an outcome that waited with it is not lost."""
    register = MemoryRegister()
    journal = Journal.open(tmp_path, "gateway", register)
    journal.outcome(outcome(2))
    with pytest.raises(JournalUnavailable, match="longer"):
        journal.intend(intent(1, path="/" + "a" * 600_000))
    journal.intend(*(intent(n, path="/" + "\x01" * 32_767) for n in (2, 3, 4)))
    journal.close()
    report = verify(tmp_path, register.all(), [], no_checkpoint)
    assert (report.findings, report.lines) == ((), 6)


def test_outcomes_do_not_wait_without_bound(tmp_path: Path) -> None:
    """Many outcomes are written without an intent; with a dead journal the oldest are dropped."""
    journal = Journal.open(tmp_path, "gateway", MemoryRegister())
    path = only_file(tmp_path)
    for number in range(OUTCOMES_TO_WRITE):
        journal.outcome(outcome(number))
    assert len(types(path)) == 1 + OUTCOMES_TO_WRITE
    journal.close()
    for number in range(OUTCOMES_TO_KEEP + 3 * OUTCOMES_TO_WRITE):
        journal.outcome(outcome(number))
    assert journal.dropped_outcomes == 3 * OUTCOMES_TO_WRITE


def test_heads_are_stored_while_intents_are_written(tmp_path: Path) -> None:
    """The two threads do not disturb each other, rotation included."""
    register = MemoryRegister()
    journal = Journal.open(tmp_path, "gateway", register, rotate_bytes=64 * 1024)
    done = threading.Event()

    def store() -> None:
        while not done.is_set():
            journal.store_head()

    with ThreadPoolExecutor(1) as threads:
        storing = threads.submit(store)
        written = 0
        while len(register.chains) <= 5 and written < 1_000_000:
            write_calls(journal, 100, first=written)
            written += 100
        done.set()
        storing.result()
    journal.close()
    report = verify(tmp_path, register.all(), [], no_checkpoint)
    assert (report.findings, report.notices) == ((), ())
    assert report.lines == 2 * written + 2 * len(register.chains)
    assert len(register.chains) > 5
