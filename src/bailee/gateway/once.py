"""`Bailee-Once`: a caller's key that one call has, whichever worker it comes to.

The row is written after the call was recorded and a stream is there, right before it is sent. If
nothing was sent after all, the key is released. If the process dies in between, nobody can say, and
the key stays used.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256

import structlog

from bailee.errors import BaileeError, OnceUsed
from bailee.gateway.authorize import Authorized
from bailee.http.head import Received
from bailee.model import CallerId, CallId, TenantId
from bailee.store import once
from bailee.store.engine import Store

_HINT = (
    "nothing of this call was sent; look what became of the first one: "
    "what is to be done anew wants a new key"
)
RECONCILE = (
    "look at the provider whether the request of `method`, `path` and `sent_at` was carried out: "
    "it is not sent again"
)
_log = structlog.get_logger("gateway")


@dataclass(frozen=True, slots=True)
class Claim:
    """What a call wants: this key of its caller, for itself. `digest` is SHA-256 of the key."""

    tenant: TenantId
    caller: CallerId
    digest: bytes
    call: CallId


def claim_of(received: Received, authorized: Authorized, call: CallId) -> Claim | None:
    """Read what key a call wants for itself; None for most calls, which have none."""
    if received.once is None:
        return None
    who = authorized.authenticated
    return Claim(who.tenant, who.caller, sha256(received.once).digest(), call)


def what_was_sent(method: str, path: str, at: float) -> dict[str, str | float]:
    """Tell a program what to look for at the provider, and from when on (Unix seconds)."""
    return {"method": method, "path": path, "sent_at": round(at, 3)}


class OnceKeys:
    """Claims keys in a thread of its own, one after another.

    Args:
        store: The database.
        clock: Unix seconds.
    """

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, "once-keys")

    def __repr__(self) -> str:
        return f"OnceKeys({self._store!r})"

    async def refuse_used(self, claim: Claim) -> None:
        """Look whether a key is free: what is not need not be dialled for.

        Raises:
            OnceUsed: An earlier call has it.
            StoreUnavailable: The database did not answer within its 5 seconds.
        """
        await asyncio.get_running_loop().run_in_executor(self._thread, self._find, claim)

    async def claim(self, claim: Claim) -> None:
        """Take a key. Once this returns no other call of any process gets it, kill -9 included.

        Whoever is cancelled here may have it or not, and calls `release`.

        Raises:
            OnceUsed: An earlier call has it.
            StoreUnavailable: The database did not answer within its 5 seconds. It was not taken.
            Conflict: There is no such caller any more.
        """
        await asyncio.get_running_loop().run_in_executor(self._thread, self._claim, claim)

    def release(self, claim: Claim, then: Callable[[], None] | None = None) -> None:
        """Give back the key of a call of which nothing was sent.

        It is given back after a claim that is still under way. A failure is logged, and the key
        stays used.

        Args:
            claim: What was claimed, or may have been.
            then: What the event loop is to do afterwards, whether it succeeded or not.
        """
        loop, released = asyncio.get_running_loop(), self._thread.submit(self._release, claim)
        if then is not None:
            released.add_done_callback(lambda _: _call_soon(loop, then))

    def close(self) -> None:
        """End the thread; what is under way, and what waits for it, is finished first."""
        self._thread.shutdown()

    def _find(self, claim: Claim) -> None:
        with self._store.read() as conn:
            first = once.find(conn, claim.tenant, claim.caller, claim.digest)
        if first is not None:
            raise OnceUsed(first, _HINT)

    def _claim(self, claim: Claim) -> None:
        with self._store.write() as conn:
            first = once.claim(
                conn, claim.tenant, claim.caller, claim.digest, claim.call, self._clock()
            )
        if first != claim.call:
            raise OnceUsed(first, _HINT)

    def _release(self, claim: Claim) -> None:
        try:
            with self._store.write() as conn:
                once.release(conn, claim.tenant, claim.caller, claim.digest, claim.call)
        except BaileeError as failure:
            _log.error("a once-key stays used", call=claim.call, detail=failure.detail)


def _call_soon(loop: asyncio.AbstractEventLoop, then: Callable[[], None]) -> None:
    with suppress(RuntimeError):  # the loop is closed: there is nobody to tell any more
        loop.call_soon_threadsafe(then)
