"""Many connections end at once, and a subject without a trace."""

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bailee.model import (
    Caller,
    CallerId,
    ConnectionId,
    ConnectionState,
    GrantId,
    JobId,
    ProviderId,
    SealedCredential,
    TenantId,
    TokenId,
)
from bailee.secret import Secret
from bailee.store import (
    callers,
    connections,
    grants,
    jobs,
    locks,
    nonces,
    replays,
    revision,
    revoking,
    tokens,
)
from bailee.store.engine import Store, sqlite_path
from bailee.store.revoking import Erased
from bailee.store.scope import ALL_TENANTS, Scope
from contract.store import rows
from contract.store.conftest import Backend
from contract.store.rows import CALLER, CONNECTION, NOW, OTHER, PROVIDER, TENANT

ALICE = "alice Zoë"
KRAKEN = ProviderId("kraken")
MINE = {
    "a" * 26: (ALICE, PROVIDER),
    "b" * 26: (ALICE, KRAKEN),
    "d" * 26: ("bob", PROVIDER),
}
THEIRS = {"e" * 26: (ALICE, PROVIDER), "f" * 26: ("bob", KRAKEN)}
THEIR_CALLER = CallerId("clr_b")


@pytest.fixture
def peopled(store: Store) -> Store:
    """Two tenants with subjects, providers and callers of the same names."""
    with store.write() as conn:
        rows.seed(conn)
        callers.insert(conn, Caller(THEIR_CALLER, OTHER, "app"), NOW)
        for tenant, caller, doors in ((TENANT, CALLER, MINE), (OTHER, THEIR_CALLER, THEIRS)):
            for subject in (ALICE, "bob"):
                connections.insert_subject(conn, tenant, subject, Secret(bytes(32)))
            for name, (subject, provider) in doors.items():
                _connect(conn, tenant, caller, name, subject, provider)
            blank = replace(rows.GRANT, caller=caller, connection=None)
            over = replace(blank, id=GrantId(f"grt_s_{tenant}"), subject=ALICE)
            grants.insert(conn, tenant, over, NOW)
            over = replace(blank, id=GrantId(f"grt_p_{tenant}"), provider=PROVIDER)
            grants.insert(conn, tenant, over, NOW)
            bound = replace(
                rows.token(f"tok_s_{tenant}", caller),
                tenant=tenant,
                parent=TokenId("tok_a"),
                subject=ALICE,
            )
            tokens.insert(conn, bound, tenant[0].upper().encode() * 32)
    return store


def _connect(
    conn: sa.Connection,
    tenant: TenantId,
    caller: CallerId,
    name: str,
    subject: str,
    provider: ProviderId,
) -> None:
    door = replace(rows.connection(name, tenant), subject=subject, provider=provider)
    connections.insert(conn, door)
    connections.insert_sealed(
        conn, SealedCredential(door.id, 1, "key_a", rows.TRUST, b"x" * 60), NOW
    )
    over = replace(rows.GRANT, id=GrantId(f"grt_{name[0]}_"), caller=caller, connection=door.id)
    grants.insert(conn, tenant, over, NOW)
    bound = replace(
        rows.token(f"tok_{name[0]}_", caller),
        tenant=tenant,
        parent=TokenId("tok_a"),
        connection=door.id,
    )
    tokens.insert(conn, bound, name[0].encode() * 31 + b"_")
    locks.put(conn, replace(rows.LOCK, connection=door.id, tenant=tenant))
    nonces.lease(conn, door.id, 5, 5)


def active(store: Store) -> set[str]:
    """The first letters of the connections that are active."""
    with store.read() as conn:
        found = connections.list_page(
            conn, ALL_TENANTS, state=ConnectionState.ACTIVE, after=None, limit=99
        )
    return {each.id[0] for each in found}


@pytest.mark.parametrize(
    ("scope", "filters", "gone"),
    [
        (TENANT, {}, "abcd"),
        (OTHER, {}, "ef"),
        (ALL_TENANTS, {}, "abcdef"),
        (TENANT, {"provider": PROVIDER}, "acd"),
        (TENANT, {"subject": ALICE}, "ab"),
        (TENANT, {"subject": ALICE, "provider": KRAKEN}, "b"),
        (ALL_TENANTS, {"provider": KRAKEN}, "bf"),
        (ALL_TENANTS, {"subject": ALICE}, "abe"),
        (TENANT, {"connection": ConnectionId("e" * 26)}, ""),
        (TENANT, {"subject": "absent"}, ""),
        (TenantId("absent"), {}, ""),
    ],
)
def test_what_fits_is_revoked(
    peopled: Store, scope: Scope, filters: dict[str, Any], gone: str
) -> None:
    """All that fits is revoked, in the scope alone, and told with whom it concerns."""
    with peopled.write() as conn:
        before = revision.current(conn)
        revoked = revoking.revoke_many(conn, scope, NOW + 1, **filters)
        assert (revision.current(conn) > before) is bool(gone)
    assert "".join(each.connection[0] for each in revoked) == gone
    for each in revoked:
        known = {**MINE, **THEIRS, CONNECTION: (rows.SUBJECT, PROVIDER)}[each.connection]
        assert (each.subject, each.provider) == known
        assert each.tenant == (OTHER if each.connection in THEIRS else TENANT)
    assert active(peopled) == set("abcdef") - set(gone)


def test_credentials_grants_and_tokens_go_along(peopled: Store) -> None:
    """What names a revoked connection is gone or revoked; what is wider stays for later."""
    with peopled.write() as conn:
        revoking.revoke_many(conn, TENANT, NOW + 1, subject=ALICE)
        sealed = conn.execute(sa.text("SELECT connection_id FROM sealed_versions")).scalars()
        assert sorted(each[0] for each in sealed) == ["c", "d", "e", "f"]
        for table in ("grants", "tokens"):
            ended = conn.execute(sa.text(f"SELECT connection_id FROM {table} WHERE revoked_at > 0"))
            assert sorted(each[0] for each in ended.scalars()) == ["a", "b"], table
        kept = grants.find(conn, TENANT, GrantId("grt_s_default"))
        assert kept is not None
        assert kept.revoked_at is None


def test_a_second_time_changes_nothing(peopled: Store) -> None:
    """What was revoked keeps its time, and nobody is told again."""
    with peopled.write() as conn:
        revoking.revoke_many(conn, TENANT, NOW + 1)
        before = revision.current(conn)
        assert revoking.revoke_many(conn, TENANT, NOW + 9) == []
        assert revision.current(conn) == before
        found = connections.list_page(conn, TENANT, revoked_since=NOW + 1, after=None, limit=9)
        assert {each.revoked_at for each in found} == {NOW + 1}
        assert len(found) == 4
        assert connections.list_page(conn, TENANT, revoked_since=NOW + 2, after=None, limit=9) == []


def test_a_subject_is_erased_from_its_tenant_alone(peopled: Store) -> None:
    """All that is bound to it is gone; the other tenant's subject of that name has all of it."""
    with peopled.write() as conn:
        before = revision.current(conn)
        erased = revoking.erase_subject(conn, TENANT, ALICE)
        assert revision.current(conn) > before
    assert erased == Erased(
        TENANT, (ConnectionId("a" * 26), ConnectionId("b" * 26)), grants=3, tokens=3
    )
    assert active(peopled) == set("cdef")
    with peopled.write() as conn:
        assert connections.subject_key(conn, TENANT, ALICE) is None
        assert connections.subject_key(conn, OTHER, ALICE) is not None
        for table in ("sealed_versions", "locks", "nonces", "grants", "tokens"):
            bound = conn.execute(
                sa.text(f"SELECT count(*) FROM {table} WHERE connection_id LIKE 'aa%'")
            )
            assert bound.scalar() == 0, table
            others = conn.execute(
                sa.text(f"SELECT count(*) FROM {table} WHERE connection_id LIKE 'ee%'")
            )
            assert others.scalar() == 1, table
        assert grants.find(conn, OTHER, GrantId("grt_s_other")) is not None
        assert grants.find(conn, TENANT, GrantId("grt_s_default")) is None
        assert grants.find(conn, TENANT, GrantId("grt_p_default")) is not None
        assert revoking.erase_subject(conn, TENANT, ALICE) is None
        assert revoking.erase_subject(conn, TENANT, "absent") is None


def everything(database: Path) -> Iterator[str]:
    """Every value of every row of every table, as text."""
    with sqlite3.connect(database) as raw:
        tables = raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in tables:
            for row in raw.execute(f"SELECT * FROM {table}"):
                yield from map(repr, row)
    raw.close()


def test_the_name_is_nowhere_afterwards(backend: Backend, peopled: Store) -> None:
    """No table has the name any more, and neither has the file: not even where rows were."""
    quoting = {
        "plain": f'{{"items": [{{"subject": "{ALICE}"}}]}}'.encode(),
        "escaped": rb'{"subject": "alice Zo\u00eb"}',
        "query": b'{"location": "/v1/revocations?since=1&subject=alice+Zo%C3%AB"}',
        "percent": b'{"location": "/v1/revocations?subject=alice%20Zo%C3%AB&since=1"}',
        "longer": f'{{"subject": "{ALICE}2"}}'.encode(),
    }
    with peopled.write() as conn:
        for tenant in (TENANT, OTHER, TenantId("*")):
            for key, body in quoting.items():
                replays.reserve(conn, tenant, "tok_o", key, rows.DIGEST, NOW)
                replays.answer(conn, tenant, "tok_o", key, 201, body)
        for name, tenant in (("job_x", TENANT), ("job_y", OTHER)):
            asked = replace(rows.job(name, tenant=tenant), arguments={"subject": ALICE})
            jobs.insert(conn, asked)
        conn.exec_driver_sql("PRAGMA secure_delete = OFF")  # as most builds of SQLite have it
        revoking.erase_subject(conn, TENANT, ALICE)
        for key in quoting.keys() - {"longer"}:
            for tenant in (TENANT, TenantId("*")):
                found = replays.find(conn, tenant, "tok_o", key)
                assert found is not None
                assert (found.status, found.body) == (410, b"")
            theirs = replays.find(conn, OTHER, "tok_o", key)
            assert theirs is not None
            assert theirs.body == quoting[key]
        kept = replays.find(conn, TENANT, "tok_o", "longer")
        assert kept is not None
        assert kept.body == quoting["longer"]
        assert jobs.find(conn, TENANT, JobId("job_x")) is None
        assert jobs.find(conn, TENANT, JobId("job_a")) is not None
        assert jobs.find(conn, OTHER, JobId("job_y")) is not None
        conn.execute(sa.text("DELETE FROM replays WHERE key = 'longer'"))
        revoking.erase_subject(conn, OTHER, ALICE)
    peopled.close()
    path = sqlite_path(backend.url)
    assert not [text for text in everything(path) if "alice" in text]
    assert b"alice" not in path.read_bytes()
