"""What an older release stored is still there, and the schema is the one that `schema.py` tells."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from bailee.errors import Conflict
from bailee.model import CallerLimits, Gate, LockState, Probing, Role, Rule, TokenId
from bailee.store import callers, connections, engine, grants, revision, schema, tenants, tokens
from bailee.store.engine import Store, migrate, sqlite_path
from bailee.store.lookup import CallLookup
from contract.store.rows import CALLER, CONNECTION, DIGEST, NOW, TENANT

FILLED_0001 = f"""
INSERT INTO tenants VALUES ('default', 'Default', {NOW}), ('other', 'Other', {NOW});
INSERT INTO tenant_keys VALUES ('key_a', 'default', x'01', x'02', x'03', {NOW});
INSERT INTO egress_addresses VALUES
    ('egr_a', 'a', '203.0.113.7', 'active', 1, x'01', x'02', {NOW});
INSERT INTO subjects VALUES ('default', 'u1', zeroblob(32));
INSERT INTO connections VALUES
    ('{CONNECTION}', 'default', 'acme', 'u1', 'active', 1, 'egr_a', {NOW}, NULL);
INSERT INTO sealed_versions VALUES ('{CONNECTION}', 1, 'key_a', x'01', x'02', {NOW});
INSERT INTO callers VALUES ('{CALLER}', 'default', 'app', '[]', {NOW}, NULL);
INSERT INTO tokens VALUES
    ('tok_o', zeroblob(32), 'operator', 'default', NULL, 'made by init', {NOW}, {NOW + 9}, NULL),
    ('tok_a', x'{DIGEST.hex()}', 'caller', 'default', '{CALLER}', '', {NOW}, {NOW + 9}, {NOW});
INSERT INTO grants VALUES
    ('grt_a', 'default', '{CALLER}', '{CONNECTION}', '["GET /**"]', {NOW}, NULL, NULL),
    ('grt_b', 'default', '{CALLER}', '{CONNECTION}', '["POST /o"]', {NOW}, {NOW + 5}, {NOW + 6});
INSERT INTO jobs VALUES
    ('job_a', 'learn_pin', 'default', '{{}}', 'a', 'waiting', {NOW},
     NULL, NULL, NULL, NULL, NULL, NULL);
"""


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A database as the first release left it."""
    url = f"sqlite:///{tmp_path / 'bailee.db'}"
    made = sa.create_engine(url)
    config = Config()
    config.set_main_option("script_location", str(Path(engine.__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    with made.begin() as conn:
        config.attributes["connection"] = conn
        command.upgrade(config, "0001")
    made.dispose()
    with closing(engine.connect(sqlite_path(url), "rw")) as raw:
        raw.execute("PRAGMA foreign_keys = ON")
        raw.executescript(FILLED_0001)
    return url


@pytest.fixture
def migrated(url: str) -> Iterator[Store]:
    """The same after the migration."""
    migrate(url)
    store = Store.open(url)
    yield store
    store.close()


def test_rows_of_the_first_release_survive(migrated: Store) -> None:
    """Tokens and grants come back as they were, and what is new says what was so before."""
    with migrated.read() as conn:
        operator = tokens.find(conn, TENANT, TokenId("tok_o"))
        caller = tokens.find_by_digest(conn, DIGEST)
        granted = grants.list_page(conn, TENANT, after=None, limit=9)
        tenant = tenants.find(conn, TENANT)
        kept = connections.find(conn, TENANT, CONNECTION)
        app = callers.find(conn, TENANT, CALLER)
    assert operator == tokens.StoredToken(
        TokenId("tok_o"), TENANT, Role.OPERATOR, None, "made by init", NOW, NOW + 9
    )
    assert caller is not None
    assert (caller.id, caller.role, caller.caller) == ("tok_a", Role.CALLER, CALLER)
    assert (caller.revoked_at, caller.parent, caller.methods) == (NOW, None, None)
    assert [each.grant.id for each in granted] == ["grt_a", "grt_b"]
    assert [each.grant.connection for each in granted] == [CONNECTION, CONNECTION]
    assert granted[1].grant.allow == (Rule("POST", "/o"),)
    assert (granted[1].grant.expires_at, granted[1].revoked_at) == (NOW + 5, NOW + 6)
    assert tenant == tenants.StoredTenant(TENANT, "Default", NOW, Gate.NONE, Probing.NONE)
    assert kept is not None
    assert kept.subject == "u1"
    assert app is not None
    assert (app.caller.name, app.caller.limits) == ("app", CallerLimits())


def test_calls_go_on_after_the_migration(migrated: Store) -> None:
    """The gateway reads the old rows by the new statements."""
    lookup = CallLookup(migrated.path)
    found, connection = lookup.token(DIGEST), lookup.connection(CONNECTION)
    rows = lookup.grants(CALLER, CONNECTION)
    lookup.close()
    assert found is not None
    assert (found.caller, found.subject, found.connection, found.methods, found.limits) == (
        CALLER,
        None,
        None,
        None,
        CallerLimits(),
    )
    assert connection is not None
    assert (connection.lock, connection.gate) == (LockState.UNCHECKED, Gate.NONE)
    assert [row.id for row in rows] == ["grt_a", "grt_b"]


def test_keys_and_triggers_hold_after_the_migration(migrated: Store) -> None:
    """The remade tables are guarded and counted as before."""
    for wrong in (
        "UPDATE grants SET tenant_id = 'other'",
        "UPDATE grants SET caller_id = 'absent'",
        "UPDATE tokens SET tenant_id = 'other' WHERE id = 'tok_a'",
        "UPDATE tokens SET caller_id = NULL WHERE id = 'tok_a'",
        "UPDATE tokens SET digest = (SELECT digest FROM tokens WHERE id = 'tok_o')",
    ):
        with pytest.raises(Conflict), migrated.write() as conn:
            conn.execute(sa.text(wrong))
    for change in (
        "UPDATE tokens SET label = 'x'",
        "UPDATE callers SET concurrent = 5",
        "DELETE FROM grants",
        "DELETE FROM tokens",
    ):
        with migrated.write() as conn:
            before = revision.current(conn)
            conn.execute(sa.text(change))
            assert revision.current(conn) > before


def test_database_is_whole_after_the_migration(migrated: Store) -> None:
    """SQLite itself finds no fault, no dangling key, and nothing left of the way there."""
    with migrated.read() as conn:
        assert conn.execute(sa.text("PRAGMA integrity_check")).scalar() == "ok"
        assert conn.execute(sa.text("PRAGMA foreign_key_check")).all() == []
        assert conn.execute(sa.text("SELECT name FROM sqlite_temp_master")).all() == []
        names = set(sa.inspect(conn).get_table_names())
    assert names == {*schema.metadata.tables, "alembic_version"}


INDEXES = "SELECT sql FROM sqlite_master WHERE type = 'index' AND tbl_name = :table AND sql <> ''"


def constraints(conn: sa.Connection, table: str) -> dict[str, object]:
    """All that a table promises, with the names of it."""
    found = sa.inspect(conn)
    checks = {
        each["name"]: " ".join(each["sqltext"].split())
        for each in found.get_check_constraints(table)
    }
    return {
        "checks": checks,
        "foreign": sorted(str(each) for each in found.get_foreign_keys(table)),
        "unique": sorted(str(each) for each in found.get_unique_constraints(table)),
        "indexes": sorted(conn.execute(sa.text(INDEXES), {"table": table}).scalars()),
        "primary": str(found.get_pk_constraint(table)),
        "columns": [
            (each["name"], str(each["type"]), each["nullable"], each["default"])
            for each in found.get_columns(table)
        ],
    }


def test_migrated_constraints_are_those_of_the_code(migrated: Store, tmp_path: Path) -> None:
    """Checks and defaults too, which Alembic does not compare."""
    fresh = sa.create_engine(f"sqlite:///{tmp_path / 'fresh.db'}")
    schema.metadata.create_all(fresh)
    with migrated.read() as conn, fresh.connect() as made:
        for table in schema.metadata.tables:
            wanted, found = constraints(made, table), constraints(conn, table)
            assert wanted.keys() == found.keys()
            for part, value in wanted.items():
                assert found[part] == value, (table, part)
            layout = "SELECT wr FROM pragma_table_list(:t)"
            both = [each.execute(sa.text(layout), {"t": table}).scalar() for each in (made, conn)]
            assert both[0] == both[1], table
    fresh.dispose()
