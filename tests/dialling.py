"""Short ways to dial in tests."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from bailee.egress.chain import VerifiedChain
from bailee.egress.dial import Door, dial, observe_chain
from bailee.egress.pool import PoolKey
from bailee.egress.resolve import Resolver
from bailee.egress.tls import PinnedStream
from bailee.model import Origin, Pin, PinSet, ProviderId
from bailee.reference.pki import Issued

SOURCE = "127.0.0.2"
KEY = PoolKey("default", "api", "rest", bytes(32), 1, (), SOURCE)
LookUp = Callable[[str, int], tuple[str, ...]]


def pem(*roots: Issued) -> str:
    return "".join(root.pem.decode() for root in roots)


def door(port: int, ca_pem: str | None, source: str = SOURCE, **origin: Any) -> Door:
    """A door to `api.test` on 127.0.0.1; `origin` changes fields of the origin."""
    fields = {"address": "127.0.0.1", "danger_private_addresses": True, **origin}
    host = fields.pop("host", "api.test")
    return Door(Origin("rest", host, port, ca_pem=ca_pem, **fields), source)


@asynccontextmanager
async def dialled(
    to: Door, *pins: Pin, seconds: float = 5.0, look_up: LookUp | None = None
) -> AsyncIterator[PinnedStream]:
    """Dial with these pins, and abort the stream at the end of the block."""
    resolver = Resolver(look_up)
    approved = PinSet(ProviderId("api"), "rest", 1, pins, True)
    try:
        stream = await dial(to, approved, KEY, resolver, seconds)
    finally:
        resolver.close()
    try:
        yield stream
    finally:
        stream.abort()


async def observe(to: Door, seconds: float = 5.0) -> VerifiedChain:
    """See the chain, as `pin learn` does."""
    resolver = Resolver()
    try:
        return await observe_chain(to, resolver, seconds)
    finally:
        resolver.close()
