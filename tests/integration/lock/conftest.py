"""A keeper on a vault of its own, and certificates of the worlds that it checks locks in."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from bailee.app.chains import StoreChains
from bailee.journal.writer import Journal
from bailee.reference.pki import World
from house import build_house
from keeper_bench import Bench
from lock_world import NAME


@pytest.fixture(scope="session")
def world() -> World:
    """One CA world for the whole run: keys take time."""
    return World.create([NAME, "127.0.0.1"])


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """What the keeper's parts are made of."""
    house = build_house(tmp_path / "vault")
    journal = Journal.open(house.directory / "journal", "keeper", StoreChains(house.store))
    yield Bench(house, journal, asyncio.Event())
    journal.close()
    house.store.close()
