"""A root key that comes of a passphrase: asked for once, handed on like any other."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bailee.secret import Secret
from bailee.vault.backends.derived import Cost, create_derivation
from integration.supervise.serving import Node, Serving, ask, eventually
from typist import Terminal

GOOD = b"correct horse battery staple"
ROLES = "gateway,admin"
DERIVED = {"BAILEE_VAULT__ROOT_KEY": "passphrase:root.kdf"}


@pytest.fixture
def derived(tmp_path: Path) -> Node:
    """A node with a key that is derived, and none in a file."""
    node = Node(tmp_path, workers=1)
    (node.base / "root.key").unlink()
    create_derivation(node.base / "root.kdf", Secret(GOOD), Cost(64 * 1024, 3, 2))
    return node


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    made = Terminal(tmp_path)
    yield made
    made.close()


def has_key(node: Node) -> bool:
    return bool(ask(node.ports[0])["key"] == 32)


def test_asked_once_and_hidden(derived: Node, terminal: Terminal) -> None:
    """Successors after a death and after a reload have the key, and nobody is asked again."""
    with Serving(derived, ROLES, environ=DERIVED, python=str(terminal.python)) as serving:
        terminal.wait_for(b"passphrase of the vault: ")
        terminal.type(GOOD)
        serving.wait_for("serving")
        assert has_key(derived)
        assert ask(derived.ports[2])["key"] is None
        for pid in serving.pids("gateway"):
            os.kill(pid, signal.SIGKILL)
        serving.wait_for("role ended")
        assert has_key(derived)
        serving.process.send_signal(signal.SIGHUP)
        serving.wait_for("reloaded")
        eventually(lambda: has_key(derived))
        assert terminal.rest().strip() == b""
        assert GOOD.decode() not in serving.log.read_text()


def test_asked_again_when_mistyped(derived: Node, terminal: Terminal) -> None:
    """A slip of the finger does not close the vault."""
    with Serving(derived, ROLES, environ=DERIVED, python=str(terminal.python)) as serving:
        terminal.wait_for(b"passphrase of the vault: ")
        terminal.type(b"correct hoarse battery staple")
        terminal.wait_for(b"wrong, once more: ")
        terminal.type(GOOD)
        serving.wait_for("serving")
        assert has_key(derived)


def test_closed_when_wrong(derived: Node, terminal: Terminal) -> None:
    """After three tries the rest starts with a closed vault, and a reload asks nobody."""
    with Serving(derived, ROLES, environ=DERIVED, python=str(terminal.python)) as serving:
        for prompt in (b"passphrase of the vault: ", b"once more: ", b"once more: "):
            terminal.wait_for(prompt)
            terminal.type(b"this is not the passphrase")
        serving.wait_for("serving")
        (closed,) = serving.lines("the vault is closed")
        assert "not the one" in closed["reason"]
        assert ask(derived.ports[0])["key"] is None
        serving.process.send_signal(signal.SIGHUP)
        serving.wait_for("reloaded")
        assert terminal.rest().strip() == b""


def test_descriptor_that_is_inherited(derived: Node, tmp_path: Path) -> None:
    """It is read once, is in no role, and a reload does not need it."""
    (tmp_path / "passphrase").write_bytes(GOOD)
    python = tmp_path / "python-with-a-descriptor"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@" 9< {tmp_path}/passphrase\n')
    python.chmod(0o700)
    environ = DERIVED | {"BAILEE_PASSPHRASE_FD": "9"}
    with Serving(derived, ROLES, environ=environ, python=str(python)) as serving:
        serving.wait_for("serving")
        told = ask(derived.ports[0])
        assert told["key"] == 32
        open_now = Path(f"/proc/{serving.process.pid}/fd").iterdir()
        assert str(tmp_path / "passphrase") not in map(os.readlink, open_now)
        serving.process.send_signal(signal.SIGHUP)
        serving.wait_for("reloaded")
        eventually(lambda: has_key(derived) and ask(derived.ports[0])["pid"] != told["pid"])
