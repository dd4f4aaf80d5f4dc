"""The world that the use cases work on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from unit.manage.world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A vault with two tenants, an approved provider and an egress address."""
    made = World.make(tmp_path)
    yield made
    made.store.close()
