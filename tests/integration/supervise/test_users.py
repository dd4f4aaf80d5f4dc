"""Admin and public as users of their own: what they get, and what is said where they can't run."""

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.supervise.serving import HERE, SOURCES, Node, Serving, ask, is_running

ADMIN, PUBLIC, GROUP = 61_101, 61_102, 61_103
USERS = f'[users]\nadmin = "{ADMIN}"\npublic = {PUBLIC}\ngroup = "{GROUP}"'
ROOT = os.geteuid() == 0


@pytest.fixture
def shared() -> Iterator[Node]:
    """A node where others can look: 0750 and 0660 for the group, the code readable for all."""
    around = Path(tempfile.mkdtemp(prefix="bailee-users-"))
    around.chmod(0o755)
    base, code = around / "node", around / "code"
    base.mkdir()
    node = Node(base, extra=USERS)
    shutil.copytree(SOURCES / "bailee", code / "bailee", ignore=shutil.ignore_patterns("__pyc*"))
    shutil.copy(HERE / "fake_role.py", code)
    connection = sqlite3.connect(base / "bailee.db")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE things (id)")
    connection.close()
    (base / "journal").mkdir()
    if ROOT:
        for path in (base, node.config, base / "bailee.db", base / "journal"):
            os.chown(path, 0, GROUP)
    base.chmod(0o750)
    node.config.chmod(0o640)
    (base / "bailee.db").chmod(0o660)
    (base / "journal").chmod(0o1770)
    yield node
    shutil.rmtree(around)


def serving(node: Node) -> Serving:
    """Serve with a Python and code that every user can read."""
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    path = os.pathsep.join([str(node.base.parent / "code"), packages])
    return Serving(node, environ={"PYTHONPATH": path}, python=_open_python())


def _open_python() -> str:
    """This Python where others can start it, else the system's of the same version."""
    here = Path(sys.executable).resolve()
    if all(directory.stat().st_mode & 1 for directory in here.parents):
        return str(here)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return f"/usr/bin/python{version}"


def test_serve_when_users_are_set(shared: Node) -> None:
    """Admin and public run as their users with one group; started by another than root, as one."""
    with serving(shared) as node:
        node.wait_for("serving")
        gateway, public, admin = (ask(port)["user"] for port in shared.ports)
        assert gateway[0] == os.getuid()
        if ROOT:
            assert admin == [ADMIN, GROUP, []]
            assert public == [PUBLIC, GROUP, []]
            assert node.lines("roles share a user") == []
            assert (shared.base / "bailee.db-wal").stat().st_gid == GROUP
        else:
            assert admin[0] == os.getuid()
            (line,) = node.lines("roles share a user")
            assert line["hint"] == "start as root, so that [users] can be used"
        assert all(is_running(pid) for pid in node.pids("admin"))


def test_serve_when_a_user_looks_around(shared: Node) -> None:
    """The admin's user can read the config, and neither read the root key nor put another there."""
    for attempt, possible in (
        (f"open({str(shared.config)!r})", True),
        (f"open({str(shared.base / 'root.key')!r})", not ROOT),
        (f"open({str(shared.base / 'new')!r}, 'w')", not ROOT),
    ):
        tried = subprocess.run(
            [_open_python(), "-S", "-c", attempt],
            capture_output=True,
            check=False,
            **({"user": ADMIN, "group": GROUP, "extra_groups": []} if ROOT else {}),
        )
        assert (tried.returncode == 0) is possible


CLOSED = {
    "the directory": ("", 0o700, "can't read the config", "chmod 0750"),
    "the config": ("bailee.toml", 0o600, "can't read the config", "chmod 0640"),
    "the database": ("bailee.db", 0o600, "can't open the database", "chmod 0660"),
    "the journal": ("journal", 0o750, "can't write the journal", "chmod 1770"),
    "the code": ("../code", 0o700, "can't run the code", "install bailee and its Python where"),
}


@pytest.mark.parametrize("case", CLOSED)
def test_serve_when_a_user_is_shut_out(shared: Node, case: str) -> None:
    """What the user can't use is named, with the command that mends it; as no root it starts."""
    name, mode, said, hint = CLOSED[case]
    (shared.base / name).chmod(mode)
    with serving(shared) as node:
        if ROOT:
            refusal = node.refusal()
            assert f"user {ADMIN} with group {GROUP} (admin) {said}" in refusal
            assert hint in refusal.partition("hint: ")[2]
        else:
            node.wait_for("serving")


def test_serve_when_a_user_does_not_exist(shared: Node) -> None:
    """A user that the machine does not have is named with the command that makes it."""
    shared.extra = USERS.replace(f'"{ADMIN}"', '"nobody-of-this-name"')
    shared.write()
    with serving(shared) as node:
        if ROOT:
            refusal = node.refusal()
            assert "users.admin: there is no nobody-of-this-name on this machine" in refusal
            assert "hint: useradd --system nobody-of-this-name" in refusal
        else:
            node.wait_for("serving")


def test_serve_when_no_users_are_set(node: Node) -> None:
    """Without `[users]` the log says that roles share a user and what that is worth."""
    with Serving(node) as serving:
        serving.wait_for("serving")
        (line,) = serving.lines("roles share a user")
        assert line["names"] == ["admin", "public"]
        assert "not code execution" in line["hint"]
