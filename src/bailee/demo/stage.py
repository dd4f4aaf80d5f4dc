"""What the story stands on: a directory, free ports, and processes that end with it."""

import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bailee.demo.telling import NotTold

SECONDS = 60.0
END_SECONDS = 10.0
POLL_SECONDS = 0.01
PORTS = range(20_000, 32_000)
"""Below the ports that Linux gives to outgoing connections: none of them gets in the way."""


@dataclass(frozen=True, slots=True)
class Command:
    """A `bailee` command and what it reads from stdin."""

    arguments: tuple[str, ...]
    stdin: bytes = b""


@dataclass(frozen=True, slots=True)
class Done:
    """A command that has ended."""

    command: str
    code: int
    stdout: bytes
    stderr: str

    @property
    def json(self) -> Any:
        """What it printed.

        Raises:
            NotTold: It failed, or printed something else.
        """
        if self.code == 0:
            with suppress(ValueError):
                return json.loads(self.stdout)
        said = [line for line in self.stderr.splitlines() if "error:" in line]
        raise NotTold(f"'bailee {self.command}' ended with {self.code} {' '.join(said[-1:])}")


class Stage:
    """The directory and every process of one story; leaving it ends and removes them all.

    Processes have a group of their own, so that a Ctrl-C at the terminal reaches the story alone,
    which then ends them by their ids.
    """

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="bailee-demo-"))
        self.environ = {
            name: text for name, text in os.environ.items() if not name.startswith("BAILEE_")
        }
        self._processes: list[subprocess.Popen[bytes]] = []
        self._ports: set[int] = set()

    def __repr__(self) -> str:
        return f"Stage({self.directory}, {len(self._processes)} processes)"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process in self._processes[::-1]:
            process.terminate()
        for process in self._processes[::-1]:
            self.end(process)
        shutil.rmtree(self.directory, ignore_errors=True)

    def free_port(self) -> int:
        """Find a port that nothing listens on and that was not given before."""
        for port in random.sample(PORTS, 200):
            if port not in self._ports and _is_free(port):
                self._ports.add(port)
                return port
        raise NotTold("there is no free port")

    def set_environ(self, settings: Mapping[str, str]) -> None:
        """What commands and roles find in their environment from now on."""
        self.environ |= settings

    def run(self, *commands: Command) -> list[Done]:
        """Run commands side by side, and wait for all of them."""
        running = [self._start(("bailee", *each.arguments), stderr=None) for each in commands]
        return [self._ended(*each) for each in zip(commands, running, strict=True)]

    def start(self, module: str, *arguments: str, log: str) -> subprocess.Popen[bytes]:
        """Start `python -m MODULE ARGUMENTS...`; its stderr goes to a file in the directory."""
        return self._start((module, *arguments), stderr=self.directory / log)

    def read_line(self, process: subprocess.Popen[bytes], what: str) -> Any:
        """Read one line of JSON that a process prints.

        Raises:
            NotTold: It ended, or printed something else.
        """
        assert process.stdout is not None
        try:
            return json.loads(process.stdout.readline())
        except ValueError:
            raise NotTold(f"{what} did not start, or ended") from None

    def wait_for(self, process: subprocess.Popen[bytes], log: str, mark: bytes) -> None:
        """Wait until a process has written something to its log.

        Raises:
            NotTold: It ended before, or 60 seconds passed.
        """
        deadline = time.monotonic() + SECONDS
        while mark not in (self.directory / log).read_bytes():
            if process.poll() is not None or time.monotonic() > deadline:
                raise NotTold(f"{log} does not say that it serves: {_last_error(self, log)}")
            time.sleep(POLL_SECONDS)

    def end(self, process: subprocess.Popen[bytes]) -> None:
        """End a process that was started here, by its id, and wait for it."""
        process.terminate()
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        if process in self._processes:
            self._processes.remove(process)

    def _start(self, words: tuple[str, ...], stderr: Path | None) -> subprocess.Popen[bytes]:
        log = None if stderr is None else stderr.open("wb")
        try:
            process = subprocess.Popen(
                [sys.executable, "-m", *words],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE if log is None else log,
                env=self.environ,
                process_group=0,
            )
        finally:
            if log is not None:
                log.close()
        self._processes.append(process)
        return process

    def _ended(self, command: Command, process: subprocess.Popen[bytes]) -> Done:
        # The name alone: what follows are ids and paths that tell nobody anything.
        name = " ".join(command.arguments[:2])
        try:
            stdout, stderr = process.communicate(command.stdin, SECONDS)
        except subprocess.TimeoutExpired:
            raise NotTold(f"'bailee {name}' took more than {SECONDS:g} seconds") from None
        self._processes.remove(process)
        return Done(name, process.returncode, stdout, stderr.decode("utf-8", "replace"))


def _is_free(port: int) -> bool:
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _last_error(stage: Stage, log: str) -> str:
    lines = (stage.directory / log).read_text("utf-8", "replace").splitlines()
    return lines[-1][:200] if lines else "it said nothing"
