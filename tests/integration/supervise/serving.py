"""A directory with a configuration, and supervisors that run on it as real processes."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from bailee.vault.backends.file import create_root_key

HERE = Path(__file__).parent
SOURCES = HERE.parents[2] / "src"
AUTHORITY = "ed25519/" + "A" * 43 + "="
PATIENCE = 20.0
MAIN = """
import os, sys
from pathlib import Path
from bailee.errors import BaileeError
from bailee.supervise.supervisor import ROLE_NAMES, Supervisor
roles = sys.argv[2].split(",") if sys.argv[2] else ROLE_NAMES
try:
    supervisor = Supervisor(Path(sys.argv[1]), os.environ, roles=roles, module="fake_role")
    sys.exit(supervisor.run())
except BaileeError as error:
    print(f"bailee: error: {error}", f"hint: {error.hint}", sep=chr(10), file=sys.stderr)
    sys.exit(1)
"""


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody listened on a moment ago."""
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def eventually(what: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """Call until the result is true; the result."""
    deadline = time.monotonic() + seconds
    while not (result := what()):
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.02)
    return result


def is_running(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def ask(port: int, request: str = "about") -> dict[str, Any]:
    """Ask a role over its socket."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        connection.sendall(f"{request}\n".encode())
        with connection.makefile("rb") as answer:
            told: dict[str, Any] = json.loads(answer.readline())
            return told


@dataclass
class Node:
    """A directory with a config and a root key. Ports: gateway, public, admin."""

    base: Path
    workers: int = 2
    extra: str = ""
    ports: list[int] = field(default_factory=lambda: free_ports(3))

    def __post_init__(self) -> None:
        self.write()
        create_root_key(self.base / "root.key")

    @property
    def config(self) -> Path:
        """The config's file."""
        return self.base / "bailee.toml"

    def write(self, note: str = "") -> None:
        """Write the config anew, with a note for the roles to repeat."""
        gateway, public, admin = self.ports
        self.config.write_text(
            f"# {note}\n"
            f'[vault]\nauthority = "{AUTHORITY}"\n'
            f'[gateway]\nlisten = "127.0.0.1:{gateway}"\nworkers = {self.workers}\n'
            f'[public]\nlisten = "127.0.0.1:{public}"\n[admin]\nlisten = "127.0.0.1:{admin}"\n'
            f"{self.extra}\n"
        )


class Serving:
    """A supervisor in a process of its own, with its log in a file."""

    def __init__(
        self, node: Node, roles: str = "", environ: dict[str, str] | None = None, python: str = ""
    ) -> None:
        self.log = node.base / f"log-{time.monotonic_ns()}"
        path = os.pathsep.join([str(SOURCES), str(HERE), os.environ.get("PYTHONPATH", "")])
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [python or sys.executable, "-c", MAIN, str(node.config), roles],
                stderr=log,
                stdin=subprocess.DEVNULL,
                env=os.environ | {"PYTHONPATH": path} | (environ or {}),
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End it with all its roles."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def lines(self, event: str = "") -> list[dict[str, Any]]:
        """What was logged so far, all of it JSON."""
        text = self.log.read_text()
        whole = [json.loads(line) for line in text.splitlines(keepends=True) if line[-1] == "\n"]
        return [line for line in whole if not event or line["event"].startswith(event)]

    def wait_for(self, event: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait until an event was logged so many times."""

        def seen() -> list[dict[str, Any]]:
            assert self.process.poll() is None or self.lines(event), self.log.read_text()
            found = self.lines(event)
            return found if len(found) >= count else []

        found: list[dict[str, Any]] = eventually(seen)
        return found

    def pids(self, role: str) -> set[int]:
        """The processes of a role that were ever ready."""
        return {line["pid"] for line in self.lines("role ready") if line["name"] == role}

    def refusal(self) -> str:
        """Wait for its end and return what it said; it must have refused to start."""
        assert self.process.wait(PATIENCE) == 1, self.log.read_text()
        return self.log.read_text()
