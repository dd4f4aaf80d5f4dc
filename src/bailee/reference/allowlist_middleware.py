"""Per-key allowlists for an ASGI service: what an API provider can take into its own.

    app = AllowlistMiddleware(app, lookup, trusted_proxies=["10.0.0.5"])

It needs `bailee.policy.allowlist` and nothing else. It decides by the address that the socket's
peer has, and by nothing that a client can write. Whoever runs it sees to three things:

- The server must not rewrite `scope["client"]` from headers: uvicorn does so for peers on
  127.0.0.1 unless it runs with `proxy_headers=False` (`--no-proxy-headers`). Leave out any other
  middleware that does so.
- A front proxy is named by its exact address, and it must append the peer that it saw to
  `X-Forwarded-For` (or replace the header). Only the right-most entry is read: what stands left of
  it was written by the client. Two proxies in a row are not supported.
- Nobody but the proxy may reach the service under the proxy's address.
"""

import json
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from inspect import isawaitable
from typing import Any

from bailee.errors import BadInput
from bailee.policy.allowlist import Address, Allowlist, parse_address

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
Lookup = Callable[[Scope], Allowlist | None | Awaitable[Allowlist | None]]
"""From a request to the allowlist of its key; `None` where none governs it. An unknown key is the
application's to refuse."""

Refusal = Callable[[Scope, Receive, Send, Address | None], Awaitable[None]]
"""Answers a request from an address that is not on the list; `None` where that is not known."""

POLICY_VIOLATION = 1008
"""The close code of a refused WebSocket (RFC 6455, 7.4.1)."""


class AllowlistMiddleware:
    """Lets a request through only from an address on its key's allowlist.

    Args:
        app: The service behind it.
        lookup: Finds the allowlist of a request's key, sync or async. What it raises is raised:
            the request does not go through.
        trusted_proxies: Addresses of front proxies, exact ones only.
        on_refusal: Told of each refused request, for counting.
        refuse: Answers each refused HTTP request, where not with the 403 of `refuse_address`.

    Raises:
        BadInput: A trusted proxy is not one exact address.
    """

    def __init__(
        self,
        app: Application,
        lookup: Lookup,
        *,
        trusted_proxies: Iterable[str] = (),
        on_refusal: Callable[[Scope], None] | None = None,
        refuse: Refusal | None = None,
    ) -> None:
        self._app = app
        self._lookup = lookup
        self._proxies = frozenset(_exact(proxy) for proxy in trusted_proxies)
        self._on_refusal = on_refusal
        self._refuse = refuse or refuse_address

    def address(self, scope: Scope) -> Address | None:
        """Say where a request comes from, the trusted proxies being known."""
        return client_address(scope, self._proxies)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        found = self._lookup(scope)
        allowlist = await found if isawaitable(found) else found
        address = self.address(scope)
        if allowlist is None or (address is not None and allowlist.admits(str(address))):
            await self._app(scope, receive, send)
            return
        if self._on_refusal is not None:
            self._on_refusal(scope)
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": POLICY_VIOLATION})
            return
        await self._refuse(scope, receive, send, address)


def client_address(scope: Scope, trusted_proxies: frozenset[Address]) -> Address | None:
    """Say where a request comes from.

    Args:
        scope: The ASGI scope of a request.
        trusted_proxies: Front proxies; only a peer that is exactly one of them is asked.

    Returns:
        The socket's peer or, where that is a trusted proxy, the right-most entry of the last
        `X-Forwarded-For`. `None` when there is no such address or it is not one.
    """
    client = scope.get("client")
    peer = parse_address(client[0]) if client else None
    if peer is None or peer not in trusted_proxies:
        return peer
    forwarded = [value for name, value in scope["headers"] if name.lower() == b"x-forwarded-for"]
    if not forwarded:
        return None
    return parse_address(forwarded[-1].rpartition(b",")[2].strip(b" \t").decode("latin-1"))


def _exact(proxy: str) -> Address:
    address = parse_address(proxy)
    if address is None:
        raise BadInput(f"{proxy!r} is not one address", "name each trusted proxy by its address")
    return address


async def refuse_address(_: Scope, __: Receive, send: Send, address: Address | None) -> None:
    """Answer 403, and say the address: it is the sender's own."""
    message = "the client's address is not known"
    if address is not None:
        message = f"address {address} is not on this key's allowlist"
    body = json.dumps({"error": {"code": "address_not_allowed", "message": message}}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": body})
