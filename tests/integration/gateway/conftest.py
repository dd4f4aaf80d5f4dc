"""A whole world for the gateway: a vault, a real origin, a caller with a grant."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bailee.model import ConnectionId, Provider
from bailee.reference.pki import World
from gate import Gate, run_gate
from house import House, build_house, make_provider
from origin import Origin, run_origin

CREDENTIAL = "canary-Zq7-credential-0123456789"


@dataclass(slots=True)
class Stage:
    """Everything that a call passes through."""

    house: House
    world: World
    origin: Origin
    provider: Provider
    connection: ConnectionId
    token: str
    gate: Gate

    @property
    def port(self) -> int:
        return self.gate.port


@pytest.fixture(scope="session")
def world() -> World:
    """One CA world for the whole run: keys take time."""
    return World.create(["api.test"])


@pytest.fixture
async def stage(tmp_path: Path, world: World) -> AsyncIterator[Stage]:
    """A gateway in front of a recording origin; `app` may do anything."""
    house = build_house(tmp_path / "vault")
    async with run_origin(world.leaf) as origin:
        provider = make_provider(origin.port, world.root.pem.decode())
        house.approve_provider(provider)
        house.approve_pins(provider.id, [world.leaf.pin])
        connection = house.add_connection(provider, {"api_key": CREDENTIAL})
        token = house.add_caller()
        origin.secrets.append(token.encode())
        house.grant(connection, "* /**")
        async with run_gate(house) as gate:
            yield Stage(house, world, origin, provider, connection, token, gate)
    house.store.close()
    assert origin.flags == []
