"""A vault with a configuration, for roles in processes of their own."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from house import House, build_house


@dataclass(frozen=True, slots=True)
class Installation:
    """A vault and its configuration."""

    house: House
    config: Path


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    """A vault whose roles listen on free ports when they are started by hand."""
    house = build_house(tmp_path / "vault")
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    ports = [int(each.getsockname()[1]) for each in listeners]
    for each in listeners:
        each.close()
    yield Installation(house, house.write_config(*ports))
    house.store.close()
