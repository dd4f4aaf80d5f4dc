"""The answers of one turn of the event loop, written together at its end.

A write to a peer that sleeps has to wake it, and on a virtual machine that costs the writer several
microseconds: more than all checks of a call together. Answers that are written one right after
another wake the machine's other cores once (`docs/performance.md`).
"""

import asyncio
from typing import Final

LARGE_BYTES: Final = 8 * 1024


class Outbox:
    """What a worker has yet to write to its clients in this turn."""

    def __init__(self) -> None:
        self._waiting: list[tuple[asyncio.WriteTransport, bytes]] = []
        self._call_soon = asyncio.get_running_loop().call_soon

    def __repr__(self) -> str:
        return f"Outbox({len(self._waiting)} waiting)"

    def write(self, transport: asyncio.WriteTransport, data: bytes) -> None:
        """Write at the end of this turn, after all that was written to this transport before.

        What is large is written now: a client that reads slowly has to hold up the provider before
        the next read, not after it.
        """
        waiting = self._waiting
        if len(data) > LARGE_BYTES:
            self.flush()
            if not transport.is_closing():
                transport.write(data)
            return
        waiting.append((transport, data))
        if len(waiting) == 1:
            self._call_soon(self.flush)

    def flush(self) -> None:
        """Write now; whoever is about to close a transport does so first."""
        waiting, self._waiting = self._waiting, []
        for transport, data in waiting:
            if not transport.is_closing():
                transport.write(data)
