"""Admin and public hold neither a key nor the code to open with one; and starts that must fail."""

import os
import re
import socket
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bailee.reference.pki import World
from house import House, build_house, make_provider
from integration.supervise.serving import free_ports
from recording_origin import run_recording_origin
from served import CREDENTIAL, Served, admit, call, open_code, open_directory, run_place

ROOT = os.geteuid() == 0
ADMIN, PUBLIC, GROUP = 61_121, 61_122, 61_123
USERS = f'\n[users]\nadmin = "{ADMIN}"\npublic = "{PUBLIC}"\ngroup = "{GROUP}"\n'
APART = ("admin", "public")
OPENING = re.compile(r"bailee\.(vault\.(opening|keyring|backends)|egress|gateway|keeper)(\.|$)")
RECORDER = """
import os, sys
directory = os.environ.get("IMPORT_RECORD")
if directory:
    record = os.open(f"{directory}/{os.getpid()}", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    def note(event, arguments):
        if event == "import":
            os.write(record, arguments[0].encode() + b"\\n")
    sys.addaudithook(note)
"""
"""Python runs this in every process at its start: whatever is imported, ever, is written down."""


@dataclass(frozen=True, slots=True)
class Apart:
    """A server whose admin and public are users of their own, where this process may choose."""

    house: House
    served: Served
    python: str
    imports: Path
    path: str
    token: str

    def call(self) -> int:
        """Make the call that its caller may make; the status of the answer."""
        return call(self.served.port, "GET", self.path, self.token).status

    def imported(self, role: str) -> list[str]:
        """Every module that the process of a role has imported so far."""
        return (self.imports / str(self.process(role))).read_text().split()

    def process(self, role: str) -> int:
        """The only process of a role."""
        (pid,) = self.served.running(role)
        return pid

    def as_role(self, role: str, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Python as a role's user."""
        user = {"admin": ADMIN, "public": PUBLIC}[role] if ROOT else None
        return subprocess.run(
            [self.python, "-P", "-c", code, *arguments],
            capture_output=True,
            text=True,
            check=False,
            env=self.served.environ,
            user=user,
            group=GROUP if ROOT else None,
            extra_groups=[] if ROOT else None,
        )


@pytest.fixture(scope="module")
def apart() -> Iterator[Apart]:
    """A server that has carried a call and has done some work for an operator."""
    with open_directory() as directory:
        house, world = build_house(directory / "vault"), World.create(["api.test"])
        python, environ = open_code(directory)
        (directory / "code" / "sitecustomize.py").write_text(RECORDER)
        imports = directory / "imports"
        imports.mkdir()
        imports.chmod(0o1777)
        environ["IMPORT_RECORD"] = str(imports)
        with run_recording_origin(directory / "origin", world.leaf) as origin:
            provider = make_provider(origin.port, world.root.pem.decode())
            connection, token = admit(house, provider, world.leaf.pin, CREDENTIAL)
            share(house)
            with Served(house, more=USERS, environ=environ, python=python) as served:
                served.wait_for("serving")
                apart = Apart(house, served, python, imports, f"/{connection}/a", token)
                assert apart.call() == 200
                operator = house.operator_token()
                assert call(served.admin, "GET", "/v1/connections", operator).status == 200
                assert call(served.public, "GET", "/healthz", None).status < 500
                yield apart
        house.store.close()


def share(house: House) -> None:
    """Give the vault the modes that users of their own need."""
    house.write_config()
    journal = house.directory / "journal"
    journal.mkdir()
    modes = {house.directory: 0o750, journal: 0o1770}
    modes |= dict.fromkeys(house.directory.glob("bailee.db*"), 0o660)
    modes[house.directory / "bailee.toml"] = 0o640
    for path, mode in modes.items():
        if ROOT:
            os.chown(path, 0, GROUP)
        path.chmod(mode)


@pytest.mark.parametrize("role", APART)
def test_root_key_when_a_role_reaches_for_it(apart: Apart, role: str) -> None:
    """The role's user can't read the root key, and its process was given no descriptor of it."""
    key = apart.house.directory / "root.key"
    tried = apart.as_role(role, "import sys; open(sys.argv[1], 'rb')", str(key))
    assert (tried.returncode == 0) is not ROOT
    if ROOT:
        assert "PermissionError" in tried.stderr
        status = Path(f"/proc/{apart.process(role)}/status").read_text()
        assert f"Uid:\t{ADMIN if role == 'admin' else PUBLIC}" in status
    words = command_line(apart.process(role))
    assert "--root-key-fd" not in words
    assert "--root-key-fd" in command_line(apart.process("gateway"))


@pytest.mark.parametrize("role", APART)
def test_open_files_when_a_role_runs(apart: Apart, role: str) -> None:
    """A role has its sockets, the log, the store and its journal open, and no other file.

    A pipe that it was given, as the root key is, would show one end alone; of its loop's own pipes
    it has both.
    """
    directory = Path(f"/proc/{apart.process(role)}/fd")
    opened = Counter(os.readlink(entry) for entry in directory.iterdir())
    assert opened
    vault = re.escape(str(apart.house.directory))
    kept = re.compile(
        r"socket:|anon_inode:|/dev/null$|"
        rf"{vault}/(bailee\.db(-wal|-shm)?|log-\d+|journal/{role}-[^/]+)$|"
        rf"{re.escape(str(apart.imports))}/"
    )
    pipes = {name: count for name, count in opened.items() if name.startswith("pipe:")}
    assert set(pipes.values()) <= {2}
    assert [name for name in opened if name not in pipes and not kept.match(name)] == []


@pytest.mark.parametrize("role", APART)
def test_modules_when_a_role_runs(apart: Apart, role: str) -> None:
    """What a running role has imported holds no module that opens, unwraps or dials."""
    modules = apart.imported(role)
    assert f"bailee.{role}.app" in modules or f"bailee.{role}.api.app" in modules
    assert [name for name in modules if OPENING.match(name)] == []
    assert {"bailee.vault.opening", "bailee.vault.keyring"} <= set(apart.imported("gateway"))
    assert apart.call() == 200


def command_line(pid: int) -> list[str]:
    """The words with which a process was started."""
    return Path(f"/proc/{pid}/cmdline").read_text().split("\0")


def test_serve_when_the_directory_is_served_already(apart: Apart) -> None:
    """A second server on the directory refuses with what to do, and the first goes on."""
    first = apart.served
    ports = (first.port, first.admin, first.public)
    with Served(apart.house, environ=first.environ, python=apart.python, ports=ports) as again:
        said = again.refusal()
    assert f"another bailee serves {apart.house.directory}" in said
    assert "hint: stop it first" in said
    assert apart.call() == 200


def test_serve_when_a_port_is_in_use(tmp_path: Path) -> None:
    """A port that another has is named with the setting that moves it, and nothing is started."""
    house, ports = build_house(tmp_path / "vault"), free_ports(3)
    with socket.create_server(("127.0.0.1", ports[1])), Served(house, ports=ports) as served:
        said = served.refusal()
    house.store.close()
    assert f"admin.listen: port {ports[1]} of 127.0.0.1 is in use" in said
    assert "hint: move it: admin.listen in the config" in said
    assert "role ready" not in said


def test_call_when_the_egress_address_is_not_here(tmp_path: Path) -> None:
    """An egress address that the machine lost stops calls with a 503: none leaves from another."""
    with run_place(tmp_path, source="192.0.2.7") as place:
        reply = place.call("GET", "/a")
        assert (reply.status, reply.error) == (503, "egress-address-missing")
        assert b"192.0.2.7" in reply.body
        assert place.origin.heads() == []
        place.served.verify_journal()
