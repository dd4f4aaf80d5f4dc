"""One process of a role: started with what it inherits, heard, drained, and at last killed."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import structlog

from bailee.secret import Secret
from bailee.supervise.bus import Bus
from bailee.supervise.inheritance import DRAIN, READY, Inherited, root_key_pipe
from bailee.supervise.lines import Lines
from bailee.supervise.users import RoleUser

UNREAD_LIMIT = 2 << 20
"""Bytes for a child that does not read them. It hangs then, and is ended for a successor."""
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Role:
    """A kind of process, and what it may inherit."""

    name: str
    holds_root_key: bool
    listens: bool
    calls: bool = False
    """Whether it relays calls, and so shares the node's budgets and bans."""


ROLES = (
    Role("gateway", holds_root_key=True, listens=True, calls=True),
    Role("keeper", holds_root_key=True, listens=False),
    Role("admin", holds_root_key=False, listens=True),
    Role("public", holds_root_key=False, listens=True),
)


@dataclass(frozen=True, slots=True)
class Launch:
    """How a role is started. `module` is run with `-m`; without `user` it stays this process's."""

    role: Role
    module: str
    config: Path
    root_key: Secret | None
    user: RoleUser | None

    async def start(self, listener: socket.socket | None, bus: Bus) -> "Child":
        """Start a process of the role; returns when it was forked, not when it is ready.

        Args:
            listener: Lent to the child, which gets a descriptor of its own.
            bus: Where it is heard, if it is a gateway worker.

        Raises:
            OSError: The process could not be started.
        """
        ours, theirs = socket.socketpair()
        with contextlib.ExitStack() as lent:
            lent.callback(theirs.close)
            key_fd = None
            if self.root_key is not None and self.role.holds_root_key:
                key_fd = root_key_pipe(self.root_key)
                lent.callback(os.close, key_fd)
            given = Inherited(
                config=self.config,
                listen_fd=None if listener is None else listener.fileno(),
                root_key_fd=key_fd,
                control_fd=theirs.fileno(),
            )
            try:
                process = await self._spawn(given)
            except BaseException:
                ours.close()
                raise
        child = Child(self.role.name, process, bus)
        await asyncio.get_running_loop().create_connection(lambda: child.control, sock=ours)
        if self.role.calls:
            bus.join(child)
        return child

    async def _spawn(self, given: Inherited) -> asyncio.subprocess.Process:
        """A process group of its own keeps the terminal's ^C for the supervisor alone."""
        command = [sys.executable, "-P", "-m", self.module, *given.arguments()]
        user = self.user
        return await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=sys.stderr,
            pass_fds=given.descriptors(),
            process_group=0,
            user=None if user is None else user.uid,
            group=None if user is None else user.gid,
            extra_groups=None if user is None else [],
        )


class _Control(asyncio.Protocol):
    """The supervisor's end of a control line."""

    transport: asyncio.Transport | None = None

    def __init__(self, heard: Callable[[bytes], None]) -> None:
        self._lines = Lines()
        self._heard = heard
        self.ready = asyncio.get_running_loop().create_future()
        """Whether it said `ready`; False when the line ended before."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        for line in self._lines.feed(data):
            if line != READY:
                self._heard(line)
            elif not self.ready.done():
                self.ready.set_result(True)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ready.done():
            self.ready.set_result(False)


class Child:
    """A running process of a role."""

    def __init__(self, role: str, process: asyncio.subprocess.Process, bus: Bus) -> None:
        self.role = role
        self._process = process
        self._bus = bus
        self.control = _Control(lambda line: bus.hear(self, line))
        self._pidfd: int | None = None
        with contextlib.suppress(ProcessLookupError):
            self._pidfd = os.pidfd_open(process.pid)

    def __repr__(self) -> str:
        return f"Child({self.role}, pid {self.pid}, exit {self._process.returncode})"

    @property
    def pid(self) -> int:
        """Its process id; valid for signals until `exited` returned."""
        return self._process.pid

    async def ready(self, seconds: float) -> bool:
        """Wait until it serves; False if it ended or did not say so in time."""
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.shield(self.control.ready)
        except TimeoutError:
            return False

    async def exited(self) -> str:
        """Wait for its end and say how it ended: `exit 0` or `SIGKILL`."""
        code = await self._process.wait()
        self._bus.leave(self)
        if self.control.transport is not None:
            self.control.transport.close()
        if self._pidfd is not None:
            os.close(self._pidfd)
            self._pidfd = None
        return f"exit {code}" if code >= 0 else signal.Signals(-code).name

    def drain(self) -> None:
        """Ask it to take nothing new, end what it has, and exit."""
        if self._process.returncode is None:
            self.tell(DRAIN)

    def tell(self, line: bytes) -> None:
        """Send it a line, or end it if it does not read its lines."""
        transport = self.control.transport
        if transport is None or transport.is_closing():
            return
        if transport.get_write_buffer_size() > UNREAD_LIMIT:
            log.error("a role does not read: it is killed", name=self.role, pid=self.pid)
            self.kill()
            return
        transport.write(line)

    def kill(self) -> None:
        """End it now. By descriptor, so that no process that got its number later is hit."""
        if self._pidfd is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    async def leave(self, seconds: float) -> bool:
        """Drain it, and kill it after the deadline; False if it had to be killed."""
        self.drain()
        try:
            async with asyncio.timeout(seconds):
                await self.exited()
        except TimeoutError:
            self.kill()
            await self.exited()
            return False
        return True
