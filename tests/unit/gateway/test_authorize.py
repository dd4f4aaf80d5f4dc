"""May this caller do this? The default is no."""

import time

import pytest

from bailee.errors import (
    BaileeError,
    ConnectionNotFound,
    ConnectionRevoked,
    Denied,
    PathRefused,
    ReservedParameter,
    Unauthenticated,
)
from bailee.gateway.authorize import Authorized, admit, split_target
from bailee.http.head import read_head
from bailee.manage import connections
from bailee.model import DEFAULT_TENANT
from unit.gateway.conftest import Desk


def ask(
    desk: Desk,
    path: str,
    method: str = "GET",
    token: str | None = None,
    later: float = 0,
    peer: str = "127.0.0.1",
) -> Authorized:
    """Ask for a path of the desk's connection, or for a whole target."""
    target = path[1:] if path.startswith("//") else f"/{desk.connection}{path}"
    pairs = [(b"Host", b"a"), (b"Bailee-Token", (token or desk.token).encode())]
    received = read_head(method, target.encode(), "1.1", pairs, True)
    return admit(received, desk.snapshot, peer, time.time() + later)


def test_target_is_split_into_door_and_path() -> None:
    """What is no path is the root."""
    assert split_target(b"/con.ws/v1/x") == (b"con.ws", b"/v1/x")
    assert split_target(b"/con") == (b"con", b"/")
    assert split_target(b"/con/") == (b"con", b"/")
    assert split_target(b"//x") == (b"", b"/x")
    assert split_target(b"/con//x") == (b"con", b"//x")


def test_granted_request_is_authorized(desk: Desk) -> None:
    """It says where to, for whom, and until when; the path in its one meaning."""
    authorized = ask(desk, "/v1/%41")
    assert (authorized.path, authorized.target) == ("/v1/A", b"/v1/A")
    assert authorized.route.connection == desk.connection
    assert 3590 < authorized.valid_until - time.time() <= 3600
    assert ask(desk, ".rest/v1").route.origin.name == "rest"


REFUSED: dict[str, tuple[str, str, type[BaileeError]]] = {
    "another method": ("POST", "/v1/x", Denied),
    "another path": ("GET", "/v2", Denied),
    "denied by the provider": ("GET", "/v1/keys", Denied),
    "denied by the provider, in capitals": ("GET", "/v1/KEYS/x", Denied),
    "multiplexed": ("POST", "/graphql", Denied),
    "dot segments": ("GET", "/v1/../x", PathRefused),
    "an origin that is not there": ("GET", ".ws/v1", ConnectionNotFound),
    "an empty origin": ("GET", "./v1", ConnectionNotFound),
    "another connection": ("GET", "//" + "a" * 26 + "/v1", ConnectionNotFound),
    "no connection": ("GET", "//", ConnectionNotFound),
    "what Bailee places": ("GET", "/v1?sig=x", ReservedParameter),
    "what Bailee places, encoded": ("GET", "/v1?a&%73ig", ReservedParameter),
}


@pytest.mark.parametrize("case", REFUSED)
def test_request_is_refused(case: str, desk: Desk) -> None:
    """The same the second time, when the decision may be remembered."""
    method, path, error = REFUSED[case]
    for _ in range(2):
        with pytest.raises(error) as refused:
            ask(desk, path, method)
        assert type(refused.value) is error


def test_other_callers_connection_is_not_there(desk: Desk) -> None:
    """For a caller without a grant, with or without a good path."""
    other = desk.house.add_caller("other")
    for path in ("/v1", "/v2"):
        with pytest.raises(ConnectionNotFound):
            ask(desk, path, token=other)


def test_grant_ends_when_it_expires(desk: Desk) -> None:
    """Also where the decision was remembered while it held."""
    token = desk.house.add_caller("short", seconds=7200)
    until = time.time() + 100
    desk.house.grant(desk.connection, "GET /v1/**", caller="short", expires_at=until)
    desk.house.grant(desk.connection, "GET /v3", caller="short", expires_at=until + 100)
    desk.snapshot.refresh()
    assert ask(desk, "/v1", token=token).valid_until == until
    with pytest.raises(Denied):
        ask(desk, "/v1", token=token, later=101)
    assert ask(desk, "/v3", token=token, later=101).valid_until == until + 100
    with pytest.raises(ConnectionNotFound):
        ask(desk, "/v3", token=token, later=201)


def test_token_ends_when_it_expires(desk: Desk) -> None:
    """Also where the decision was remembered."""
    assert ask(desk, "/v1")
    with pytest.raises(Unauthenticated):
        ask(desk, "/v1", later=3601)


def test_revoked_connection_is_told_to_who_has_a_grant(desk: Desk) -> None:
    """And to nobody else."""
    assert ask(desk, "/v1")
    other = desk.house.add_caller("other")
    connections.revoke(desk.house.store, DEFAULT_TENANT, desk.connection, time.time())
    desk.snapshot.refresh()
    with pytest.raises(ConnectionRevoked):
        ask(desk, "/v1")
    with pytest.raises(ConnectionNotFound):
        ask(desk, "/v1", token=other)
