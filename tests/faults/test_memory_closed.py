"""Processes that hold the root key leave no core and let no other process of their user in (R8)."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from house import build_house
from served import Served, open_code, open_directory

ROOT = os.geteuid() == 0
USER = 61_111 if ROOT else None
SECRETIVE = ("gateway", "keeper")
LOOK = """
import ctypes, os, sys
pid = int(sys.argv[1])
seen = []
for name in ("mem", "environ", "maps", "fd"):
    path = f"/proc/{pid}/{name}"
    try:
        os.listdir(path) if name == "fd" else open(path, "rb").close()
    except PermissionError:
        continue
    seen.append(name)
libc = ctypes.CDLL(None, use_errno=True)
PTRACE_SEIZE = 0x4206
if libc.ptrace(PTRACE_SEIZE, pid, None, None) == 0:
    seen.append("ptrace")
print(*seen)
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """A server that runs as one user throughout, and what another process of that user sees."""

    served: Served
    python: str

    def look_at(self, pid: int) -> list[str]:
        """Try to look into a process, as its own user; what could be opened."""
        looked = subprocess.run(
            [self.python, "-S", "-c", LOOK, str(pid)],
            capture_output=True,
            text=True,
            check=True,
            user=USER,
            group=USER,
            extra_groups=[] if ROOT else None,
        )
        return looked.stdout.split()


@pytest.fixture(scope="module")
def seen() -> Iterator[Seen]:
    """All roles as one user that is not root."""
    with open_directory() as directory:
        house = build_house(directory / "vault")
        python, environ = open_code(directory)
        try:
            house.write_config()
            give_to_user(house.directory)
            with Served(house, environ=environ, python=python, user=USER) as served:
                served.wait_for("serving")
                yield Seen(served, python)
        finally:
            house.store.close()


def give_to_user(directory: Path) -> None:
    """Make the vault the user's own."""
    if USER is not None:
        for path in (directory, *directory.rglob("*")):
            shutil.chown(path, USER, USER)


def test_memory_when_another_process_of_the_user_looks(seen: Seen) -> None:
    """Supervisor, gateway and keeper can't be looked into; admin, which has no key, can."""
    (admin,) = seen.served.running("admin")
    assert {"environ", "maps", "fd"} <= set(seen.look_at(admin))
    closed = [seen.served.process.pid, *secretive(seen.served)]
    assert {pid: seen.look_at(pid) for pid in closed} == {pid: [] for pid in closed}
    for pid in closed:
        assert Path(f"/proc/{pid}/environ").stat().st_uid == 0


def test_core_when_a_process_dies(seen: Seen) -> None:
    """No process of a server may write a core, and none can allow it to itself again."""
    for pid in seen.served.processes():
        limits = Path(f"/proc/{pid}/limits").read_text().splitlines()
        (core,) = [line for line in limits if line.startswith("Max core file size")]
        assert core.split()[4:6] == ["0", "0"], pid


def secretive(served: Served) -> list[int]:
    """The processes that hold the root key."""
    return [pid for role in SECRETIVE for pid in served.running(role)]
