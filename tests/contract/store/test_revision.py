"""Whoever changes a row that the gateway relies on, every worker notices."""

import pytest
import sqlalchemy as sa

from bailee.model import ProviderId
from bailee.store import providers, revision
from bailee.store.engine import Store
from bailee.store.lookup import CallLookup
from bailee.store.schema import REVISED_TABLES
from contract.store.rows import INSERTS, NOW, seed


def now_at(store: Store) -> int:
    """The revision at this moment."""
    with store.read() as conn:
        return revision.current(conn)


def test_every_insert_bumps(store: Store) -> None:
    """An insert into each revised table bumps the revision."""
    for table, insert in INSERTS.items():
        before = now_at(store)
        with store.write() as conn:
            insert(conn)
        assert (now_at(store) > before) is (table in REVISED_TABLES), table


@pytest.mark.parametrize("table", REVISED_TABLES)
def test_raw_update_bumps(store: Store, lookup: CallLookup, table: str) -> None:
    """Raw SQL that updates a row is noticed, also by the gateway's open reads."""
    with store.write() as conn:
        seed(conn)
    before = lookup.revision()
    with store.write() as conn:
        column = conn.execute(sa.text(f"SELECT * FROM {table}")).keys()
        name = next(iter(column))
        conn.execute(sa.text(f"UPDATE {table} SET {name} = {name}"))
    assert lookup.revision() > before


def test_raw_delete_bumps(store: Store) -> None:
    """Raw SQL that deletes a row is noticed."""
    with store.write() as conn:
        seed(conn)
    for table in reversed([table for table in INSERTS if table in REVISED_TABLES]):
        before = now_at(store)
        with store.write() as conn:
            conn.execute(sa.text(f"DELETE FROM {table}"))
        assert now_at(store) > before, table


def test_what_no_call_needs_does_not_bump(store: Store) -> None:
    """Jobs, chains and proposals change often, and no worker need look for that."""
    with store.write() as conn:
        seed(conn)
    before = now_at(store)
    with store.write() as conn:
        conn.execute(sa.text("UPDATE jobs SET state = 'running'"))
        conn.execute(sa.text("UPDATE journal_chains SET head_seq = 5"))
        providers.propose(conn, providers.StoredProposal(ProviderId("b"), b"{}", NOW))
    assert now_at(store) == before
