"""Nonces that grow with each call of a connection, whichever worker makes it.

Each is leased alone, right before its call is signed: a block of them would let one worker use a
lower one after another worker's higher one. APIs that want such nonces serve a few calls a second
for each key, so that a commit for each does not count.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

from bailee.model import ConnectionId
from bailee.signing.clock import nonce_floor
from bailee.signing.sign import Signer
from bailee.store import nonces
from bailee.store.engine import Store


class NonceLeases:
    """Leases nonces in a thread of its own.

    Args:
        store: The database.
        clock: Unix seconds.
    """

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, "nonces")

    def __repr__(self) -> str:
        return f"NonceLeases({self._store!r})"

    async def next_for(self, connection: ConnectionId, signer: Signer) -> str:
        """Return the nonce of the connection's next call, as the scheme wants it.

        Raises:
            StoreUnavailable: The database did not answer within its 5 seconds.
            BadInput, Conflict: The connection's nonces are used up, or it is gone.
        """
        if signer.nonce == "none":
            return ""
        if signer.nonce == "uuid":
            return str(uuid4())
        loop = asyncio.get_running_loop()
        return str(await loop.run_in_executor(self._thread, self._lease, connection, signer))

    def close(self) -> None:
        """End the thread; a lease under way is finished first."""
        self._thread.shutdown()

    def _lease(self, connection: ConnectionId, signer: Signer) -> int:
        floor = nonce_floor(self._clock(), signer.nonce_unit)
        with self._store.write() as conn:
            return nonces.lease(conn, connection, floor, 1).start
