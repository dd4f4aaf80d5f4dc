"""Tampering with real files, with the store's heads, and with checkpoints."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bailee.errors import TrustBroken
from bailee.journal.checkpoint import checkpoint_payload
from bailee.journal.finding import Kind, Report
from bailee.journal.verify import journal_files, verify
from bailee.journal.writer import Journal
from bailee.model import Signed
from journal_support import (
    JournalChain,
    MemoryRegister,
    intent,
    outcome,
    read_blocks,
    read_lines,
    rehash,
    write_blocks,
    write_lines,
)


class World:
    """A journal of two chains, closed in order, with one signed checkpoint over both.

    The lines of each block: 1, 2-3, 4-8, 9-11, 12.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.register = MemoryRegister()
        self.key = Ed25519PrivateKey.generate()
        for role in ("gateway", "keeper"):
            journal = Journal.open(directory, role, self.register)
            write_blocks(journal, 2, 3)
            journal.close()
        self.checkpoints = [self.sign()]
        self.chain = next(c.id for c in self.register.all() if c.role == "gateway")
        self.path = directory / f"{self.chain}.jsonl"

    def sign(self) -> Signed:
        payload = checkpoint_payload(self.register.heads(), 5.0)
        return Signed(payload, self.key.sign(payload))

    def check(self, signed: Signed) -> bytes:
        try:
            self.key.public_key().verify(signed.signature, signed.payload)
        except InvalidSignature as error:
            raise TrustBroken("the checkpoint's signature is wrong") from error
        return signed.payload

    def verify(self) -> Report:
        return verify(self.directory, self.register.all(), self.checkpoints, self.check)

    def kinds(self) -> set[Kind]:
        return {finding.kind for finding in self.verify().findings}

    def change_row(self, change: Callable[[JournalChain], JournalChain]) -> None:
        self.register.chains[self.chain] = change(self.register.chains[self.chain])

    def edit(self) -> None:
        self.path.write_bytes(self.path.read_bytes().replace(b"/v1/balance", b"/v1/other", 1))

    def adopt_heads(self) -> None:
        """Do what the database's owner does: store the head of the file as it is now."""
        lines = read_lines(self.path)
        self.change_row(
            lambda row: replace(row, head_seq=len(lines), head_hash=lines[-1][-66:-2].decode())
        )


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "journal")


def test_an_untouched_journal_is_sound(world: World) -> None:
    """Nothing is found, not even a notice, where all chains were closed in order."""
    report = world.verify()
    assert (report.findings, report.notices) == ((), ())
    assert (report.chains, report.lines, report.checkpoints, report.sound) == (2, 24, 1, True)


def test_an_edited_line_is_found_with_its_place(world: World) -> None:
    """The finding names chain and line and says what to do."""
    world.edit()
    (finding,) = world.verify().findings
    assert (finding.kind, finding.chain, finding.line) == (Kind.EDITED, world.chain, 2)
    assert finding.advice
    assert str(finding).startswith(f"edited: {world.chain}, line 2: lines 2 to 3: ")


def test_deleted_swapped_and_cut_lines_are_found(world: World) -> None:
    """Blocks and lines of them, each under its own name, on a real file."""
    start, one, two, *rest = read_blocks(world.path)
    world.path.write_bytes(b"".join([start, two, *rest]))
    assert world.kinds() == {Kind.DELETED}
    world.path.write_bytes(b"".join([start, two, one, *rest]))
    assert world.kinds() == {Kind.SWAPPED}
    world.path.write_bytes(b"".join([start, one, two, *rest]))
    lines = read_lines(world.path)
    write_lines(world.path, [*lines[:4], *lines[5:]])
    assert world.kinds() == {Kind.DELETED}
    write_lines(world.path, [*lines[:4], lines[5], lines[4], *lines[6:]])
    assert world.kinds() == {Kind.EDITED}
    write_lines(world.path, lines[:-3])
    assert world.kinds() == {Kind.CUT, Kind.HEAD}
    write_lines(world.path, [])
    assert world.kinds() == {Kind.CUT, Kind.HEAD}


def test_a_missing_file_and_a_strange_one_are_found(world: World) -> None:
    """A chain without its file, and a file without its chain."""
    world.path.rename(world.path.with_name("gateway-other.jsonl"))
    findings = world.verify().findings
    assert [finding.kind for finding in findings] == [Kind.MISSING, Kind.UNREGISTERED]


def test_a_strange_files_name_can_not_inject_into_the_report(world: World) -> None:
    """R44: a name with a line end and an escape is shown escaped."""
    (world.directory / "a\nb\x1b[2J.jsonl").write_text("")
    (finding,) = world.verify().findings
    assert finding.kind is Kind.UNREGISTERED
    assert finding.chain.isascii()
    assert finding.chain.isprintable()


def test_an_edit_with_all_hashes_made_anew_is_found_by_the_stored_head(world: World) -> None:
    """R43: the chain is consistent in itself, and is not the one that the store knows."""
    world.checkpoints = []
    world.edit()
    rehash(world.path)
    assert world.kinds() == {Kind.HEAD}


def test_other_blocks_with_all_hashes_made_anew_are_found_by_the_stored_head(
    world: World,
) -> None:
    """R43: whoever cuts the lines into other blocks can't step over the head that is known."""
    world.checkpoints = []
    journal = Journal.open(world.directory, "gateway", world.register)
    write_blocks(journal, 2)
    journal.store_head()
    known = journal.head()
    write_blocks(journal, 2, first=2)
    path = world.directory / f"{known.chain}.jsonl"
    rehash(path)
    assert world.kinds() == set(), "made anew as it was, it is as it was"
    rehash(path, one_block=True)
    (finding,) = world.verify().findings
    assert (finding.kind, finding.chain, finding.line) == (Kind.HEAD, known.chain, known.seq)
    journal.close()


def test_a_deletion_with_all_hashes_made_anew_is_found_by_the_stored_head(world: World) -> None:
    """R43: the chain got shorter than the store knows."""
    world.checkpoints = []
    lines = read_lines(world.path)
    write_lines(world.path, [*lines[:3], *lines[5:]])
    rehash(world.path)
    assert Kind.CUT in world.kinds()


def test_an_edit_with_rewritten_heads_is_found_by_the_checkpoint(world: World) -> None:
    """R43: whoever rewrites file and database alike lacks the authority's key."""
    world.edit()
    rehash(world.path)
    world.adopt_heads()
    assert world.kinds() == {Kind.CHECKPOINT}
    world.checkpoints = []
    assert world.kinds() == set(), "without a checkpoint nothing would tell"


def test_a_cut_with_rewritten_heads_is_found_by_the_checkpoint(world: World) -> None:
    """R43: the tail was cut and the stored head moved back."""
    write_lines(world.path, read_lines(world.path)[:-4])
    world.adopt_heads()
    assert {Kind.CUT, Kind.HEAD} <= world.kinds()


def test_a_chain_removed_from_disk_and_store_is_found_by_the_checkpoint(world: World) -> None:
    """R43: the checkpoint still names it."""
    world.path.unlink()
    del world.register.chains[world.chain]
    assert world.kinds() == {Kind.MISSING}


def test_a_forged_checkpoint_is_found(world: World) -> None:
    """A payload that was changed after signing, and one that was signed but is no checkpoint."""
    good = world.checkpoints[0]
    forged = Signed(good.payload.replace(b'"at":5.0', b'"at":6.0'), good.signature)
    other = Signed(b"{}", world.key.sign(b"{}"))
    world.checkpoints = [good, forged, other]
    findings = world.verify().findings
    assert [(f.kind, f.chain) for f in findings] == [
        (Kind.SIGNATURE, "checkpoint 2"),
        (Kind.SIGNATURE, "checkpoint 3"),
    ]


def test_a_wrong_head_in_the_store_is_found(world: World) -> None:
    """The file is right and the row is not."""
    world.change_row(lambda row: replace(row, head_hash="0" * 64))
    assert world.kinds() == {Kind.HEAD}


def test_a_row_with_an_impossible_id_opens_no_other_file(world: World) -> None:
    """A row can't lead out of the journal's directory."""
    (world.directory.parent / "outside.jsonl").write_text("{}\n")
    world.register.chains["x"] = JournalChain("../outside", "gateway", "x", 1.0, 1, "0" * 64)
    (finding,) = world.verify().findings
    assert (finding.kind, finding.line) == (Kind.MISSING, None)


def test_heads_put_back_to_an_earlier_state_are_found_by_the_checkpoint(world: World) -> None:
    """R43: the files are whole, and the store knows less than was signed."""
    line = read_lines(world.path)[2]
    world.change_row(
        lambda row: replace(row, head_seq=3, head_hash=line[-66:-2].decode(), closed_at=None)
    )
    assert world.kinds() == {Kind.HEAD}


def test_lines_behind_the_end_of_a_closed_chain_are_found(world: World) -> None:
    """A chain that was closed takes no more lines."""
    lines = read_lines(world.path)
    write_lines(world.path, [*lines, lines[1]])
    assert world.kinds() & {Kind.SURPLUS, Kind.EDITED}


def test_a_line_without_end_is_read_in_bounded_pieces(world: World) -> None:
    """A line of 3 MB is one finding, and what follows is still judged."""
    lines = read_lines(world.path)
    write_lines(world.path, [*lines[:3], b"x" * 3_000_000, *lines[4:]])
    assert [(f.kind, f.line) for f in world.verify().findings] == [(Kind.EDITED, 4)]
    write_lines(world.path, [*lines[:3], b"x" * 3_000_000, *lines[4:8], *lines[9:]])
    found = [(f.kind, f.line) for f in world.verify().findings]
    assert found == [(Kind.EDITED, 4), (Kind.DELETED, 9)]


def test_an_open_chain_gives_notices_and_no_findings(world: World) -> None:
    """A running process, or one that was killed: no end record, calls without an outcome."""
    journal = Journal.open(world.directory, "gateway", world.register)
    journal.intend(intent(100))
    journal.intend(intent(101))
    journal.outcome(outcome(100))
    journal.flush()
    journal.store_head()
    report = world.verify()
    assert report.sound
    assert [(f.kind, f.detail) for f in report.notices] == [
        (Kind.NO_END, "it has no end record"),
        (Kind.NO_OUTCOME, "1 intents have no outcome"),
    ]
    journal.close()


def test_an_outcome_in_the_next_chain_counts(tmp_path: Path) -> None:
    """A call whose intent stands in a full chain and its outcome in the next one is complete."""
    register = MemoryRegister()
    journal = Journal.open(tmp_path, "gateway", register, rotate_bytes=1024)
    journal.intend(intent(1))
    journal.intend(intent(2))
    journal.store_head()
    journal.outcome(outcome(1))
    journal.intend(intent(3))
    journal.outcome(outcome(2))
    journal.outcome(outcome(3))
    journal.close()
    assert len(register.chains) == 2
    report = verify(tmp_path, register.all(), [], lambda signed: signed.payload)
    assert (report.findings, report.notices) == ((), ())


def test_a_chain_that_never_began_is_a_notice(world: World) -> None:
    """The process died between the row and the file."""
    world.register.register("gateway-x", "gateway", "gateway-x.jsonl", 2e9)
    report = world.verify()
    assert report.sound
    assert [finding.kind for finding in report.notices] == [Kind.NEVER_BEGUN]


def test_a_chain_begun_while_verifying_is_no_strange_file(world: World) -> None:
    """With the files listed first, a chain that was begun in between is not reported."""
    files = journal_files(world.directory)
    chains = world.register.all()
    journal = Journal.open(world.directory, "gateway", world.register)
    report = verify(world.directory, chains, [], world.check, files=files)
    assert report.sound
    journal.close()
