"""Two CA worlds, and both event loops that the egress has to work on."""

import pytest

from bailee.reference.pki import World


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    """The roles run on uvloop; the standard loop delivers the same in another order."""
    return "asyncio", {"use_uvloop": bool(request.param)}


@pytest.fixture(scope="session")
def world() -> World:
    """The CA that the origin of the tests has."""
    return World.create(["api.test"], title="Good")


@pytest.fixture(scope="session")
def rogue() -> World:
    """Another CA that gives out certificates for the same name."""
    return World.create(["api.test"], title="Rogue")
