"""A role in a process of its own, started as the supervisor starts it."""

import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import bailee
from bailee.secret import Secret
from bailee.supervise.inheritance import DRAIN, READY, Inherited, root_key_pipe


@dataclass(slots=True)
class RoleProcess:
    """A running role. `port` is 0 for one that does not listen."""

    process: subprocess.Popen[bytes]
    control: socket.socket
    port: int
    errors: Path

    def wait_ready(self, seconds: float = 30.0) -> None:
        """Wait until it says that it serves."""
        self.control.settimeout(seconds)
        assert self.control.recv(len(READY)) == READY, self.errors.read_text()

    def drain(self) -> int:
        """Ask it to leave as the supervisor does, and return its exit status."""
        self.control.send(DRAIN)
        return self.process.wait(30)

    def terminate(self) -> int:
        """Ask it to leave as an init system does, and return its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def open_files(self) -> list[str]:
        """What its descriptors lead to."""
        directory = Path(f"/proc/{self.process.pid}/fd")
        return [os.readlink(entry) for entry in directory.iterdir()]

    def log(self) -> str:
        return self.errors.read_text()


@contextmanager
def start_role(
    role: str,
    config: Path,
    *,
    root_key: Secret | None = None,
    listens: bool = True,
    options: Sequence[str] = (),
) -> Iterator[RoleProcess]:
    """Start a role and kill it at the end of the block if it has not left."""
    ours, theirs = socket.socketpair()
    errors = config.parent / f"{role}.stderr"
    with ExitStack() as stack:
        stack.callback(ours.close)
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0))) if listens else None
        key_fd = None if root_key is None else root_key_pipe(root_key)
        given = Inherited(
            config, None if listener is None else listener.fileno(), key_fd, theirs.fileno()
        )
        process = subprocess.Popen(
            [sys.executable, "-P", *options, "-m", f"bailee.app.{role}", *given.arguments()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stack.enter_context(errors.open("wb")),
            pass_fds=given.descriptors(),
            env={**os.environ, "PYTHONPATH": str(Path(bailee.__file__).parents[1])},
        )
        theirs.close()
        if key_fd is not None:
            os.close(key_fd)
        port = 0 if listener is None else listener.getsockname()[1]
        with process:
            try:
                yield RoleProcess(process, ours, port, errors)
            finally:
                process.kill()


def is_readable(control: socket.socket, seconds: float) -> bool:
    """Whether something, or the end, came over the line."""
    return bool(select.select([control], [], [], seconds)[0])
