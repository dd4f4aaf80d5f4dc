"""What of a change stands in the journal."""

import json
import threading
from pathlib import Path

import pytest

from bailee.admin.changes import Actor, Changes
from bailee.errors import Conflict, JournalUnavailable
from bailee.journal.entry import Event, decode
from bailee.journal.writer import Journal
from bailee.model import Role, TenantId, TokenId
from bailee.policy.token import format_token
from journal_support import MemoryRegister, only_file, read_lines

OPERATOR = Actor(TokenId("tok_a"), TenantId("default"), Role.OPERATOR)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal.open(tmp_path / "journal", "admin", MemoryRegister(), clock=lambda: 1000.0)


@pytest.fixture
def changes(journal: Journal) -> Changes:
    return Changes(journal, lambda: 1000.0)


def events(directory: Path) -> list[Event]:
    entries = [decode(line) for line in read_lines(only_file(directory / "journal"))]
    return [entry for entry in entries if isinstance(entry, Event)]


def test_two_lines_when_change_is_made(changes: Changes, tmp_path: Path) -> None:
    """Asked before, done after, with the id that the change itself told."""
    with changes.change(OPERATOR, "caller.add", "app", provider="api") as change:
        (asked,) = events(tmp_path)
        change.target = "clr_a"
    _, done = events(tmp_path)
    assert (asked.target, asked.detail) == ("app", {"step": "asked", "provider": "api"})
    assert (done.target, done.detail) == ("clr_a", {"step": "done", "provider": "api"})
    assert (done.actor, done.tenant, done.kind) == ("tok_a", "default", "caller.add")


def test_refusal_when_change_is_refused(changes: Changes, tmp_path: Path) -> None:
    """The error goes on, and its code stands in the journal."""
    with pytest.raises(Conflict), changes.change(OPERATOR, "caller.add", "app"):
        raise Conflict
    assert events(tmp_path)[1].detail == {"step": "refused", "code": "conflict"}


def test_failure_when_change_breaks(changes: Changes, tmp_path: Path) -> None:
    """A fault of ours is told apart from a refusal."""
    with pytest.raises(ZeroDivisionError), changes.change(OPERATOR, "caller.add", "app"):
        raise ZeroDivisionError
    assert events(tmp_path)[1].detail == {"step": "failed"}


def test_nothing_when_journal_is_closed(changes: Changes, journal: Journal) -> None:
    """What can't be recorded is not begun."""
    journal.close()
    begun = False
    with pytest.raises(JournalUnavailable), changes.change(OPERATOR, "caller.add", "app"):
        begun = True
    assert not begun


def test_done_when_journal_closes_meanwhile(changes: Changes, journal: Journal) -> None:
    """A change that was made is not called a failure because its second line is missing."""
    with changes.change(OPERATOR, "caller.add", "app"):
        journal.close()


@pytest.mark.parametrize(
    "target", [format_token(b"x" * 32), "two words", "a\nb", "", "a" * 129, "-x"], ids=ascii
)
def test_target_left_out_when_it_is_no_name(changes: Changes, tmp_path: Path, target: str) -> None:
    """A token that was sent in the place of a name, and free text, stay out of the journal."""
    with changes.change(OPERATOR, "caller.revoke", target, egress=target):
        pass
    assert {(e.target, e.detail["egress"]) for e in events(tmp_path)} == {("", "")}


def test_whole_chain_when_threads_write_at_once(tmp_path: Path) -> None:
    """Routes run in threads; their lines follow one another in one chain.

    With `always` a write waits for the disk, and a second one would come in between.
    """
    journal = Journal.open(tmp_path / "journal", "admin", MemoryRegister(), sync="always")
    changes = Changes(journal, lambda: 1000.0)

    def change_often() -> None:
        for _ in range(10):
            with changes.change(OPERATOR, "caller.add", "app"):
                pass

    threads = [threading.Thread(target=change_often) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = read_lines(only_file(tmp_path / "journal"))
    assert [json.loads(line)["seq"] for line in lines] == list(range(1, 82))
