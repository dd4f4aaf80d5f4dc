"""Workers on a node's bus, all in the test's own event loop."""

import asyncio

from bailee.gateway.budgets import Budgets
from bailee.supervise.bus import Bus


class Wire:
    """The control line of one worker; `hold` keeps back what the supervisor says."""

    def __init__(self, bus: Bus, pid: int = 1) -> None:
        self.pid = pid
        self.said: list[bytes] = []
        self.budgets: Budgets | None = None
        self._bus = bus
        self._held: list[bytes] | None = None
        bus.join(self)

    def connect(self, budgets: Budgets) -> Budgets:
        """Let the worker hear."""
        self.budgets = budgets
        return budgets

    def say(self, line: bytes) -> bool:
        """What the worker says."""
        self.said.append(line)
        asyncio.get_running_loop().call_soon(self._bus.hear, self, line)
        return True

    def tell(self, line: bytes) -> None:
        """What the supervisor says."""
        if self._held is not None:
            self._held.append(line)
        else:
            for each in line.splitlines(keepends=True):
                asyncio.get_running_loop().call_soon(self._hear, each)

    def _hear(self, line: bytes) -> None:
        assert self.budgets is not None
        self.budgets.hear(line)

    def hold(self) -> None:
        """Keep back what is said from now on."""
        self._held = []

    def release(self) -> None:
        """Let it through."""
        held, self._held = self._held or [], None
        for line in held:
            self.tell(line)


def worker(bus: Bus, pid: int = 1) -> tuple[Wire, Budgets]:
    """A worker on a bus."""
    wire, loop = Wire(bus, pid), asyncio.get_running_loop()
    return wire, wire.connect(Budgets(loop.time, wire.say))
