"""What is typed at a hidden prompt is read as it was meant, and shown nowhere."""

import json
import os
import subprocess
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import bailee
from typist import Terminal

ASK = """\
import json
from bailee.cli.hidden_prompt import type_hidden
from bailee.errors import BadInput
try:
    print(json.dumps(type_hidden(["first", "second"])))
except BadInput as error:
    print(json.dumps(error.detail))
"""
LINE = "MC4CAQAwBQYDK2Vw\n"
PEM = f"-----BEGIN PRIVATE KEY-----\n{LINE * 90}-----END PRIVATE KEY-----\n"


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    made = Terminal(tmp_path)
    yield made
    made.close()


def ask(terminal: Terminal, *typed: str, late: str = "") -> object:
    """Type at the prompts, each time after one has come; `late` a little after the last."""
    before = termios.tcgetattr(terminal.end)
    process = subprocess.Popen(
        [str(terminal.python), "-c", ASK],
        env=os.environ | {"PYTHONPATH": str(Path(bailee.__file__).parents[1])},
        stdin=terminal.end,
        stdout=subprocess.PIPE,
        stderr=terminal.end,
        text=True,
    )
    with process:
        for prompt, text in zip((b"first: ", b"second: "), typed, strict=False):
            terminal.wait_for(prompt)
            for line in text.split("\n"):
                terminal.type(line.encode())
        if late:
            terminal.wait_for(b"second: \r\n")
            time.sleep(0.05)
            terminal.type(late.encode())
        assert terminal.wait_for_end(process) == 0, terminal.ever_shown
        assert process.stdout is not None
        told: object = json.loads(process.stdout.read())
    assert termios.tcgetattr(terminal.end) == before, "the echo is back on"
    assert terminal.ever_shown.replace(b"\r\n", b"").strip() in (b"first: second:", b"first:")
    return told


def test_lines_are_read(terminal: Terminal) -> None:
    """Spaces around a value are the clipboard's, not the user's."""
    assert ask(terminal, " \tk-3f9a1c ", "ünï") == {"first": "k-3f9a1c", "second": "ünï"}


def test_pasted_together(terminal: Terminal) -> None:
    """Two values in one paste are two values, and what is too much is not shown either."""
    assert ask(terminal, "one\ntwo", late="three") == {"first": "one", "second": "two"}


def test_private_key_goes_on_to_its_end(terminal: Terminal) -> None:
    """A key in PEM has many lines, and is one value."""
    assert ask(terminal, PEM.strip(), "x") == {"first": PEM, "second": "x"}


def test_line_that_a_terminal_would_cut(terminal: Terminal) -> None:
    """A terminal drops what is longer than it takes: that is refused, and not sealed cut short."""
    assert ask(terminal, "a" * 5000) == "a terminal takes lines of less than 4095 characters"


def test_longest_line(terminal: Terminal) -> None:
    """What a terminal takes is taken."""
    assert ask(terminal, "a" * 4094, "b") == {"first": "a" * 4094, "second": "b"}


def test_end_is_typed(terminal: Terminal) -> None:
    """Ctrl-D on an empty line ends it."""
    with pytest.raises(AssertionError, match="first"):
        ask(terminal, "\x04")
