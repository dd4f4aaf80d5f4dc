"""What the gateway reads is what was written."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bailee.errors import StoreUnavailable
from bailee.model import (
    Caller,
    CallerId,
    CallerLimits,
    ConnectionId,
    ConnectionState,
    EgressId,
    GrantId,
    ProviderId,
    Role,
    SealedCredential,
    Signed,
    TokenId,
)
from bailee.store import callers, connections, grants, providers, revoking, tokens
from bailee.store.engine import Store, connect, migrate, sqlite_path
from bailee.store.lookup import CallLookup
from bailee.store.statements import GRANTS
from contract.store import rows
from contract.store.conftest import Backend
from contract.store.rows import CALLER, CONNECTION, EGRESS, NOW, OTHER, PROVIDER, SUBJECT, TENANT


@pytest.fixture
def seeded(store: Store) -> Store:
    """A store with one of everything."""
    with store.write() as conn:
        rows.seed(conn)
    return store


def test_token_with_its_caller(seeded: Store, lookup: CallLookup) -> None:
    """A token comes with its caller's allowlist; an operator's has no caller."""
    with seeded.write() as conn:
        tokens.insert(conn, rows.token("tok_o", None), b"o" * 32)
    found = lookup.token(rows.DIGEST)
    assert found is not None
    assert found == (
        "tok_a",
        Role.CALLER,
        TENANT,
        CALLER,
        NOW + 100,
        None,
        ("10.0.0.0/8", "192.0.2.1"),
        None,
        None,
        None,
        CallerLimits(),
    )
    operator = lookup.token(b"o" * 32)
    assert operator is not None
    assert (operator.role, operator.caller, operator.allow_from) == (Role.OPERATOR, None, ())
    assert lookup.token(bytes(32)) is None


@pytest.mark.parametrize(
    "limits", [CallerLimits(20, 5), CallerLimits(1, None), CallerLimits(None, 1_000_000)]
)
def test_limits_of_a_caller_come_with_its_token(
    seeded: Store, lookup: CallLookup, limits: CallerLimits
) -> None:
    """Each is read for itself, as soon as it is committed; another caller's are its own."""
    other = CallerId("clr_b")
    with seeded.write() as conn:
        callers.insert(conn, Caller(other, TENANT, "b", limits=CallerLimits(7, 7)), NOW)
        tokens.insert(conn, replace(rows.token("tok_b"), caller=other), b"b" * 32)
    for wanted in (limits, CallerLimits()):
        with seeded.write() as conn:
            assert callers.set_limits(conn, TENANT, CALLER, wanted)
        found, others = lookup.token(rows.DIGEST), lookup.token(b"b" * 32)
        assert found is not None and others is not None
        assert (found.limits, others.limits) == (wanted, CallerLimits(7, 7))


@pytest.mark.parametrize("which", ["token", "caller"])
def test_revocation_is_seen_by_open_reads(seeded: Store, lookup: CallLookup, which: str) -> None:
    """A token counts as revoked when itself or its caller is, as soon as that is committed."""
    before = lookup.token(rows.DIGEST)
    assert before is not None
    assert before.revoked_at is None
    with seeded.write() as conn:
        if which == "token":
            tokens.revoke(conn, TENANT, before.id, NOW + 1)
        else:
            callers.revoke(conn, TENANT, CALLER, NOW + 1)
    after = lookup.token(rows.DIGEST)
    assert after is not None
    assert after.revoked_at == NOW + 1


def test_connection_with_its_current_version(seeded: Store, lookup: CallLookup) -> None:
    """A connection comes with subject, journal key and the sealed version that is current."""
    found = lookup.connection(CONNECTION)
    assert found is not None
    assert (found.tenant, found.provider, found.subject, found.egress) == (
        TENANT,
        PROVIDER,
        SUBJECT,
        EGRESS,
    )
    assert (found.state, found.version, found.sealed) == (ConnectionState.ACTIVE, 1, rows.SEALED)
    assert found.journal_key == rows.JOURNAL_KEY
    assert repr(rows.JOURNAL_KEY.reveal())[2:20] not in repr(found)
    assert lookup.connection("z" * 26) is None


def test_revoked_connection_has_no_credential(seeded: Store, lookup: CallLookup) -> None:
    """After a revocation the connection is found, says so, and has nothing to open."""
    with seeded.write() as conn:
        revoking.revoke_many(conn, TENANT, NOW, connection=CONNECTION)
    found = lookup.connection(CONNECTION)
    assert found is not None
    assert (found.state, found.sealed) == (ConnectionState.REVOKED, None)


def test_grants_of_caller_and_connection(seeded: Store, lookup: CallLookup) -> None:
    """Grants come with their rules; another connection or caller has none; revocation shows."""
    found = lookup.grants(CALLER, CONNECTION)
    assert found == [(rows.GRANT.id, rows.GRANT.allow, None, None)]
    assert lookup.grants(CALLER, ConnectionId("z" * 26)) == []
    assert lookup.grants(CallerId("clr_z"), CONNECTION) == []
    with seeded.write() as conn:
        grants.revoke(conn, TENANT, rows.GRANT.id, NOW)
    assert lookup.grants(CALLER, CONNECTION)[0].revoked_at == NOW


def test_grants_over_provider_and_subject_cover_the_connection(
    seeded: Store, lookup: CallLookup
) -> None:
    """A connection is covered by its id, its provider and its subject, each grant once."""
    later = ConnectionId("d" * 26)
    over = [
        replace(rows.GRANT, id=GrantId("grt_p"), connection=None, provider=PROVIDER),
        replace(rows.GRANT, id=GrantId("grt_s"), connection=None, subject=SUBJECT),
        replace(rows.GRANT, id=GrantId("grt_x"), connection=None, provider=ProviderId("other")),
        replace(rows.GRANT, id=GrantId("grt_y"), connection=None, subject="u2"),
    ]
    with seeded.write() as conn:
        connections.insert_subject(conn, TENANT, "u2", rows.JOURNAL_KEY)
        for grant in over:
            grants.insert(conn, TENANT, grant, NOW)
    assert {row.id for row in lookup.grants(CALLER, CONNECTION)} == {"grt_a", "grt_p", "grt_s"}
    assert len(lookup.grants(CALLER, CONNECTION)) == 3
    with seeded.write() as conn:
        connections.insert(conn, replace(rows.connection(later), subject="u2"))
    assert {row.id for row in lookup.grants(CALLER, later)} == {"grt_p", "grt_y"}
    assert lookup.grants(CallerId("clr_z"), later) == []


def test_a_grant_that_died_with_its_connection_is_told(seeded: Store, lookup: CallLookup) -> None:
    """Its caller learns that the connection is revoked; who had lost the grant before does not."""
    lost = replace(rows.GRANT, id=GrantId("grt_b"))
    with seeded.write() as conn:
        grants.insert(conn, TENANT, lost, NOW)
        grants.revoke(conn, TENANT, lost.id, NOW)
        revoking.revoke_many(conn, TENANT, NOW + 1)
        found = grants.find(conn, TENANT, rows.GRANT.id)
    assert found is not None
    assert found.revoked_at == NOW + 1
    ended = {row.id: row.revoked_at for row in lookup.grants(CALLER, CONNECTION)}
    assert ended == {"grt_a": None, "grt_b": NOW}
    with seeded.write() as conn:
        conn.execute(sa.text("UPDATE connections SET state = 'active'"))
    assert lookup.grants(CALLER, CONNECTION)[0].revoked_at == NOW + 1


def test_two_tenants_of_the_same_names_share_no_grant(seeded: Store, lookup: CallLookup) -> None:
    """A grant over a provider or a subject covers the connections of its own tenant alone."""
    theirs, caller = ConnectionId("d" * 26), CallerId("clr_o")
    with seeded.write() as conn:
        connections.insert_subject(conn, OTHER, SUBJECT, rows.JOURNAL_KEY)
        connections.insert(conn, rows.connection(theirs, OTHER))
        callers.insert(conn, Caller(caller, OTHER, "app"), NOW)
        for number, tenant, who in ((1, TENANT, CALLER), (2, OTHER, caller)):
            blank = replace(rows.GRANT, caller=who, connection=None)
            over = replace(blank, id=GrantId(f"grt_p{number}"), provider=PROVIDER)
            grants.insert(conn, tenant, over, NOW)
            over = replace(blank, id=GrantId(f"grt_s{number}"), subject=SUBJECT)
            grants.insert(conn, tenant, over, NOW)
    found = {
        (who, door): {row.id for row in lookup.grants(who, door)}
        for who in (CALLER, caller)
        for door in (CONNECTION, theirs)
    }
    assert found == {
        (CALLER, CONNECTION): {"grt_a", "grt_p1", "grt_s1"},
        (CALLER, theirs): set(),
        (caller, CONNECTION): set(),
        (caller, theirs): {"grt_p2", "grt_s2"},
    }


def test_grants_are_found_by_their_indexes(backend: Backend, seeded: Store) -> None:
    """No read of grants walks a table, whatever SQLite thinks of the sizes."""
    with closing(connect(sqlite_path(backend.url), "ro")) as raw:
        plan = [row[3] for row in raw.execute(f"EXPLAIN QUERY PLAN {GRANTS}", ("a", "b") * 3)]
    over = [step for step in plan if step.startswith("SEARCH g USING INDEX")]
    assert len(over) == 3
    assert all("caller_id=? AND " in step for step in over)
    assert not [step for step in plan if step.startswith("SCAN")]


@pytest.mark.parametrize(
    ("bounds", "seen"),
    [
        ({"subject": SUBJECT}, (SUBJECT, None, None)),
        ({"connection": CONNECTION}, (None, CONNECTION, None)),
        (
            {"subject": SUBJECT, "methods": ("GET", "POST")},
            (SUBJECT, None, frozenset({"GET", "POST"})),
        ),
    ],
)
def test_derived_token_comes_with_its_bounds(
    seeded: Store, lookup: CallLookup, bounds: dict[str, Any], seen: tuple[object, ...]
) -> None:
    """What a derived token is bound to is what the gateway reads."""
    derived = replace(rows.token("tok_d"), parent=TokenId("tok_a"), **bounds)
    with seeded.write() as conn:
        tokens.insert(conn, derived, b"e" * 32)
        assert tokens.find(conn, TENANT, derived.id) == derived
    row = lookup.token(b"e" * 32)
    assert row is not None
    assert (row.subject, row.connection, row.methods) == seen


def test_grant_moved_to_another_tenant_matches_nothing(
    backend: Backend, seeded: Store, lookup: CallLookup
) -> None:
    """Even with the foreign keys off, a grant of another tenant gives nothing."""
    with sqlite3.connect(sqlite_path(backend.url)) as raw:
        over = "INSERT INTO grants SELECT 'grt_p', tenant_id, caller_id, NULL, ?, NULL, allow,"
        raw.execute(f"{over} created_at, NULL, NULL FROM grants", (PROVIDER,))
        raw.execute("UPDATE grants SET tenant_id = ?", (OTHER,))
    raw.close()
    assert lookup.grants(CALLER, CONNECTION) == []


def test_signed_records(seeded: Store, lookup: CallLookup) -> None:
    """Signed records come back byte by byte, of the highest serial."""
    assert lookup.provider(PROVIDER) == rows.signed("provider 2")
    assert lookup.pin_set(PROVIDER, "rest") == rows.signed("pins 2")
    assert lookup.egress(EGRESS) == rows.signed("egress")
    assert lookup.tenant_key(TENANT, "key_a") == (rows.signed("key"), b"wrapped")
    assert lookup.provider(ProviderId("absent")) is None
    assert lookup.pin_set(PROVIDER, "absent") is None
    assert lookup.egress(EgressId("absent")) is None
    assert lookup.tenant_key(OTHER, "key_a") is None


def test_reads_can_not_write(lookup: CallLookup) -> None:
    """The gateway's connection is read-only, whatever SQL is run on it."""
    with pytest.raises(StoreUnavailable, match="READONLY"):
        lookup._all("UPDATE revision SET value = 9", ())


def test_a_closed_database_is_unavailable(lookup: CallLookup) -> None:
    """Without a database nobody can say that a call is allowed."""
    lookup.close()
    with pytest.raises(StoreUnavailable):
        lookup.token(rows.DIGEST)


def test_a_database_that_is_gone_is_unavailable(
    backend: Backend, lookup: CallLookup, tmp_path: Path
) -> None:
    """A file that was moved away is noticed, and read again when it is back."""
    path = sqlite_path(backend.url)
    before = lookup.revision()
    path.rename(tmp_path / "moved")
    with pytest.raises(StoreUnavailable):
        lookup.revision()
    (tmp_path / "moved").rename(path)
    assert lookup.revision() == before


def test_a_database_that_was_replaced_is_read(
    backend: Backend, seeded: Store, lookup: CallLookup, tmp_path: Path
) -> None:
    """A restored backup in the place of the file is what is read from now on."""
    filled = lookup.revision()
    assert lookup.token(rows.DIGEST) is not None
    seeded.close()
    path = sqlite_path(backend.url)
    for file in tmp_path.glob("bailee.db-*"):
        file.unlink()
    migrate(f"sqlite:///{tmp_path / 'other.db'}")
    (tmp_path / "other.db").rename(path)
    assert lookup.revision() < filled
    assert lookup.token(rows.DIGEST) is None


@pytest.mark.parametrize(
    ("damage", "read"),
    [
        ("UPDATE callers SET allow_from = 'not json'", lambda reads: reads.token(rows.DIGEST)),
        ("UPDATE tokens SET expires_at = 'x'", lambda reads: reads.token(rows.DIGEST)),
        ("UPDATE grants SET revoked_at = 'x'", lambda reads: reads.grants(CALLER, CONNECTION)),
        ("UPDATE connections SET version = 'x'", lambda reads: reads.connection(CONNECTION)),
        ("UPDATE grants SET allow = '[1, 2]'", lambda reads: reads.grants(CALLER, CONNECTION)),
        ("UPDATE connections SET state = 'x'", lambda reads: reads.connection(CONNECTION)),
        ("UPDATE locks SET state = 'x'", lambda reads: reads.connection(CONNECTION)),
        ("UPDATE tenants SET gate = 'x'", lambda reads: reads.connection(CONNECTION)),
        ("UPDATE tokens SET methods = 'GET'", lambda reads: reads.token(rows.DIGEST)),
        ("UPDATE tokens SET methods = '\"GET\"'", lambda reads: reads.token(rows.DIGEST)),
        ("UPDATE tokens SET methods = '[[1]]'", lambda reads: reads.token(rows.DIGEST)),
    ],
)
def test_a_damaged_row_is_unavailable(
    seeded: Store, lookup: CallLookup, damage: str, read: Callable[[CallLookup], object]
) -> None:
    """A row that nobody can read allows nothing."""
    with seeded.write() as conn:
        conn.execute(sa.text("PRAGMA ignore_check_constraints = ON"))
        conn.execute(sa.text(damage))
        conn.execute(sa.text("PRAGMA ignore_check_constraints = OFF"))
    with pytest.raises(StoreUnavailable, match="damaged"):
        read(lookup)


def test_text_in_a_column_of_bytes_stays_bytes(seeded: Store, lookup: CallLookup) -> None:
    """What SQL functions turned into text, or into a number, is bytes that fit no signature."""
    with seeded.write() as conn:
        conn.execute(sa.text("UPDATE providers SET payload = replace(payload, '2', '3')"))
        conn.execute(sa.text("UPDATE tenant_keys SET signature = 7, wrapped_private = 'x'"))
        conn.execute(sa.text("UPDATE sealed_versions SET ciphertext = 'x', trust_digest = 'y'"))
        stored = providers.newest(conn, PROVIDER)
    assert stored is not None
    assert stored.signed.payload == b"provider 3"
    assert lookup.provider(PROVIDER) == Signed(b"provider 3", b"signature of provider 2")
    assert lookup.tenant_key(TENANT, "key_a") == (Signed(b"key", b""), b"x")
    found = lookup.connection(CONNECTION)
    assert found is not None
    assert found.sealed == SealedCredential(CONNECTION, 1, "key_a", b"y", b"x")
