"""An admin API over a vault of its own for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from admin_client import Admin, run_admin
from bailee.model import Provider
from bailee.reference.pki import World
from house import build_house, make_provider


@pytest.fixture(scope="session")
def world() -> World:
    """One CA world for the whole run: keys take time."""
    return World.create(["api.test"])


@pytest.fixture
def admin(tmp_path: Path) -> Iterator[Admin]:
    """A vault with a tenant and an egress address, and its admin API."""
    house = build_house(tmp_path / "vault")
    with run_admin(house) as running:
        yield running
    house.store.close()


@pytest.fixture
def provider(admin: Admin, world: World) -> Provider:
    """An approved provider."""
    made = make_provider(8443, world.root.pem.decode())
    admin.house.approve_provider(made)
    return made
