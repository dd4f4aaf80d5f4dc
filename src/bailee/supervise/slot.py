"""A place that one process of a role holds at a time: when it dies, a successor takes it."""

import asyncio
import contextlib
import socket

import structlog

from bailee.supervise.bus import Bus
from bailee.supervise.child import Child, Launch

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 10.0
STEADY_SECONDS = 30.0
"""After so long up, the next death is the first again."""
READY_SECONDS = 30.0
DRAIN_SECONDS = 30.0

log = structlog.get_logger()


class Slot:
    """One gateway worker's place, or that of another role.

    It owns the listening socket for life: connections that come while nobody holds the place wait
    in the socket's queue for the successor.
    """

    def __init__(
        self, launch: Launch, number: int, listener: socket.socket | None, bus: Bus
    ) -> None:
        self.launch = launch
        self.number = number
        self.listener = listener
        self._bus = bus
        self.serving = asyncio.Event()
        """Set when a process of this place was ready for the first time."""
        self.ended = asyncio.Event()
        """Set when `run` has returned: nobody holds the place any more."""
        self._child: Child | None = None
        self._stopping = False
        self._killing = False
        self._wake = asyncio.Event()

    def __repr__(self) -> str:
        return f"Slot({self.launch.role.name} {self.number}, {self._child})"

    async def run(self, tasks: asyncio.TaskGroup) -> None:
        """Keep the place held until `stop`; returns when its last process has ended."""
        try:
            await self._hold(tasks)
        finally:
            self.ended.set()

    async def _hold(self, tasks: asyncio.TaskGroup) -> None:
        pause = FIRST_PAUSE
        loop = asyncio.get_running_loop()
        while not (self._stopping and self._child is None):
            child = self._child or await self._start(tasks)
            since = loop.time()
            if child is not None:
                ended = await child.exited()
                if self._child is not child:
                    continue
                self._child = None
                if self._stopping:
                    return
                log.error("role ended", name=child.role, pid=child.pid, how=ended)
            pause = FIRST_PAUSE if loop.time() - since >= STEADY_SECONDS else pause
            await self._wait(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _start(self, tasks: asyncio.TaskGroup) -> Child | None:
        try:
            child = await self.launch.start(self.listener, self._bus)
        except OSError as error:
            log.error("role can't be started", name=self.launch.role.name, reason=str(error))
            return None
        if self._child is not None:
            tasks.create_task(child.leave(DRAIN_SECONDS))
            return self._child
        self._child = child
        if self._killing:
            child.kill()
        elif self._stopping:
            child.drain()
        tasks.create_task(self._announce(child))
        return child

    async def _announce(self, child: Child) -> None:
        if await child.ready(READY_SECONDS):
            log.info("role ready", name=child.role, pid=child.pid, number=self.number)
            self.serving.set()

    async def _wait(self, seconds: float) -> None:
        """Pause; a stop, or a successor from a reload, ends it."""
        self._wake.clear()
        if not self._stopping and self._child is None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._wake.wait()

    async def prepare(self, launch: Launch) -> Child | None:
        """Start a successor beside the present process; None if it did not become ready."""
        try:
            child = await launch.start(self.listener, self._bus)
        except OSError as error:
            log.error("role can't be started", name=launch.role.name, reason=str(error))
            return None
        try:
            if await child.ready(READY_SECONDS):
                return child
        except asyncio.CancelledError:
            child.kill()
            raise
        child.kill()
        log.error("successor did not become ready", name=child.role, how=await child.exited())
        return None

    def adopt(self, launch: Launch, child: Child) -> Child | None:
        """Give the place to a successor; returns the process that is to be drained."""
        before, self._child, self.launch = self._child, child, launch
        log.info("role ready", name=child.role, pid=child.pid, number=self.number)
        self.serving.set()
        self._wake.set()
        return before

    def stop(self) -> None:
        """Ask the process to drain, and start no other; `run` returns when it has ended.

        The socket is closed at once: who comes now is refused, and does not wait for nobody.
        """
        self._stopping = True
        self.close()
        self._wake.set()
        if self._child is not None:
            self._child.drain()

    def kill(self) -> None:
        """End the process now."""
        self._killing = True
        if self._child is not None:
            log.error("role killed", name=self._child.role, pid=self._child.pid)
            self._child.kill()

    def close(self) -> None:
        """Close the socket; what still waits in its queue is reset."""
        if self.listener is not None:
            self.listener.close()
