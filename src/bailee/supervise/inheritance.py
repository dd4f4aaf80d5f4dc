"""What a role inherits from the supervisor, seen from both ends of the fork.

    python -m bailee.app.ROLE --config F [--listen-fd N] [--root-key-fd N] [--control-fd N]

- `--listen-fd`: a bound and listening TCP socket (every role but the keeper). The supervisor keeps
  it too and gives it to the successor, so a child closes only its own descriptor.
- `--root-key-fd`: a pipe that holds the root key's bytes and then its end (gateway and keeper).
  Absent when the root key is missing or wrong: the role runs with a closed vault.
- `--control-fd`: one end of a socket pair. The child writes `ready` and a line feed once it serves.
  The supervisor writes `drain` and a line feed, or closes its end by dying: both mean that the
  child takes nothing new, ends what it has, and exits with 0. All other lines are those of the node
  bus (`supervise/bus.py`), which goes on while a child drains.

This module imports of Bailee only `Secret` and `Lines`, so that every role may use it.
"""

import argparse
import asyncio
import ctypes
import os
import resource
import signal
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bailee.secret import Secret
from bailee.supervise.lines import Lines

READY = b"ready\n"
DRAIN = b"drain\n"
ROOT_KEY_LIMIT = 4096
"""Bytes: a pipe takes so many at once, so that writing the root key never waits."""
UNSENT_LIMIT = 64 * 1024
"""Bytes that wait for the supervisor to read them; what is said beyond is thrown away."""
_READ_BYTES = 64 * 1024
_PR_SET_DUMPABLE = 4


@dataclass(frozen=True, slots=True)
class Inherited:
    """What a role was started with. A descriptor that is None was not given."""

    config: Path
    listen_fd: int | None
    root_key_fd: int | None
    control_fd: int | None

    def arguments(self) -> list[str]:
        """The command line that `inherited` reads."""
        given = {
            "--listen-fd": self.listen_fd,
            "--root-key-fd": self.root_key_fd,
            "--control-fd": self.control_fd,
        }
        line = ["--config", str(self.config)]
        for option, descriptor in given.items():
            if descriptor is not None:
                line += [option, str(descriptor)]
        return line

    def descriptors(self) -> tuple[int, ...]:
        """The descriptors that were given."""
        every = (self.listen_fd, self.root_key_fd, self.control_fd)
        return tuple(descriptor for descriptor in every if descriptor is not None)


def inherited(arguments: Sequence[str]) -> Inherited:
    """Read a role's command line (without the program's name); exits with 2 on a bad one."""
    parser = argparse.ArgumentParser(prog="bailee.app", description="one role; see bailee serve")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--listen-fd", type=int)
    parser.add_argument("--root-key-fd", type=int)
    parser.add_argument("--control-fd", type=int)
    read = parser.parse_args(arguments)
    return Inherited(read.config, read.listen_fd, read.root_key_fd, read.control_fd)


def listening_socket(fd: int) -> socket.socket:
    """Take over an inherited listening socket, not blocking. The caller closes it.

    Raises:
        OSError: `fd` is not an open socket.
    """
    os.set_inheritable(fd, False)
    listener = socket.socket(fileno=fd)
    listener.setblocking(False)
    return listener


def read_root_key(fd: int) -> Secret:
    """Read the root key to its end and close the descriptor.

    Raises:
        OSError: `fd` is not open for reading.
    """
    with open(fd, "rb", buffering=0) as pipe:
        return Secret(pipe.read(ROOT_KEY_LIMIT + 1))


def root_key_pipe(root_key: Secret) -> int:
    """Put the root key into a pipe and return the end to read; the caller closes it.

    Raises:
        ValueError: The key is longer than `ROOT_KEY_LIMIT`, so writing it might wait for a reader.
    """
    if len(root_key) > ROOT_KEY_LIMIT:
        raise ValueError("the root key is too long for a pipe")
    reading, writing = os.pipe2(os.O_CLOEXEC)
    try:
        os.write(writing, root_key.reveal())
    finally:
        os.close(writing)
    return reading


def harden_process() -> None:
    """Make this process leave no core and let no other of its user read its memory (R8).

    It also may open as many files as the system lets it.

    Raises:
        OSError: The kernel refused; the process must not go on with a root key.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Each connection is a descriptor; the usual soft limit of 1,024 is for programs that select().
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "PR_SET_DUMPABLE was refused")


class ControlLine:
    """The child's end of the line to the supervisor. Made and used in a running event loop.

    With no descriptor (a role that was started by hand) only SIGTERM and SIGINT ask for a drain.
    """

    def __init__(self, fd: int | None) -> None:
        self.on_line: Callable[[bytes], None] = lambda line: None
        """Told each line of the bus, while `drained_asked` or a drain is under way."""
        self._asked = asyncio.Event()
        self._lines = Lines()
        self._unsent = bytearray()
        self._line: socket.socket | None = None
        if fd is not None:
            os.set_inheritable(fd, False)
            self._line = socket.socket(fileno=fd)
            self._line.setblocking(False)

    def __repr__(self) -> str:
        return f"ControlLine({'open' if self._line else 'none'})"

    @property
    def is_open(self) -> bool:
        """Whether a supervisor was at its other end when it was last read."""
        return self._line is not None

    def ready(self) -> None:
        """Say that the role serves. A supervisor that is gone is noticed by `drained_asked`."""
        self.say(READY)

    def say(self, line: bytes) -> bool:
        """Send a line to the supervisor; False if there is none, or it does not read."""
        if self._line is None or len(self._unsent) > UNSENT_LIMIT:
            return False
        waits = bool(self._unsent)
        self._unsent += line
        if not waits:
            self._send()
        return True

    def _send(self) -> None:
        """Send what waits; the rest when there is room again."""
        loop, line = asyncio.get_running_loop(), self._line
        if line is None:
            return
        try:
            sent = line.send(self._unsent)
        except BlockingIOError:
            sent = 0
        except OSError:  # the supervisor is gone, which `drained_asked` notices
            sent = len(self._unsent)
        waited = len(self._unsent) > sent
        del self._unsent[:sent]
        if waited:
            loop.add_writer(line, self._send)
        else:
            loop.remove_writer(line)

    async def drained_asked(self) -> None:
        """Wait until the role is to drain: asked by the supervisor, by its end, or by a signal.

        There is no time limit. From the first wait until `close`, SIGTERM and SIGINT only ask: an
        init system that signals every process of a service does not cut a drain short.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._asked.set)
        if self._line is not None and not self._asked.is_set():
            loop.add_reader(self._line, self._read)
        await self._asked.wait()

    def _read(self) -> None:
        """Drain when that is ordered, or at the end of the supervisor; hand on all other lines."""
        if self._line is None:
            return
        try:
            came = self._line.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            came = b""
        if not came:
            asyncio.get_running_loop().remove_reader(self._line)
            self._asked.set()
        for line in self._lines.feed(came):
            if line == DRAIN:
                self._asked.set()
            else:
                self.on_line(line)

    def close(self) -> None:
        """Close the line and give the signals back; in the same loop that waited."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
        if self._line is not None:
            loop.remove_reader(self._line)
            loop.remove_writer(self._line)
            self._line.close()
            self._line = None
