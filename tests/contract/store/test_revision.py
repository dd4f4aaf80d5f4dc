"""Whoever changes a row that the gateway relies on, every worker notices."""

from dataclasses import replace

import pytest
import sqlalchemy as sa

from bailee.model import CallerLimits, CallId, LockState, ProviderId
from bailee.store import callers, locks, nonces, once, providers, replays, revision, tokens
from bailee.store.engine import Store
from bailee.store.lookup import CallLookup
from bailee.store.schema import REVISED_TABLES
from contract.store.rows import CALLER, CONNECTION, INSERTS, LOCK, NOW, TENANT, seed, token


def now_at(store: Store) -> int:
    """The revision at this moment."""
    with store.read() as conn:
        return revision.current(conn)


def test_every_insert_bumps(store: Store) -> None:
    """An insert of what may have been asked for before bumps the revision: all but a token."""
    for table, insert in INSERTS.items():
        before = now_at(store)
        with store.write() as conn:
            insert(conn)
        assert (now_at(store) > before) is (table in {*REVISED_TABLES, "locks"}), table


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
    for table in reversed([table for table in INSERTS if table != "tenants"]):
        before = now_at(store)
        with store.write() as conn:
            conn.execute(sa.text(f"DELETE FROM {table}"))
        counts = table in {*REVISED_TABLES, "locks", "tokens"}
        assert (now_at(store) > before) is counts, table


def test_what_no_call_needs_does_not_bump(store: Store) -> None:
    """Jobs, chains, nonces and the like change often, and no worker need look for that."""
    with store.write() as conn:
        seed(conn)
    before = now_at(store)
    with store.write() as conn:
        conn.execute(sa.text("UPDATE jobs SET state = 'running'"))
        conn.execute(sa.text("UPDATE journal_chains SET head_seq = 5"))
        providers.propose(conn, providers.StoredProposal(ProviderId("b"), b"{}", NOW))
        nonces.lease(conn, CONNECTION, 1, 1000)
        replays.reserve(conn, TENANT, "tok_o", "other", bytes(32), NOW)
        once.claim(conn, TENANT, CALLER, bytes(32), CallId("a-2"), NOW)
        once.release(conn, TENANT, CALLER, bytes(32), CallId("a-2"))
        conn.execute(sa.text("UPDATE tenants SET name = 'x', probing = 'risky'"))
    assert now_at(store) == before


def test_a_gate_bumps_when_it_changes(store: Store) -> None:
    """A gate that is closed holds from the next look on."""
    with store.write() as conn:
        seed(conn)
    before = now_at(store)
    for gate, bumped in (("none", 0), ("enforced", 2), ("enforced", 2)):
        with store.write() as conn:
            conn.execute(sa.text(f"UPDATE tenants SET gate = '{gate}'"))
        assert now_at(store) == before + bumped


def test_a_lock_bumps_when_it_says_something_else(store: Store) -> None:
    """The same state measured again is no news, another state or version is."""
    with store.write() as conn:
        seed(conn)
    before = now_at(store)
    with store.write() as conn:
        locks.put(conn, replace(LOCK, checked_at=NOW + 1, reason="again"))
    assert now_at(store) == before
    with store.write() as conn:
        locks.put(conn, replace(LOCK, state=LockState.OPEN))
    assert now_at(store) == before + 1
    with store.write() as conn:
        conn.execute(sa.text("UPDATE locks SET version = 7"))
    assert now_at(store) == before + 2


def test_limits_of_a_caller_bump(store: Store) -> None:
    """Every worker reads anew what a caller may ask for."""
    with store.write() as conn:
        seed(conn)
    before = now_at(store)
    with store.write() as conn:
        assert callers.set_limits(conn, TENANT, CALLER, CallerLimits(20, 5))
    assert now_at(store) > before


@pytest.mark.parametrize("change", ["revoked_at = 1", "expires_at = 1", "caller_id = caller_id"])
def test_a_token_that_changes_bumps(store: Store, change: str) -> None:
    """A new token is nothing that a worker knew; one that changes may be."""
    with store.write() as conn:
        seed(conn)
    before = now_at(store)
    with store.write() as conn:
        tokens.insert(conn, token("tok_b"), b"b" * 32)
    assert now_at(store) == before
    with store.write() as conn:
        conn.execute(sa.text(f"UPDATE tokens SET {change} WHERE id = 'tok_b'"))
    assert now_at(store) == before + 1
