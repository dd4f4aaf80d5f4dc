"""One suite for every store: a second one is a second value of `backend`."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bailee.store.engine import Store, migrate, sqlite_path
from bailee.store.lookup import CallLookup


@dataclass(frozen=True, slots=True)
class Backend:
    """A database that is migrated and empty, and how the gateway reads it."""

    url: str
    open_lookup: Callable[[], CallLookup]


def sqlite_backend(directory: Path) -> Backend:
    """Make a backend on a SQLite file."""
    url = f"sqlite:///{directory / 'bailee.db'}"
    migrate(url)
    return Backend(url, lambda: CallLookup(sqlite_path(url)))


BACKENDS = {"sqlite": sqlite_backend}


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Backend:
    """Every kind of store in turn."""
    return BACKENDS[request.param](tmp_path)


@pytest.fixture
def store(backend: Backend) -> Iterator[Store]:
    """An open store without rows."""
    opened = Store.open(backend.url)
    yield opened
    opened.close()


@pytest.fixture
def lookup(backend: Backend) -> Iterator[CallLookup]:
    """The gateway's reads of the same database."""
    opened = backend.open_lookup()
    yield opened
    opened.close()
