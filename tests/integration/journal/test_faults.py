"""A process that is killed in the middle of writing, and a disk that takes no more."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bailee.journal.chain import file_name
from bailee.journal.entry import Intent, Outcome, decode
from bailee.journal.finding import Kind
from bailee.journal.verify import verify
from bailee.journal.writer import Journal
from journal_support import (
    JournalChain,
    MemoryRegister,
    intent,
    only_file,
    outcome,
    read_blocks,
    read_lines,
    write_blocks,
    write_calls,
    write_lines,
)

CHILD = Path(__file__).with_name("writing_child.py")
TESTS = Path(__file__).parents[2]


def start_child(what: str, directory: Path, rows: Path) -> subprocess.Popen[bytes]:
    path = os.pathsep.join([str(TESTS.parent / "src"), str(TESTS)])
    return subprocess.Popen(
        [sys.executable, str(CHILD), what, str(directory), str(rows)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path},
    )


def read_rows(text: bytes) -> list[JournalChain]:
    """Read the child's register; half a row at the end was never acknowledged to it."""
    chains: dict[str, JournalChain] = {}
    for line in text.split(b"\n")[:-1]:
        what, chain, *row = json.loads(line)
        if what == "register":
            chains[chain] = JournalChain(chain, *row)
        else:
            seq, digest, at = row
            chains[chain] = replace(chains[chain], head_seq=seq, head_hash=digest, head_at=at)
            if what == "close":
                chains[chain] = replace(chains[chain], closed_at=at)
    return list(chains.values())


def entries(directory: Path, chains: list[JournalChain]) -> list[object]:
    paths = [directory / file_name(chain.id) for chain in chains]
    return [decode(line) for path in paths if path.exists() for line in read_lines(path)]


@pytest.mark.parametrize("acknowledged", [1, 50, 333, 1000])
def test_a_killed_writer_leaves_a_journal_that_verifies(tmp_path: Path, acknowledged: int) -> None:
    """R45: after kill -9 no finding, at most half a last block, and every acknowledged intent."""
    directory, rows = tmp_path / "journal", tmp_path / "rows"
    child = start_child("kill", directory, rows)
    assert child.stdout is not None
    for _ in range(acknowledged):
        assert child.stdout.readline()
    child.send_signal(signal.SIGKILL)
    said = acknowledged + child.stdout.read().count(b"\n")
    child.communicate()
    chains = read_rows(rows.read_bytes())
    report = verify(directory, chains, [], lambda signed: signed.payload)
    assert report.findings == ()
    assert {finding.kind for finding in report.notices} <= {
        Kind.NO_END,
        Kind.NO_OUTCOME,
        Kind.REMNANT,
        Kind.NEVER_BEGUN,
    }
    intents = [entry.call for entry in entries(directory, chains) if isinstance(entry, Intent)]
    assert intents[:said] == [f"call{number}" for number in range(1, said + 1)]
    assert len(intents) <= said + 4, "no more than the last block was not acknowledged"

    before = {path: path.read_bytes() for path in directory.iterdir()}
    journal = Journal.open(directory, "gateway", MemoryRegister())
    journal.intend(intent(1))
    journal.close()
    assert all(path.read_bytes() == content for path, content in before.items())
    assert len(list(directory.iterdir())) == len(before) + 1


def test_half_a_last_line_is_a_remnant_only_after_the_head(tmp_path: Path) -> None:
    """Cut within the last line at each byte: a notice after the stored head, a finding before."""
    register = MemoryRegister()
    journal = Journal.open(tmp_path, "gateway", register)
    write_calls(journal, 2)
    path = only_file(tmp_path)
    journal.store_head()
    (known,) = register.all()
    journal.intend(intent(9))
    whole, size = path.read_bytes(), 0
    for block in read_blocks(path)[:-1]:
        size += len(block)
    for end in range(size + 1, len(whole)):
        path.write_bytes(whole[:end])
        report = verify(tmp_path, [known], [], lambda signed: signed.payload)
        assert report.findings == ()
        assert Kind.REMNANT in {finding.kind for finding in report.notices}
        path.write_bytes(whole[: end - len(whole) + size])
        report = verify(tmp_path, [known], [], lambda signed: signed.payload)
        assert [finding.kind for finding in report.findings] == [Kind.CUT]
    path.write_bytes(whole)
    journal.close()


def test_half_a_last_block_is_a_remnant_only_after_the_head(tmp_path: Path) -> None:
    """Cut at each line of the last block: a notice after the stored head, a finding before."""
    register = MemoryRegister()
    journal = Journal.open(tmp_path, "gateway", register)
    write_blocks(journal, 3)
    path = only_file(tmp_path)
    journal.store_head()
    (before,) = register.all()
    journal.outcome(outcome(0))
    journal.intend(intent(7), intent(8), intent(9))
    journal.store_head()
    (after,) = register.all()
    lines = read_lines(path)
    assert (before.head_seq, after.head_seq, len(lines)) == (7, 11, 11)
    for kept in (8, 9, 10):
        write_lines(path, lines[:kept])
        report = verify(tmp_path, [before], [], lambda signed: signed.payload)
        assert report.findings == ()
        assert [(f.kind, f.line) for f in report.notices] == [
            (Kind.REMNANT, 8),
            (Kind.NO_END, None),
        ]
        report = verify(tmp_path, [after], [], lambda signed: signed.payload)
        assert [(f.kind, f.line) for f in report.findings] == [(Kind.CUT, kept)]
    write_lines(path, lines)
    journal.close()


def test_a_file_that_can_not_grow_refuses_intents_until_a_new_chain_is_begun(
    tmp_path: Path,
) -> None:
    """R42: after a short write nothing half is left, all intents are refused, then a new chain."""
    directory = tmp_path / "journal"
    child = start_child("limit", directory, Path("/dev/stderr"))
    out, rows = child.communicate(timeout=60)
    assert child.returncode == 0, rows
    *said, refused, one, two, three, last = out.decode().splitlines()
    assert refused == f"refused {1000 - len(said)}"
    assert len(said) > 20
    assert [one, two, three, last] == ["not begun"] * 3 + ["call5000"]

    chains = read_rows(rows)
    assert len(chains) == 2, "one id was reserved and used again, whatever often it failed"
    first, second = (directory / file_name(chain.id) for chain in chains)
    assert first.read_bytes().endswith(b"\n")
    assert first.stat().st_size <= 40_000
    report = verify(directory, chains, [], lambda signed: signed.payload)
    assert report.findings == ()
    assert [(f.kind, f.chain) for f in report.notices] == [(Kind.NO_END, chains[0].id)]
    assert second.exists()
    written = entries(directory, chains)
    intents = [entry.call for entry in written if isinstance(entry, Intent)]
    outcomes = [entry.call for entry in written if isinstance(entry, Outcome)]
    assert intents == [*said, "call5000"]
    assert outcomes == intents, "no outcome was lost: they went into the new chain"
