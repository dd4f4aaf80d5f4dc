"""Opening, migrating, writing at once."""

import os
import sqlite3
import stat
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

import bailee.store
from bailee.errors import ConfigInvalid, Conflict, StoreUnavailable
from bailee.model import TenantId
from bailee.store import engine, schema, tenants
from bailee.store.engine import Store, migrate
from bailee.store.lookup import CallLookup
from contract.store.conftest import Backend
from contract.store.rows import NOW, OTHER, TENANT

WRITER = """
import sys
from bailee.model import TenantId
from bailee.store import tenants
from bailee.store.engine import Store
store = Store.open(sys.argv[1])
for number in range(150):
    with store.write() as conn:
        tenants.insert(conn, tenants.StoredTenant(TenantId(f"{sys.argv[2]}-{number}"), "", 1.0))
store.close()
"""
MIGRATOR = "import sys; from bailee.store.engine import migrate; migrate(sys.argv[1])"


def start(script: str, *arguments: str) -> subprocess.Popen[bytes]:
    """Run a script on the code under test in a process of its own."""
    source = str(Path(bailee.store.__file__).parents[2])
    environment = os.environ | {"PYTHONPATH": source}
    return subprocess.Popen([sys.executable, "-c", script, *arguments], env=environment)


def mode_of(path: Path) -> int:
    """The permission bits of a file."""
    return stat.S_IMODE(path.stat().st_mode)


def writing_to(path: Path) -> sqlite3.Connection:
    """Begin to write to a database that has no write-ahead log yet."""
    writer = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    writer.execute("BEGIN IMMEDIATE")
    return writer


def test_open_refuses_what_is_absent(tmp_path: Path) -> None:
    """A database that is not there is never made by opening it, by neither way."""
    path = tmp_path / "absent.db"
    with pytest.raises(StoreUnavailable) as refused:
        Store.open(f"sqlite:///{path}")
    assert "bailee init" in refused.value.hint
    with pytest.raises(StoreUnavailable):
        CallLookup(path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "url", ["sqlite:///bailee.db", "sqlite://", "postgresql:///x", "/tmp/x.db", ""]
)
def test_url_must_be_an_absolute_path(url: str) -> None:
    """A path that depends on the working directory never reaches SQLAlchemy."""
    with pytest.raises(ConfigInvalid):
        Store.open(url)
    with pytest.raises(ConfigInvalid):
        migrate(url)


def test_path_with_odd_characters(tmp_path: Path) -> None:
    """What means something in a URL means nothing in the path of a database."""
    directory = tmp_path / "a b%20c?mode=ro#d"
    directory.mkdir()
    url = f"sqlite:///{directory / 'x.db'}"
    migrate(url)
    Store.open(url).close()
    CallLookup(directory / "x.db").close()
    assert (directory / "x.db").is_file()


def test_new_database_is_for_its_owner_alone(tmp_path: Path) -> None:
    """A new file is 0600 whatever the umask, and so are its WAL and index while it is open."""
    before = os.umask(0)
    try:
        url = f"sqlite:///{tmp_path / 'x.db'}"
        migrate(url)
        store = Store.open(url)
        with store.write() as conn:
            tenants.insert(conn, tenants.StoredTenant(TENANT, "", NOW))
        modes = {file.name: mode_of(file) for file in tmp_path.iterdir()}
        store.close()
    finally:
        os.umask(before)
    assert modes == {"x.db": 0o600, "x.db-wal": 0o600, "x.db-shm": 0o600}


def test_mode_is_set_when_given_and_kept_when_not(tmp_path: Path) -> None:
    """A shared group's 0660 is set once and survives later migrations."""
    path = tmp_path / "x.db"
    migrate(f"sqlite:///{path}")
    migrate(f"sqlite:///{path}", mode=0o660)
    assert mode_of(path) == 0o660
    migrate(f"sqlite:///{path}")
    assert mode_of(path) == 0o660


def test_directory_must_exist(tmp_path: Path) -> None:
    """Where no file can be made, the error says so."""
    with pytest.raises(StoreUnavailable):
        migrate(f"sqlite:///{tmp_path / 'absent' / 'x.db'}")


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    """A file of something else is neither opened nor overwritten."""
    path = tmp_path / "x.db"
    path.write_bytes(b"not a database at all" * 100)
    for refuse in (Store.open, migrate):
        with pytest.raises(StoreUnavailable):
            refuse(f"sqlite:///{path}")
    assert path.read_bytes() == b"not a database at all" * 100


def test_migrations_make_the_schema_of_the_code(store: Store) -> None:
    """Migrations and `schema.py` agree, and the newest migration is the one that the code wants."""
    with store.read() as conn:
        assert compare_metadata(MigrationContext.configure(conn), schema.metadata) == []
    config = Config()
    config.set_main_option("script_location", str(Path(engine.__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_heads() == [schema.SCHEMA_REVISION]


def test_migrating_again_changes_nothing(backend: Backend, store: Store) -> None:
    """A second migration leaves rows and revision alone."""
    with store.write() as conn:
        tenants.insert(conn, tenants.StoredTenant(TENANT, "", NOW))
    migrate(backend.url)
    with store.read() as conn:
        assert tenants.find(conn, TENANT) is not None


@pytest.mark.parametrize(
    ("found", "said"),
    [("0000", "older"), ("0003", "older"), ("0005", "newer"), ("9999", "newer"), ("x1", "newer")],
)
def test_another_schema_is_refused(backend: Backend, store: Store, found: str, said: str) -> None:
    """Code never works on a schema that it does not know; the error says which is older."""
    with store.write() as conn:
        conn.execute(sa.text("UPDATE alembic_version SET version_num = :found"), {"found": found})
    with pytest.raises(StoreUnavailable) as refused:
        Store.open(backend.url)
    assert said in refused.value.detail
    assert refused.value.hint
    with pytest.raises(StoreUnavailable):
        backend.open_lookup()


def test_migrate_refuses_a_newer_schema(backend: Backend, store: Store) -> None:
    """An old release does not touch what a newer one has migrated."""
    with store.write() as conn:
        conn.execute(sa.text("UPDATE alembic_version SET version_num = '0999'"))
    with pytest.raises(StoreUnavailable, match="newer"):
        migrate(backend.url)


def test_write_rolls_back_on_error(store: Store) -> None:
    """A transaction that fails leaves nothing."""
    with pytest.raises(RuntimeError), store.write() as conn:
        tenants.insert(conn, tenants.StoredTenant(TENANT, "", NOW))
        raise RuntimeError
    with store.read() as conn:
        assert tenants.find(conn, TENANT) is None


def test_a_collision_is_a_conflict_that_quotes_nothing(store: Store) -> None:
    """A unique key that is hurt is a Conflict, and neither it nor its cause shows a value."""
    canary = "canary-9f2c"
    with store.write() as conn:
        tenants.insert(conn, tenants.StoredTenant(TENANT, "", NOW))
    with pytest.raises(Conflict) as refused, store.write() as conn:
        tenants.insert(conn, tenants.StoredTenant(TENANT, canary, NOW))
    assert canary not in f"{refused.value!r} {refused.value.__cause__} {refused.value.hint}"


def test_a_busy_database_is_unavailable(
    backend: Backend, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer that waits too long for another one gives up and says so."""
    monkeypatch.setattr(engine, "BUSY_SECONDS", 0.05)
    second = Store.open(backend.url)
    with store.write(), pytest.raises(StoreUnavailable, match="BUSY"), second.write():
        raise AssertionError("two writers at once")
    second.close()


def test_a_reader_sees_one_state(backend: Backend, store: Store) -> None:
    """What is committed during a read is not seen in its middle, and readers do not wait."""
    with store.read() as reading:
        assert tenants.find(reading, OTHER) is None
        with store.write() as conn:
            tenants.insert(conn, tenants.StoredTenant(OTHER, "", NOW))
        assert tenants.find(reading, OTHER) is None
    with store.read() as reading:
        assert tenants.find(reading, OTHER) is not None


def test_two_processes_that_write_at_once_lose_nothing(backend: Backend, store: Store) -> None:
    """300 commits of two processes are 300 rows."""
    writers = [start(WRITER, backend.url, name) for name in ("a", "b")]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    with store.read() as conn:
        ids = {tenant.id for tenant in tenants.list_page(conn, after=None, limit=1000)}
    assert ids == {TenantId(f"{name}-{number}") for name in "ab" for number in range(150)}


def test_migrate_waits_for_another_that_has_just_begun(tmp_path: Path) -> None:
    """SQLite does not wait by itself for a writer that keeps it from switching to its log."""
    path = tmp_path / "x.db"
    with closing(writing_to(path)) as writer:
        ending = threading.Timer(0.2, writer.execute, ["COMMIT"])
        ending.start()
        migrate(f"sqlite:///{path}")
        ending.join()
    Store.open(f"sqlite:///{path}").close()


def test_migrate_gives_up_on_a_writer_that_never_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits as long as for any other writer, and then says that the database is busy."""
    monkeypatch.setattr(engine, "BUSY_SECONDS", 0.1)
    path = tmp_path / "x.db"
    with closing(writing_to(path)), pytest.raises(StoreUnavailable, match="SQLITE_BUSY"):
        migrate(f"sqlite:///{path}")


def test_processes_that_migrate_at_once_all_succeed(tmp_path: Path) -> None:
    """One migrates; the others wait and find it done."""
    url = f"sqlite:///{tmp_path / 'x.db'}"
    migrators = [start(MIGRATOR, url) for _ in range(4)]
    assert [migrator.wait(60) for migrator in migrators] == [0, 0, 0, 0]
    Store.open(url).close()
