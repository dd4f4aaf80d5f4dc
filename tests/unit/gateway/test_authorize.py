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
from bailee.gateway.limits import CallLimits, Loads
from bailee.http.calls_domain import CallsDomain
from bailee.http.head import read_head
from bailee.manage import connections
from bailee.model import DEFAULT_TENANT, CallId, Pin
from house import make_provider
from providers_samples import CA
from unit.gateway.conftest import Desk

LOADS = Loads(CallLimits())


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
    return admit(received, desk.snapshot, LOADS, peer, time.time() + later)


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


# --- by host name -------------------------------------------------------------------------------

DOMAIN = CallsDomain("calls.test")


def ask_by_host(
    desk: Desk,
    host: str,
    target: str,
    method: str = "GET",
    token: str | None = None,
    domain: CallsDomain | None = DOMAIN,
) -> Authorized:
    """Ask for a target of a host; `CON` stands for the desk's connection."""
    host, target = host.replace("CON", desk.connection), target.replace("CON", desk.connection)
    pairs = [(b"Host", host.encode()), (b"Bailee-Token", (token or desk.token).encode())]
    received = read_head(method, target.encode(), "1.1", pairs, True)
    return admit(received, desk.snapshot, LOADS, "127.0.0.1", time.time(), domain)


def test_both_forms_lead_to_the_same(desk: Desk) -> None:
    """The same route, path and record; only the form of URLs in answers differs."""
    shouted = f"{desk.connection.upper()}--REST.Calls.Test."
    for host, before in (("CON.calls.test:80", "/CON"), (shouted, "/CON.rest")):
        by_host = ask_by_host(desk, host, "/v1/%41?a=b")
        by_path = ask_by_host(desk, "127.0.0.1", f"{before}/v1/%41?a=b")
        assert (by_host.by_host, by_path.by_host) == (True, False)
        assert by_host.route is by_path.route and by_host.door == by_path.door
        for part in ("authenticated", "path", "target", "valid_until"):
            assert getattr(by_host, part) == getattr(by_path, part)
        assert by_host.intent.line(CallId("1"), "2") == by_path.intent.line(CallId("1"), "2")


REFUSED_BY_HOST: dict[str, tuple[str, str, str, type[BaileeError]]] = {
    "another method": ("CON.calls.test", "POST", "/v1/x", Denied),
    "another path": ("CON.calls.test", "GET", "/v2", Denied),
    "denied by the provider": ("CON.calls.test", "GET", "/v1/KEYS/x", Denied),
    "dot segments": ("CON.calls.test", "GET", "/v1/../x", PathRefused),
    "what Bailee places": ("CON.calls.test", "GET", "/v1?sig=x", ReservedParameter),
    "the path form as well": ("CON.calls.test", "GET", "/CON/v1", Denied),
    "an origin that is not there": ("CON--ws.calls.test", "GET", "/v1", ConnectionNotFound),
    "two hyphens in an origin": ("CON--re--st.calls.test", "GET", "/v1", ConnectionNotFound),
    "another connection": ("a" * 26 + ".calls.test", "GET", "/v1", ConnectionNotFound),
    "another connection, and the path form": (
        "a" * 26 + ".calls.test", "GET", "/CON/v1", ConnectionNotFound,
    ),
    "no connection, and the path form": (
        "www.calls.test", "GET", "/CON/v1", ConnectionNotFound,
    ),
    "another label, and the path form": (
        "www.CON.calls.test", "GET", "/CON/v1", ConnectionNotFound,
    ),
    "the whole path of the provider, elsewhere": (
        "CON.calls.example", "GET", "/v1/x", ConnectionNotFound,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED_BY_HOST)
def test_request_by_host_is_refused(case: str, desk: Desk) -> None:
    """As by the path; what the path would have named does not count under the domain."""
    host, method, target, error = REFUSED_BY_HOST[case]
    for _ in range(2):
        with pytest.raises(error) as refused:
            ask_by_host(desk, host, target, method)
        assert type(refused.value) is error


def test_host_names_nothing_without_a_domain(desk: Desk) -> None:
    """Where none is configured the path names the door, whatever the host is."""
    with pytest.raises(ConnectionNotFound):
        ask_by_host(desk, "CON.calls.test", "/v1", domain=None)
    assert not ask_by_host(desk, "CON.calls.test", "/CON/v1", domain=None).by_host


def test_decision_is_remembered_for_its_host(desk: Desk) -> None:
    """The same token, method and path at another host is another call (R10)."""
    provider = make_provider(443, CA, id="plain")
    desk.house.approve_provider(provider)
    desk.house.approve_pins(provider.id, [Pin(bytes(32))])
    first = desk.house.add_connection(provider, {"api_key": "1"})
    second = desk.house.add_connection(provider, {"api_key": "2"})
    desk.house.grant(first, "* /**")
    desk.house.grant(second, "* /**")
    desk.snapshot.refresh()
    targets = ["/v1", f"/{first}/v1", f"/{second}/v1"]
    for _ in range(2):
        for connection in (first, second):
            for target in targets:
                asked = ask_by_host(desk, f"{connection}.calls.test", target)
                assert (asked.route.connection, asked.path) == (connection, target)
            asked = ask_by_host(desk, "127.0.0.1", f"/{connection}/v1")
            assert (asked.route.connection, asked.path) == (connection, "/v1")
        with pytest.raises(ConnectionNotFound):
            ask_by_host(desk, f"{'a' * 26}.calls.test", "/v1")
    assert len(desk.snapshot.decisions) == 8


def test_token_is_looked_for_where_the_hosts_preset_puts_it(desk: Desk) -> None:
    """The door of the host says which preset; what the path looks like does not."""
    other = "a" * 26

    def ask_with_key(host: str, path: str) -> bytes:
        pairs = [(b"Host", f"{host}.calls.test".encode())]
        received = read_head("GET", f"{path}?key={desk.token}".encode(), "1.1", pairs, True)
        admit(received, desk.snapshot, LOADS, "127.0.0.1", time.time(), DOMAIN)
        return received.query

    assert ask_with_key(desk.connection, "/v1") == b""
    with pytest.raises(Denied):
        ask_with_key(desk.connection, f"/{other}/v1")
    with pytest.raises(Unauthenticated):
        ask_with_key(other, f"/{desk.connection}/v1")
