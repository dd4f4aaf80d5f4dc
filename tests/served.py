"""A whole running vault: `bailee serve` on a house, and an API in a process of its own.

with run_place(tmp_path, workers=2) as place:
    assert place.call("GET", "/anything").status == 200
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import bailee
from bailee.model import ConnectionId, Pin, Provider
from bailee.reference.pki import World
from house import SOURCE, House, build_house, make_provider
from integration.supervise.serving import Serving, free_ports, is_running
from recording_origin import RecordingOrigin, run_recording_origin

CREDENTIAL = "canary-Zq7-credential-0123456789"
CALL_SECONDS = 60.0
CLI_SECONDS = 60.0


class Served(Serving):
    """A running `bailee serve`; `port`, `admin` and `public` are where it listens.

    Args:
        house: The vault.
        workers: How many gateway workers.
        more: Added to the configuration.
        environ: Added to the environment.
        python: The interpreter; this one by default.
        ports: Of gateway, admin and public; free ones by default.
        user: Whom it runs as; only root may choose.
        source: The local address that calls leave from, as the configuration has it.
    """

    def __init__(
        self,
        house: House,
        *,
        workers: int = 1,
        more: str = "",
        environ: Mapping[str, str] | None = None,
        python: str = "",
        ports: Sequence[int] = (),
        user: int | None = None,
        source: str = SOURCE,
    ) -> None:
        self.house = house
        self.port, self.admin, self.public = ports or free_ports(3)
        self.config = house.write_config(self.port, self.admin, self.public, workers)
        text = self.config.read_text().replace(f'bind = "{SOURCE}"', f'bind = "{source}"')
        self.config.write_text(text + more)
        self.environ = clean_environment() | dict(environ or {})
        self.log = house.directory / f"log-{time.monotonic_ns()}"
        command = [python or sys.executable, "-m", "bailee", "serve", "--config", str(self.config)]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                env=self.environ,
                user=user,
                group=user,
                extra_groups=None if user is None else [],
            )

    def running(self, role: str) -> list[int]:
        """The processes of a role that are ready and alive, the oldest first."""
        found = [line["pid"] for line in self.lines("role ready") if line["name"] == role]
        return [pid for pid in found if is_running(pid)]

    def processes(self) -> list[int]:
        """Every process of it: the supervisor and all roles."""
        roles = ("gateway", "keeper", "admin", "public")
        return [self.process.pid, *(pid for role in roles for pid in self.running(role))]

    def stop(self) -> int:
        """Ask it to leave, and return its exit status."""
        self.process.terminate()
        return self.process.wait(40)

    def cli(self, *words: str, stdin: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the command line with this vault's configuration."""
        return subprocess.run(
            [sys.executable, "-m", "bailee", *words],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=CLI_SECONDS,
            check=False,
            env=self.environ | {"BAILEE_CONFIG": str(self.config)} | environ,
        )

    def verify_journal(self) -> dict[str, Any]:
        """What `bailee journal verify` says; it must find the journal sound."""
        done = self.cli("journal", "verify", "-o", "json")
        report: dict[str, Any] = json.loads(done.stdout)
        assert (done.returncode, report["findings"]) == (0, []), done
        return report

    def journal(self) -> list[dict[str, Any]]:
        """Every whole line of every file of the journal; an unended last line is no line."""
        lines: list[dict[str, Any]] = []
        for path in sorted((self.house.directory / "journal").iterdir()):
            for line in path.read_bytes().splitlines(keepends=True):
                if line.endswith(b"\n"):
                    lines.append(json.loads(line))
        return lines


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of the gateway."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error(self) -> str | None:
        """The code of a problem that Bailee itself answers."""
        return self.headers.get("bailee-error")


@dataclass(frozen=True, slots=True)
class Place:
    """A running vault with one connection to a recording origin, and a token that may do all."""

    house: House
    world: World
    origin: RecordingOrigin
    provider: Provider
    connection: ConnectionId
    token: str
    served: Served

    def call(self, method: str, target: str, body: bytes | None = None) -> Reply:
        """Call through the gateway, on a client connection of its own."""
        path = f"/{self.connection}{target}"
        return call(self.served.port, method, path, self.token, body)


@contextmanager
def run_place(
    directory: Path,
    *,
    workers: int = 1,
    more: str = "",
    environ: Mapping[str, str] | None = None,
    source: str = SOURCE,
) -> Iterator[Place]:
    """Make a vault beside a recording origin, and serve it until the block ends."""
    house, world = build_house(directory / "vault"), World.create(["api.test"])
    try:
        with run_recording_origin(directory / "origin", world.leaf) as origin:
            provider = make_provider(origin.port, world.root.pem.decode())
            connection, token = admit(house, provider, world.leaf.pin, CREDENTIAL)
            with Served(
                house, workers=workers, more=more, environ=environ, source=source
            ) as served:
                served.wait_for("serving")
                yield Place(house, world, origin, provider, connection, token, served)
            assert origin.flags() == []
    finally:
        house.store.close()


def admit(house: House, provider: Provider, pin: Pin, api_key: str) -> tuple[ConnectionId, str]:
    """Approve a provider, add a connection to it and a caller that may do all with it."""
    house.approve_provider(provider)
    house.approve_pins(provider.id, [pin])
    connection = house.add_connection(provider, {"api_key": api_key})
    token = house.add_caller()
    house.grant(connection, "* /**")
    return connection, token


def call(port: int, method: str, path: str, token: str | None, body: bytes | None = None) -> Reply:
    """Send one request to a port of this machine."""
    client = HTTPConnection("127.0.0.1", port, timeout=CALL_SECONDS)
    try:
        return call_on(client, method, path, token, body)
    finally:
        client.close()


def call_on(
    client: HTTPConnection,
    method: str,
    path: str,
    token: str | None,
    body: bytes | None = None,
    **more: str,
) -> Reply:
    """Send one request on a connection that may be kept."""
    headers = {name.replace("_", "-"): value for name, value in more.items()}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    client.request(method, path, body, headers)
    answer = client.getresponse()
    return Reply(
        answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    )


def clean_environment() -> dict[str, str]:
    """This process's environment without settings of Bailee, with the package under test."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BAILEE_")}
    return kept | {"PYTHONPATH": str(Path(bailee.__file__).parents[1])}


def resident_bytes(pid: int) -> int:
    """How much memory of a process is resident, bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"process {pid} has no memory")


@contextmanager
def open_directory() -> Iterator[Path]:
    """A directory that every user may enter, which pytest's own are not; gone afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="bailee-open-"))
    try:
        directory.chmod(0o755)
        yield directory
    finally:
        shutil.rmtree(directory)


def open_code(directory: Path) -> tuple[str, dict[str, str]]:
    """Let every user run the package under test.

    Args:
        directory: Where a copy of it is put; every user may enter it.

    Returns:
        An interpreter that every user can start, and the environment that it needs.
    """
    copied = directory / "code"
    source = Path(bailee.__file__).parent
    shutil.copytree(source, copied / "bailee", ignore=shutil.ignore_patterns("__pyc*"))
    python = Path(sys.executable).resolve()
    if not all(above.stat().st_mode & 1 for above in python.parents):
        python = Path(f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}")
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    return str(python), {"PYTHONPATH": os.pathsep.join([str(copied), packages])}
