"""The allowlist middleware decides by the socket's peer alone."""

from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any

import pytest

from bailee.errors import BadInput
from bailee.policy.allowlist import Allowlist
from bailee.reference.allowlist_middleware import (
    AllowlistMiddleware,
    Message,
    Receive,
    Scope,
    Send,
)

ALLOWED, FOREIGN, PROXY = "127.0.0.2", "127.0.0.3", "127.0.0.9"
ALLOWLIST = Allowlist.parse([ALLOWED, "10.0.0.0/8", "2001:db8::/32"])
FORGED = (
    ("x-forwarded-for", ALLOWED),
    ("X-Forwarded-For", ALLOWED),
    ("forwarded", f"for={ALLOWED}"),
    ("x-real-ip", ALLOWED),
    ("x-client-ip", ALLOWED),
    ("true-client-ip", ALLOWED),
    ("cf-connecting-ip", ALLOWED),
    ("x-forwarded-host", ALLOWED),
    ("host", ALLOWED),
)


def _run(coroutine: Coroutine[Any, Any, None]) -> None:
    with pytest.raises(StopIteration):
        coroutine.send(None)


async def _served(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "served"})


def _ask(
    peer: str | None,
    headers: Iterable[tuple[str, str]] = (),
    *,
    allowlist: Allowlist | None = ALLOWLIST,
    proxies: Iterable[str] = (),
    kind: str = "http",
    lookup: Callable[[Scope], Any] | None = None,
    refused: list[Scope] | None = None,
) -> list[Message]:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": f"{kind}.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    middleware = AllowlistMiddleware(
        _served,
        lookup or (lambda _: allowlist),
        trusted_proxies=proxies,
        on_refusal=None if refused is None else refused.append,
    )
    scope: Scope = {
        "type": kind,
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers],
        "client": None if peer is None else (peer, 50_000),
    }
    _run(middleware(scope, receive, send))
    return sent


def _is_served(sent: list[Message]) -> bool:
    return sent == [{"type": "served"}]


@pytest.mark.parametrize(
    "peer", [ALLOWED, "10.9.8.7", "::ffff:127.0.0.2", "::ffff:10.9.8.7", "2001:db8:1::7"]
)
def test_serves_when_the_peer_is_allowed(peer: str) -> None:
    """IPv4, CIDR, IPv4-mapped and IPv6 peers on the allowlist are let through."""
    assert _is_served(_ask(peer))


@pytest.mark.parametrize(
    "peer", [FOREIGN, "11.0.0.1", "::ffff:127.0.0.3", "2001:db9::1", "::1", "::7f00:2"]
)
def test_refuses_when_the_peer_is_foreign(peer: str) -> None:
    """A foreign peer gets 403, and the answer names the address that was seen."""
    sent = _ask(peer)
    assert sent[0]["status"] == 403
    assert b'"address_not_allowed"' in sent[1]["body"]
    seen = peer.replace("::ffff:", "")
    assert f"address {seen} is not on this key's allowlist".encode() in sent[1]["body"]


@pytest.mark.parametrize("peer", [None, "", "testclient", "/run/socket", "fe80::1%eth0"])
def test_refuses_when_the_peer_is_not_known(peer: str | None) -> None:
    """No address, or something that is none, is refused and not repeated."""
    sent = _ask(peer, allowlist=Allowlist.parse(["0.0.0.0/0", "::/0"]))
    assert sent[0]["status"] == 403
    assert b"the client's address is not known" in sent[1]["body"]


@pytest.mark.parametrize("header", FORGED, ids=lambda header: header[0])
def test_refuses_when_a_client_writes_an_allowed_address(header: tuple[str, str]) -> None:
    """No header helps a foreign peer, whatever proxies are configured."""
    assert not _is_served(_ask(FOREIGN, [header]))
    assert not _is_served(_ask(FOREIGN, [header], proxies=[PROXY]))


def test_serves_when_a_client_writes_a_foreign_address() -> None:
    """Nor does a header harm an allowed peer."""
    assert _is_served(_ask(ALLOWED, [("x-forwarded-for", FOREIGN)], proxies=[PROXY]))


THROUGH_PROXY = {
    "the one entry": ([ALLOWED], True),
    "the right-most entry": ([f"{FOREIGN}, {ALLOWED}"], True),
    "the last of two headers": ([FOREIGN, ALLOWED], True),
    "a mapped entry": ([f"::ffff:{ALLOWED}"], True),
    "an entry left of a foreign one": ([f"{ALLOWED}, {FOREIGN}"], False),
    "an earlier header": ([ALLOWED, FOREIGN], False),
    "no header at all": ([], False),
    "an empty header": ([""], False),
    "an empty last entry": ([f"{ALLOWED},"], False),
    "an entry with a port": ([f"{ALLOWED}:80"], False),
    "an entry in quotes": ([f'"{ALLOWED}"'], False),
    "a name": (["localhost"], False),
    "bytes that are no text": (["\xff\xfe"], False),
}


@pytest.mark.parametrize(("values", "served"), THROUGH_PROXY.values(), ids=THROUGH_PROXY)
def test_reads_the_right_most_entry_of_a_trusted_proxy(values: list[str], served: bool) -> None:
    """Behind a trusted proxy the right-most entry decides, and nothing left of it."""
    headers = [("x-forwarded-for", value) for value in values]
    assert _is_served(_ask(PROXY, headers, proxies=[PROXY])) is served


def test_proxy_address_itself_is_not_the_client() -> None:
    """A proxy that names nobody is refused even where its own address is on the allowlist."""
    assert not _is_served(_ask(ALLOWED, proxies=[ALLOWED]))


@pytest.mark.parametrize("peer", ["127.0.0.8", "127.0.0.10", None])
def test_trusts_no_neighbour_of_a_proxy(peer: str | None) -> None:
    """Only a peer that is exactly the proxy is asked."""
    assert not _is_served(_ask(peer, [("x-forwarded-for", ALLOWED)], proxies=[PROXY]))


def test_trusts_a_proxy_that_arrives_mapped() -> None:
    """On a socket for both families the proxy is still the proxy."""
    headers = [("x-forwarded-for", ALLOWED)]
    assert _is_served(_ask(f"::ffff:{PROXY}", headers, proxies=[PROXY]))


@pytest.mark.parametrize("proxy", ["127.0.0.0/8", "127.0.0.9/32", "*", "proxy.test", ""])
def test_refuses_to_be_made_when_a_proxy_is_not_exact(proxy: str) -> None:
    """Networks, names and wildcards are no trusted proxies."""
    with pytest.raises(BadInput):
        AllowlistMiddleware(_served, lambda _: None, trusted_proxies=[proxy])


def test_refuses_when_the_allowlist_is_empty() -> None:
    """An empty allowlist admits nobody; no allowlist lets the application decide."""
    assert not _is_served(_ask(ALLOWED, allowlist=Allowlist()))
    assert _is_served(_ask(FOREIGN, allowlist=None))


def test_awaits_an_async_lookup() -> None:
    """The lookup may be async: what it returns decides, and not that it returned something."""

    async def lookup(_: Scope) -> Allowlist | None:
        return ALLOWLIST

    assert _is_served(_ask(ALLOWED, lookup=lookup))
    assert not _is_served(_ask(FOREIGN, lookup=lookup))


def test_lets_nothing_through_when_the_lookup_fails() -> None:
    """A lookup that raises is not a request that is let through."""

    def lookup(_: Scope) -> Awaitable[Allowlist | None]:
        raise LookupError

    with pytest.raises(LookupError):
        _ask(ALLOWED, lookup=lookup)


def test_refuses_a_websocket() -> None:
    """WebSockets are subject to the allowlist too."""
    assert _is_served(_ask(ALLOWED, kind="websocket"))
    assert _ask(FOREIGN, kind="websocket") == [{"type": "websocket.close", "code": 1008}]


def test_passes_lifespan_on() -> None:
    """Start and stop of the server are no requests."""
    assert _is_served(_ask(None, kind="lifespan", allowlist=Allowlist()))


def test_tells_of_refusals_alone() -> None:
    """Who counts refusals hears of each refused request and of no other."""
    refused: list[Scope] = []
    _ask(ALLOWED, refused=refused)
    assert not refused
    _ask(FOREIGN, refused=refused)
    assert len(refused) == 1


def test_refusal_is_answered_as_the_service_wants_it() -> None:
    """A service's own answer takes the place of the 403, for refused requests alone."""
    told: list[object] = []

    async def refuse(_: Scope, __: Receive, send: Send, address: object) -> None:
        told.append(address)
        await send({"type": "http.response.start", "status": 404})

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        await _served(scope, receive, send)

    app = AllowlistMiddleware(served, lambda _: ALLOWLIST, refuse=refuse)
    sent: list[Message] = []

    async def receive() -> Message:
        return {}

    async def send(message: Message) -> None:
        sent.append(message)

    for peer in (ALLOWED, FOREIGN, None):
        client = None if peer is None else (peer, 1)
        _run(app({"type": "http", "headers": [], "client": client}, receive, send))
    assert [each["type"] for each in sent] == ["served", *["http.response.start"] * 2]
    assert [str(each) for each in told] == [FOREIGN, "None"]
