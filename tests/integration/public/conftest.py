"""A vault whose feeds the tests sign, and the public application over it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from house import House, build_house
from integration.public.staging import Stage, run_public


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A vault with a tenant and an egress address."""
    built = build_house(tmp_path / "vault")
    yield built
    built.store.close()


@pytest.fixture
def stage(house: House) -> Iterator[Stage]:
    """The public application, with a clock that stands where it is put."""
    with run_public(house) as running:
        yield running
