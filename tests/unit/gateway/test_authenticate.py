"""Who asks: a good token in a place where one may stand, or nobody."""

import time
from base64 import b64encode

import pytest

from bailee.errors import Unauthenticated
from bailee.gateway.authenticate import Authenticated, authenticate
from bailee.http.head import Received, read_head
from bailee.manage import callers
from bailee.model import DEFAULT_TENANT
from unit.gateway.conftest import Desk


def head(target: str, **headers: str) -> Received:
    """A request with these headers."""
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return read_head("GET", target.encode(), "1.1", [(b"Host", b"a"), *pairs], True)


def ask(desk: Desk, received: Received, peer: str = "127.0.0.1", later: float = 0) -> Authenticated:
    """Authenticate a request for the desk's connection."""
    door = received.path.split(b"/")[1]
    return authenticate(received, door, desk.snapshot, peer, time.time() + later)


def test_token_is_found_in_its_places(desk: Desk) -> None:
    """Bearer in any case, our own header, and the preset's place, which is taken out."""
    path = f"/{desk.connection}/v1"
    plain = ask(desk, head(path, Authorization=f"bearer {desk.token}"))
    ours = ask(desk, head(path, Bailee_Token=desk.token))
    assert plain == ours and not plain.by_preset and not plain.bound_to_peer
    received = head(f"{path}?a=b&key={desk.token}&c", Bailee_Other="x")
    assert ask(desk, received).by_preset
    assert received.query == b"a=b&c"


def test_preset_is_that_of_the_connection(desk: Desk) -> None:
    """Behind another door nobody looks into the query."""
    with pytest.raises(Unauthenticated):
        ask(desk, head(f"/{'a' * 26}/v1?key={desk.token}"))


BAD = {
    "nothing": {},
    "no token": {"Authorization": "Bearer "},
    "another scheme": {"Authorization": "Basic {t}"},
    "no scheme": {"Authorization": "{t}"},
    "something behind it": {"Authorization": "Bearer {t} {t}"},
    "a letter more": {"Authorization": "Bearer {t}a"},
    "the prefix cut off": {"Authorization": "Bearer {u}"},
    "in another header": {"X-Token": "{t}"},
    "in Basic": {"Authorization": "Basic {b}"},
    "a bad one of ours goes before a good bearer": {
        "Authorization": "Bearer {t}",
        "Bailee-Token": "x",
    },
}


@pytest.mark.parametrize("case", BAD)
def test_bad_token_is_nobody(case: str, desk: Desk) -> None:
    """Whatever is wrong with it."""
    basic = b64encode(f"{desk.token}:".encode()).decode()
    filled = {
        name: value.format(t=desk.token, u=desk.token[7:], b=basic)
        for name, value in BAD[case].items()
    }
    with pytest.raises(Unauthenticated):
        ask(desk, head(f"/{desk.connection}/v1", **filled))


def test_token_that_is_no_longer_good_is_nobody(desk: Desk) -> None:
    """Expired, revoked, or an operator's."""
    received = head(f"/{desk.connection}/v1", Bailee_Token=desk.token)
    assert ask(desk, received, later=3590)
    with pytest.raises(Unauthenticated, match="expired"):
        ask(desk, received, later=3601)
    operator = desk.house.operator_token()
    with pytest.raises(Unauthenticated, match="not the token of a caller"):
        ask(desk, head(f"/{desk.connection}/v1", Bailee_Token=operator))
    callers.revoke(desk.house.store, DEFAULT_TENANT, "app", time.time())
    desk.snapshot.refresh()
    with pytest.raises(Unauthenticated, match="revoked"):
        ask(desk, received)


def test_inbound_allowlist_is_kept_to(desk: Desk) -> None:
    """The socket's address decides, IPv4-mapped or not."""
    token = desk.house.add_caller("narrow", allow_from=["192.0.2.0/24"])
    received = head(f"/{desk.connection}/v1", Bailee_Token=token, X_Forwarded_For="192.0.2.1")
    for peer in ("192.0.2.1", "::ffff:192.0.2.1"):
        assert ask(desk, received, peer).bound_to_peer
    for peer in ("192.0.3.1", "::ffff:192.0.3.1", "::1", ""):
        with pytest.raises(Unauthenticated):
            ask(desk, received, peer)
