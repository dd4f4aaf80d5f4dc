"""What a call needs before it can be sent: a stream, and its key and nonce where it wants one.

The database is asked, and a stream dialled, in a task of the call's own; most calls need neither.
"""

from typing import Final

from bailee.egress.dial import Door, dial
from bailee.egress.tls import PinnedStream
from bailee.errors import BaileeError, ProviderUnreachable
from bailee.gateway.authorize import Authorized
from bailee.gateway.line import Line
from bailee.gateway.once import Claim

_STREAMS_TRIED: Final = 3
"""A stream that died while the call's nonce was leased is replaced; so many are tried."""


class Departure:
    """The way of one call to a stream that it can be sent on.

    Args:
        authorized: Where it goes.
        line: What all calls share.
        claim: Its key of `Bailee-Once`, if it has one.
    """

    def __init__(self, authorized: Authorized, line: Line, claim: Claim | None) -> None:
        self._route = authorized.route
        self._line = line
        self._claim = claim
        self._signer = authorized.route.view.signer
        self.claimed: Claim | None = None
        """The key, from when the database is asked for it: whoever ends the call releases it."""
        self.nonce = ""

    def __repr__(self) -> str:
        return f"Departure({self._route.connection}, claimed={self.claimed is not None})"

    async def stream(self, *, pooled: bool) -> PinnedStream:
        """Find or dial a stream, then take the call's key, and last its nonce.

        Args:
            pooled: Whether an idle stream may be taken.

        Raises:
            BaileeError: There is none, or no key or nonce. Nothing was sent, and no stream is held.
        """
        signer, claim = self._signer, self._claim
        if claim is not None:
            await self._line.once.refuse_used(claim)
        wants_nonce = signer is not None and signer.nonce != "none"
        for _ in range(_STREAMS_TRIED):
            stream = await self._open(pooled=pooled)
            if claim is None and not wants_nonce:
                return stream
            try:
                if claim is not None and self.claimed is None:
                    await self._take_key(claim)
                if signer is not None:  # last: what is leased later must not be sent before
                    self.nonce = await self._line.nonces.next_for(self._route.connection, signer)
            except BaseException:
                stream.abort()
                raise
            if stream.alive:
                return stream
        raise ProviderUnreachable("the provider closes its connections at once")

    async def _open(self, *, pooled: bool) -> PinnedStream:
        route, line = self._route, self._line
        stream = line.pool.take(route.key) if pooled else None
        if stream is not None:
            stream.reused = True
            return stream
        door = Door(route.origin, route.source)
        return await dial(door, route.pins, route.key, line.resolver, line.limits.connect_seconds)

    async def _take_key(self, claim: Claim) -> None:
        self.claimed = claim  # before it is known: whoever ends the call now releases it
        try:
            await self._line.once.claim(claim)
        except BaileeError:
            self.claimed = None
            raise
