"""A real store with a connection and its caller, and a gateway's view of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bailee.gateway.route import DialSource
from bailee.gateway.routing import Routing
from bailee.gateway.snapshot import Snapshot
from bailee.model import ConnectionId, Pin, Provider
from bailee.store.lookup import CallLookup
from house import SOURCE, House, build_house, make_provider
from providers_samples import CA


@dataclass(slots=True)
class Desk:
    """What deciding about a request needs."""

    house: House
    provider: Provider
    connection: ConnectionId
    token: str
    snapshot: Snapshot


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """`app` may GET anything below /v1, and POST /graphql."""
    house = build_house(tmp_path / "vault")
    auth = (
        'caller.token = "query key"\n[[auth.place]]\nheader = "API-Key"\nvalue = "{k}"\n'
        '[[auth.place]]\nquery = "sig"\nvalue = "{k}"\n[[deny]]\nrule = "GET /v1/keys/**"\n'
    )
    provider = make_provider(443, CA, auth=auth)
    house.approve_provider(provider)
    house.approve_pins(provider.id, [Pin(bytes(32))])
    connection = house.add_connection(provider, {"k": "secret"})
    token = house.add_caller()
    house.grant(connection, "GET /v1/**", "POST /graphql")
    lookup = CallLookup(house.database)
    routing = Routing(lookup, house.verifier, [DialSource("a", SOURCE, SOURCE)])
    snapshot = Snapshot(lookup, routing, lambda: 0.0)
    snapshot.refresh()
    yield Desk(house, provider, connection, token, snapshot)
    lookup.close()
    house.store.close()
