"""A subject is erased: the journal stays whole, and nothing that is stored says whose lines it has.

Over a real vault: the key under which a subject stands in the journal is gone from every file.
"""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from bailee.app.chains import StoreChains
from bailee.errors import NotFound, StoreUnavailable
from bailee.journal.entry import Intent, subject_hash
from bailee.journal.finding import Report
from bailee.journal.reading import JournalReader
from bailee.journal.verify import verify
from bailee.journal.writer import Journal
from bailee.manage.erasure import erase_subject
from bailee.model import DEFAULT_TENANT, Provider
from bailee.providers.load import parse_provider
from bailee.store import chains, schema
from house import House, build_house
from journal_support import intent, outcome

SUBJECT, OTHER = "user-4711", "user-4712"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A vault whose journal has a line of each of two subjects."""
    built = build_house(tmp_path / "vault")
    provider = make_provider()
    built.approve_provider(provider)
    for subject in (SUBJECT, OTHER):
        built.add_connection(provider, {"api_key": f"key of {subject}"}, subject=subject)
    directory = built.directory / "journal"
    journal = Journal.open(directory, "gateway", StoreChains(built.store))
    for number, (subject, key) in enumerate(sorted(journal_keys(built).items())):
        hashed = subject_hash(key, subject)
        journal.intend(intent_of(number, hashed))
        journal.outcome(outcome(number))
    journal.close()
    yield built
    built.store.close()


def make_provider() -> Provider:
    return parse_provider(
        'id = "api"\nname = "API"\n[origin.rest]\nurl = "https://api.test"\n[auth]\n'
        'scheme = "place"\nheader = "Authorization"\nvalue = "Bearer {api_key}"\n',
        lambda path: path,
    )


def intent_of(number: int, hashed: str) -> Intent:
    return msgspec.structs.replace(intent(number), subject=hashed)


def journal_keys(house: House) -> dict[str, bytes]:
    with house.store.read() as conn:
        rows = conn.execute(schema.subjects.select()).all()
    return {row.subject: row.journal_key for row in rows}


def report(house: House) -> Report:
    with house.store.read() as conn:
        known = chains.list_page(conn, after=None, limit=10)
    return verify(house.directory / "journal", known, [], lambda signed: signed.payload)


def hashes(house: House) -> list[str]:
    reader = JournalReader(house.directory / "journal")
    return [each.entry.subject for each in reader.poll() if isinstance(each.entry, Intent)]


def files_with(house: House, wanted: bytes) -> list[str]:
    """Name the vault's files that hold some bytes, the database's log and index included."""
    files = [path for path in house.directory.rglob("*") if path.is_file()]
    return sorted(path.name for path in files if wanted in path.read_bytes())


def test_journal_verifies_after_an_erasure(house: House) -> None:
    """No line changes, and what is recorded afterwards is chained as before."""
    before, lines = report(house), hashes(house)
    erased = erase_subject(house.store, DEFAULT_TENANT, SUBJECT)
    assert len(erased.connections) == 1
    assert report(house) == before
    assert before.sound
    assert hashes(house) == lines


def test_hash_can_not_be_made_again(house: House) -> None:
    """The key is in no file any more, nor the subject's name, nor its credential's version."""
    key = journal_keys(house)[SUBJECT]
    assert subject_hash(key, SUBJECT) in hashes(house)
    assert files_with(house, key)
    assert files_with(house, SUBJECT.encode())
    erase_subject(house.store, DEFAULT_TENANT, SUBJECT)
    assert files_with(house, key) == []
    assert files_with(house, SUBJECT.encode()) == []
    assert all(subject_hash(each, SUBJECT) not in hashes(house)
               for each in journal_keys(house).values())  # fmt: skip


def test_others_can_still_be_found(house: House) -> None:
    """One subject's erasure leaves the hashes of the others."""
    erase_subject(house.store, DEFAULT_TENANT, SUBJECT)
    (found,) = journal_keys(house).items()
    assert found[0] == OTHER
    assert subject_hash(found[1], OTHER) in hashes(house)


def test_subject_that_comes_back_is_somebody_else(house: House) -> None:
    """The same name gets another key: the old lines are not its lines."""
    lines = hashes(house)
    erase_subject(house.store, DEFAULT_TENANT, SUBJECT)
    house.add_connection(make_provider(), {"api_key": "new"}, subject=SUBJECT)
    assert subject_hash(journal_keys(house)[SUBJECT], SUBJECT) not in lines


def test_reader_that_holds_the_log_is_told(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows are gone at once; asking again when nobody reads any more empties the log."""
    monkeypatch.setattr("bailee.store.engine.BUSY_SECONDS", 0.1)
    key = journal_keys(house)[SUBJECT]
    with house.store.read() as conn:
        conn.execute(schema.subjects.select()).all()
        with pytest.raises(StoreUnavailable, match="still has a copy"):
            erase_subject(house.store, DEFAULT_TENANT, SUBJECT)
    assert list(journal_keys(house)) == [OTHER]
    assert files_with(house, key)
    with pytest.raises(NotFound):
        erase_subject(house.store, DEFAULT_TENANT, SUBJECT)
    assert files_with(house, key) == []
