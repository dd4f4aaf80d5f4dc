"""A keeper at work on a vault of its own for each test."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from bailee.app.chains import StoreChains
from bailee.journal.writer import Journal
from bailee.reference.pki import World
from house import House, build_house
from keeper_bench import Bench


@pytest.fixture(scope="session")
def world() -> World:
    """One CA world for the whole run: keys take time."""
    return World.create(["api.test"])


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A vault with a tenant and an egress address."""
    built = build_house(tmp_path / "vault")
    yield built
    built.store.close()


@pytest.fixture
def bench(house: House) -> Iterator[Bench]:
    """What the keeper's parts are made of."""
    journal = Journal.open(house.directory / "journal", "keeper", StoreChains(house.store))
    yield Bench(house, journal, asyncio.Event())
    journal.close()
