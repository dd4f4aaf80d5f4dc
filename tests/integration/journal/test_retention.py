"""Which chains may go, on real files; and what `verify` says of those that went."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bailee.errors import JournalUnavailable, TrustBroken
from bailee.journal.chain import Head
from bailee.journal.checkpoint import checkpoint_payload
from bailee.journal.finding import Kind, Report
from bailee.journal.retention import outdated, remove_files, without_faults
from bailee.journal.verify import verify
from bailee.journal.writer import Journal
from bailee.model import Signed
from journal_support import JournalChain, MemoryRegister, intent, write_blocks

NOW = 10_000.0
BEFORE = 5_000.0


class World:
    """A journal with an old chain and a new one, both closed, under one signed checkpoint."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.register = MemoryRegister()
        self.key = Ed25519PrivateKey.generate()
        self.old = self.write(1_000.0)
        self.new = self.write(9_000.0)
        self.checkpoints = [self.sign(checkpoint_payload(self.register.heads(), NOW))]

    def write(self, at: float, *, close: bool = True) -> str:
        """Write a chain at a time and return its id."""
        journal = Journal.open(self.directory, "gateway", self.register, clock=lambda: at)
        write_blocks(journal, 2, 3)
        journal.store_head()
        chain = journal.head().chain
        if close:
            journal.close()
            os.utime(self.path(chain), (at, at))
        return chain

    def path(self, chain: str) -> Path:
        return self.directory / f"{chain}.jsonl"

    def sign(self, payload: bytes) -> Signed:
        return Signed(payload, self.key.sign(payload))

    def check(self, signed: Signed) -> bytes:
        try:
            self.key.public_key().verify(signed.signature, signed.payload)
        except InvalidSignature as error:
            raise TrustBroken("the checkpoint's signature is wrong") from error
        return signed.payload

    def outdated(self) -> dict[str, Head]:
        return outdated(self.directory, self.register.all(), BEFORE)

    def good(self, *chains: str) -> set[str]:
        asked = [chain for chain in self.register.all() if chain.id in chains]
        return without_faults(self.directory, asked, self.checkpoints, self.check)

    def attest(self, *removed: Head) -> None:
        self.checkpoints.append(self.sign(checkpoint_payload((), NOW, removed)))

    def verify(self) -> Report:
        return verify(self.directory, self.register.all(), self.checkpoints, self.check)

    def kinds(self) -> set[Kind]:
        return {finding.kind for finding in self.verify().findings}

    def change_row(self, chain: str, change: Callable[[JournalChain], JournalChain]) -> None:
        self.register.chains[chain] = change(self.register.chains[chain])


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "journal")


def head_of(world: World, chain: str) -> Head:
    row = world.register.chains[chain]
    return Head(chain, row.head_seq or 0, row.head_hash or "")


def test_the_old_chain_may_go_and_the_new_one_may_not(world: World) -> None:
    """What is told is where the file ends."""
    assert world.outdated() == {world.old: head_of(world, world.old)}
    assert world.good(world.old, world.new) == {world.old, world.new}


def test_a_file_that_was_touched_is_not_old(world: World) -> None:
    """Somebody did something with it lately."""
    os.utime(world.path(world.old))
    assert world.outdated() == {}


def test_the_database_can_not_make_a_chain_old(world: World) -> None:
    """Its last line says when it ended, whatever the rows say."""
    world.change_row(
        world.new, lambda row: replace(row, started_at=1.0, head_at=2.0, closed_at=3.0)
    )
    os.utime(world.path(world.new), (1.0, 1.0))
    assert world.new not in world.outdated()


def test_a_chain_in_use_never_goes(world: World) -> None:
    """A process that was silent for long still writes to its chain when it says something."""
    journal = Journal.open(world.directory, "admin", world.register, clock=lambda: 1_000.0)
    quiet = journal.head().chain
    os.utime(world.path(quiet), (1_000.0, 1_000.0))
    assert quiet not in world.outdated()
    journal.close()
    os.utime(world.path(quiet), (1_000.0, 1_000.0))
    assert quiet in world.outdated()


def test_a_chain_whose_process_was_killed_may_go(world: World) -> None:
    """It has no end record and never will; half a block at its end is no fault."""
    chain = world.write(2_000.0)
    path = world.path(chain)
    blocks = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(blocks[:-1]) + b'{"type":"outc')
    os.utime(path, (2_000.0, 2_000.0))
    world.change_row(
        chain, lambda row: replace(row, closed_at=None, head_seq=len(blocks) - 1,
                                   head_hash=blocks[-2][-67:-3].decode()),
    )  # fmt: skip
    last = world.outdated()[chain]
    assert (last.seq, last.hash) == (len(blocks) - 1, blocks[-2][-67:-3].decode())
    assert world.good(chain) == {chain}


def edit(world: World) -> None:
    path = world.path(world.old)
    path.write_bytes(path.read_bytes().replace(b"/v1/balance", b"/v1/other", 1))


def cut(world: World) -> None:
    path = world.path(world.old)
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:3]))


def another_head(world: World) -> None:
    world.change_row(world.old, lambda row: replace(row, head_hash="0" * 64))


@pytest.mark.parametrize("change", [edit, cut, another_head])
def test_a_chain_with_a_fault_stays(world: World, change: Callable[[World], None]) -> None:
    """It is evidence; the others may go."""
    change(world)
    assert world.good(world.old, world.new) == {world.new}


def test_a_foreign_checkpoint_keeps_everything(world: World) -> None:
    """While something is wrong with the database nothing is thrown away."""
    payload = checkpoint_payload((), NOW)
    world.checkpoints.append(Signed(payload, bytes(64)))
    assert world.good(world.old, world.new) == set()


def test_a_link_in_the_place_of_a_chain_stays(world: World, tmp_path: Path) -> None:
    """It is not looked at, and so not removed; a directory is not either."""
    target = tmp_path / "target"
    world.path(world.old).rename(target)
    world.path(world.old).symlink_to(target)
    world.path(world.new).unlink()
    world.path(world.new).mkdir()
    assert world.outdated() == {}


def test_an_attested_removal_leaves_a_sound_journal(world: World) -> None:
    """Before the file is gone, after, and when it was attested twice."""
    last = world.outdated()[world.old]
    world.attest(last)
    assert world.verify().removed == 0
    assert world.kinds() == set()
    remove_files(world.directory, [world.old])
    world.attest(last)
    report = world.verify()
    assert (report.findings, report.notices) == ((), ())
    assert (report.chains, report.removed, report.lines) == (2, 1, 12)
    assert world.outdated() == {}


def test_a_removal_that_nobody_attested_is_found(world: World) -> None:
    """Another chain's statement does not cover it, nor one that the authority did not sign."""
    last = world.outdated()[world.old]
    remove_files(world.directory, [world.old])
    assert world.kinds() == {Kind.MISSING}
    world.attest(head_of(world, world.new))
    assert world.kinds() == {Kind.MISSING}
    forged = Signed(checkpoint_payload((), NOW, [last]), bytes(64))
    world.checkpoints.append(forged)
    assert world.kinds() == {Kind.MISSING, Kind.SIGNATURE}


def test_a_removal_of_another_file_is_found(world: World) -> None:
    """What was removed must have been what the store and the checkpoints know."""
    last = world.outdated()[world.old]
    remove_files(world.directory, [world.old])
    signed = world.checkpoints[:1]
    for wrong, kinds in (
        (replace(last, hash="0" * 64), {Kind.HEAD, Kind.CHECKPOINT}),
        (replace(last, seq=last.seq - 1), {Kind.MISSING}),
    ):
        world.checkpoints = list(signed)
        world.attest(wrong)
        assert world.kinds() == kinds


def test_lines_that_the_store_learned_after_the_removal_are_found(world: World) -> None:
    """A row that names more lines than were removed is not covered by the statement."""
    world.attest(world.outdated()[world.old])
    remove_files(world.directory, [world.old])
    world.change_row(world.old, lambda row: replace(row, head_seq=99, head_hash="0" * 64))
    assert world.kinds() == {Kind.MISSING}


def test_a_file_that_can_not_be_removed_is_told(world: World) -> None:
    """The next round tries again; one that is gone already is no fault."""
    remove_files(world.directory, [world.old, "gateway-absent"])
    path = world.path("gateway-directory")
    path.mkdir()
    with pytest.raises(JournalUnavailable, match="can't be removed"):
        remove_files(world.directory, ["gateway-directory"])


def test_the_journal_goes_on_after_a_removal(world: World) -> None:
    """Chains that are in use take lines as before."""
    journal = Journal.open(world.directory, "gateway", world.register, clock=lambda: NOW)
    world.attest(world.outdated()[world.old])
    remove_files(world.directory, [world.old])
    journal.intend(intent(1))
    journal.close()
    assert world.kinds() == set()
