"""Opening and migrating the database.

SQLite in WAL: readers never wait, one writer at a time. A store that is absent, or whose schema is
not the code's, is never opened: what can't be understood can't be obeyed.
"""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy import event, exc

from bailee.errors import ConfigInvalid, Conflict, StoreUnavailable
from bailee.store.schema import SCHEMA_REVISION

BUSY_SECONDS = 5.0
_BUSY_PAUSE_SECONDS = 0.02
"""How long a writer waits for another one before it gives up."""

_BEGIN = "bailee_begin"


class Store:
    """The database of one node. Threads may share it; a forked child opens its own."""

    def __init__(self, engine: sa.Engine, path: Path) -> None:
        self.path = path
        self._engine = engine
        self._writing = engine.execution_options(**{_BEGIN: "BEGIN IMMEDIATE"})

    @classmethod
    def open(cls, url: str) -> Self:
        """Open the database at `url`, which must exist and have the code's schema.

        Args:
            url: `sqlite:////absolute/path`.

        Raises:
            ConfigInvalid: `url` is of another form, or its path is relative.
            StoreUnavailable: The database is absent, unreadable, or its schema is older or newer.
        """
        path = sqlite_path(url)
        with _opened(path) as database:
            check_schema(find_schema(database))
        return cls(_engine(path), path)

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Yield a connection that sees one unchanging state of the database.

        Raises:
            StoreUnavailable: The database did not answer.
        """
        with _translated(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """Yield the one writing connection; commit at the end, roll back on any error.

        What was committed survives a loss of power. Waits up to 5 s for another writer.

        Raises:
            StoreUnavailable: The database did not answer, is busy, full or read-only. Nothing was
                written.
            Conflict: A unique or foreign key was hurt. Nothing was written.
        """
        with _translated(), self._writing.begin() as connection:
            yield connection

    def empty_log(self) -> bool:
        """Write the write-ahead log into the database and cut it to nothing.

        Until then what was deleted stands in the log. Waits up to 5 s for others that read.

        Returns:
            False when somebody read all the while, and the log is as it was.

        Raises:
            StoreUnavailable: The database did not answer.
        """
        with _opened(self.path) as database:
            busy, *_ = database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not busy

    def close(self) -> None:
        """Close every idle connection."""
        self._engine.dispose()

    def __repr__(self) -> str:
        return f"Store({str(self.path)!r})"


def migrate(url: str, mode: int | None = None) -> None:
    """Make the database if it is absent, and bring its schema to the code's.

    Several processes may do so at once: one works, the others wait and find it done.

    Args:
        url: `sqlite:////absolute/path`; the directory must exist.
        mode: The file's permission bits, set now; its WAL follows them. `None` gives a new file
            0600 and leaves an old one as it is.

    Raises:
        ConfigInvalid: `url` is of another form, or its path is relative.
        StoreUnavailable: The file can't be made or changed, or its schema is newer than the code.
    """
    path = sqlite_path(url)
    _create(path, mode)
    with _opened(path) as database:
        found = find_schema(database)
        if found is not None and _is_newer(found):
            check_schema(found)
        if _switch_to_wal(database) != "wal":
            raise StoreUnavailable(
                "the database can't be switched to its write-ahead log",
                "keep it on a local file system",
            )
    if found != SCHEMA_REVISION:
        _upgrade(path)


def sqlite_path(url: str) -> Path:
    """Return the absolute path in a `sqlite:////...` URL.

    Raises:
        ConfigInvalid: `url` is of another form, or its path is relative.
    """
    prefix = "sqlite:///"
    path = Path(url.removeprefix(prefix))
    if not url.startswith(prefix) or not path.is_absolute():
        raise ConfigInvalid(
            "the store's URL is not of the form sqlite:////absolute/path",
            "four slashes: three of the URL, one of the absolute path",
        )
    return path


def check_schema(found: str | None) -> None:
    """Compare the schema that was found with the code's.

    Raises:
        StoreUnavailable: They differ; the hint says which of the two is older.
    """
    if found == SCHEMA_REVISION:
        return
    if found is None:
        raise StoreUnavailable(
            "the database has no schema of bailee", "make it with 'bailee init DIR'"
        )
    if _is_newer(found):
        raise StoreUnavailable(
            "the schema of the database is newer than this bailee",
            "run the release that migrated it, or restore a backup of before",
        )
    raise StoreUnavailable(
        "the schema of the database is older than this bailee",
        "'bailee serve --config F' migrates it when it starts; back it up first",
    )


def _is_newer(found: str) -> bool:
    return not found.isdecimal() or int(found) > int(SCHEMA_REVISION)


def connect(path: Path, access: str) -> sqlite3.Connection:
    """Connect to an existing file; `access` is `ro` or `rw`. The caller closes it.

    Raises:
        sqlite3.Error: The file is absent or can't be opened. It is never made here.
    """
    return sqlite3.connect(
        f"{path.as_uri()}?mode={access}",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
    )


def _create(path: Path, mode: int | None) -> None:
    try:
        # O_EXCL: to open and close a file that SQLite holds in this process would drop its locks.
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        if mode is not None:
            _chmod(path, mode)
        return
    except OSError as error:
        raise StoreUnavailable(
            f"the database can't be made ({os.strerror(error.errno or 0).lower()})",
            "its directory must exist and be writable",
        ) from error
    os.close(descriptor)
    _chmod(path, 0o600 if mode is None else mode)


def _chmod(path: Path, mode: int) -> None:
    try:
        for file in (path, *(path.with_name(path.name + end) for end in ("-wal", "-shm"))):
            if file == path or file.exists():
                file.chmod(mode)
    except FileNotFoundError:
        pass  # the last connection closed just now and took its WAL with it
    except OSError as error:
        raise StoreUnavailable(
            "the permissions of the database can't be changed", "run this as the file's owner"
        ) from error


def _switch_to_wal(database: sqlite3.Connection) -> str:
    """Switch, and return the mode that the database has then.

    The switch needs the file for itself, and SQLite asks its busy timeout for no such upgrade of a
    lock: while another process reads or migrates, it says SQLITE_BUSY at once.
    """
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            return str(database.execute("PRAGMA journal_mode = WAL").fetchone()[0])
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() > deadline:
                raise
        time.sleep(_BUSY_PAUSE_SECONDS)


def _upgrade(path: Path) -> None:
    # Here alone: Alembic takes long to import, and only this function needs it.
    from alembic import command
    from alembic.config import Config

    config = Config()
    location = str(Path(__file__).parent / "migrations")
    config.set_main_option("script_location", location.replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    store = Store(_engine(path), path)
    try:
        with store.write() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    finally:
        store.close()


def _engine(path: Path) -> sa.Engine:
    engine = sa.create_engine(
        sa.URL.create("sqlite", database=str(path)),
        creator=lambda: connect(path, "rw"),
        hide_parameters=True,
    )
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = FULL")


def _begin(connection: sa.Connection) -> None:
    # A deferred BEGIN that writes later can fail half-way with SQLITE_BUSY: writers say so at once.
    connection.exec_driver_sql(connection.get_execution_options().get(_BEGIN, "BEGIN"))


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    if not path.is_file():
        raise StoreUnavailable("the database is absent", "make it with 'bailee init DIR'")
    with _translated(), closing(connect(path, "rw")) as database:
        yield database


def find_schema(database: sqlite3.Connection) -> str | None:
    """Return the revision of the schema that a database has; None if it has none of bailee."""
    known = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'alembic_version'"
    if database.execute(known).fetchone() is None:
        return None
    row = database.execute("SELECT version_num FROM alembic_version").fetchone()
    return None if row is None else str(row[0])


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except exc.IntegrityError as error:
        raise Conflict(
            "the change collides with another row",
            "it exists already, or what it names is gone",
        ) from error
    except exc.DBAPIError as error:
        raise _unavailable(error.orig) from error
    except exc.TimeoutError as error:
        raise StoreUnavailable("every connection to the database is in use") from error
    except sqlite3.Error as error:
        raise _unavailable(error) from error


def _unavailable(error: BaseException | None) -> StoreUnavailable:
    # The name of SQLite's code says enough; its message may quote a value.
    name = getattr(error, "sqlite_errorname", "no code of SQLite")
    return StoreUnavailable(
        f"the database does not answer ({name})", "look at its disk, permissions and writers"
    )
