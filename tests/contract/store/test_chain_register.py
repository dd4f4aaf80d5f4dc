"""The journal's side of the store: heads only advance, and a lost chain is a store that fails."""

from pathlib import Path

import pytest

from bailee.app.chains import StoreChains
from bailee.errors import StoreUnavailable
from bailee.journal.writer import Journal
from bailee.store import chains as rows
from bailee.store.chains import StoredChain
from bailee.store.engine import Store, migrate


@pytest.fixture
def opened(tmp_path: Path) -> Store:
    url = f"sqlite:///{tmp_path / 'bailee.db'}"
    migrate(url)
    return Store.open(url)


def known(store: Store) -> list[StoredChain]:
    with store.read() as conn:
        return rows.list_page(conn, after=None, limit=10)


def test_chain_when_journal_lives(opened: Store, tmp_path: Path) -> None:
    """A journal's chain is registered, its head stored, and its end noted."""
    journal = Journal.open(tmp_path / "journal", "keeper", StoreChains(opened))
    (chain,) = known(opened)
    assert (chain.role, chain.closed_at) == ("keeper", None)
    assert chain.head_seq == journal.head().seq
    journal.close()
    (closed,) = known(opened)
    assert closed.closed_at is not None
    assert (closed.head_seq, closed.head_hash) == (journal.head().seq, journal.head().hash)


def test_unavailable_when_chain_was_deleted(opened: Store) -> None:
    """Whoever deletes a living chain's row makes the register fail; nothing is made up."""
    register = StoreChains(opened)
    register.register("keeper-1", "keeper", "keeper-1.jsonl", 1.0)
    with opened.write() as conn:
        conn.exec_driver_sql("DELETE FROM journal_chains")
    for act in (register.store_head, register.close):
        with pytest.raises(StoreUnavailable, match="lost a chain"):
            act("keeper-1", 1, "a" * 64, 2.0)


def test_unavailable_when_chain_is_known(opened: Store) -> None:
    """An id that stands there already is not taken over."""
    register = StoreChains(opened)
    register.register("keeper-1", "keeper", "keeper-1.jsonl", 1.0)
    with pytest.raises(StoreUnavailable, match="already"):
        register.register("keeper-1", "gateway", "other.jsonl", 1.0)
    assert [chain.role for chain in known(opened)] == ["keeper"]
