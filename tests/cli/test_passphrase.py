"""`init --passphrase` asks at the terminal, twice, and shows nothing of what is typed."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import bailee
from typist import Terminal

GOOD = b"correct horse battery staple"
ENVIRON = os.environ | {"PYTHONPATH": str(Path(bailee.__file__).parents[1])}


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    made = Terminal(tmp_path)
    yield made
    made.close()


def begin_init(terminal: Terminal, directory: Path) -> "subprocess.Popen[str]":
    """Start `bailee init --passphrase`; its stdin is no terminal, and it asks all the same."""
    return subprocess.Popen(
        [str(terminal.python), "-m", "bailee", "init", str(directory), "--passphrase"],
        env=ENVIRON,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_asked_twice_and_hidden(terminal: Terminal, tmp_path: Path) -> None:
    """What was typed opens the vault, and stands neither on the terminal nor in the output."""
    with begin_init(terminal, tmp_path / "d") as init:
        terminal.wait_for(b"new passphrase: ")
        terminal.type(GOOD)
        terminal.wait_for(b"once more: ")
        terminal.type(GOOD)
        told, said = init.communicate(timeout=60)
    assert init.returncode == 0, said
    assert terminal.rest().strip() == b""
    assert GOOD.decode() not in told + said
    (tmp_path / "passphrase").write_bytes(GOOD)
    (tmp_path / "passphrase").chmod(0o600)
    opened = subprocess.run(
        [str(terminal.python), "-m", "bailee", "key", "status"],
        env=ENVIRON
        | {
            "BAILEE_CONFIG": str(tmp_path / "d" / "bailee.toml"),
            "BAILEE_PASSPHRASE_FILE": str(tmp_path / "passphrase"),
        },
        capture_output=True,
        check=False,
    )
    assert opened.returncode == 0, opened


def test_two_that_differ(terminal: Terminal, tmp_path: Path) -> None:
    """Nothing is made."""
    with begin_init(terminal, tmp_path / "d") as init:
        terminal.wait_for(b"new passphrase: ")
        terminal.type(GOOD)
        terminal.wait_for(b"once more: ")
        terminal.type(GOOD + b"s")
        _, said = init.communicate(timeout=60)
    assert init.returncode == 1
    assert "not the same" in said
    assert not (tmp_path / "d").exists()
