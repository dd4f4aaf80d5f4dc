"""Commands that stand in documents, with what they print, run as a reader would run them.

    ```console
    $ command                 a line that begins with `> ` goes on with it
    what it prints            stdout and stderr, as on a terminal
    ...                       alone on a line: any number of lines
    ```

Output is compared loosely: what is new in every run (ids, pins, tokens, times, counts) counts as
the same. Ports are moved, so that nothing that listens on this machine is in the way.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import bailee

SECONDS = 60.0
PORTS = ("8700", "8701", "8702", "9443")
WORKPLACE = "/home/ada/try"
"""The directory that the documents show."""
_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_MARK = "--- done "
_NEW_EACH_TIME = (
    (r"sha256/[A-Za-z0-9+/]{43}=", "PIN"),
    (r"ed25519/[A-Za-z0-9+/]{43}=", "AUTHORITY"),
    (r"bailee_[A-Za-z0-9]{49}", "TOKEN"),
    (r"reference_(key|session)_[A-Za-z0-9_-]{43}", "SECRET"),
    (r"\b(clr|tok|grt|egr|job)_[a-z2-7]{26}", r"\1_ID"),
    (r"\b(user|key|order)_[0-9a-f]{16}", r"\1_ID"),
    (r"\b[a-z2-7]{26}\b", "CONNECTION"),
    (r"\b\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?Z", "TIME"),
    (r"\b[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} [0-9:]{8} GMT", "TIME"),
    (r"\b\d{10}\.\d+", "TIME"),
    (r"-\d{8}-\d{6}-[0-9a-f]{16}", "-CHAIN"),
    (r"\b[0-9a-f]{10}-[0-9a-f]+\b", "CALL"),
    (r"\b[0-9a-f]{32,64}\b", "HEX"),
    (r"\bseconds=[0-9.e-]+", "seconds=N"),
    (r"CHAIN:\d+", "CHAIN:N"),
    (r"^(lines|chains|checkpoints) +\d+", r"\1 N"),
    (r"curl/[0-9.]+", "curl"),
    (r"process \d+", "process N"),
    (r"Content-Length: \d+", "Content-Length: N"),
    (r"^total \d+", "total N"),
    (r"CA [0-9a-f]{16}", "CA HEX"),
    (r"(gateway|keeper|admin)-CHAIN", "ROLE-CHAIN"),
    (r" +", " "),
)


@dataclass(slots=True)
class Command:
    """One command and what the document says that it prints."""

    text: str
    output: list[str] = field(default_factory=list)


def read_commands(document: str) -> list[Command]:
    """Take the commands out of a document's console blocks, in their order."""
    commands: list[Command] = []
    for block in _BLOCK.findall(document):
        for line in block.splitlines():
            if line.startswith("$ "):
                commands.append(Command(line[2:]))
            elif line.startswith(">") and not commands[-1].output:
                commands[-1].text += "\n" + line[2:]
            else:
                commands[-1].output.append(line)
    return commands


class Terminal:
    """One shell in a directory of its own, in which commands are run one after another."""

    def __init__(
        self, shell: subprocess.Popen[str], directory: Path, ports: dict[str, str]
    ) -> None:
        self._shell = shell
        self._directory = directory
        self._ports = ports

    def run(self, command: str) -> tuple[list[str], int]:
        """Run a command; returns what it printed, as the documents would show it, and its code."""
        for shown, real in self._ports.items():
            command = re.sub(rf"\b{shown}\b", real, command)
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        self._shell.stdin.write(f"{command}\necho; echo '{_MARK}'$?\n")
        self._shell.stdin.flush()
        lines: list[str] = []
        # What hangs is killed, so that the test can say which command it was.
        killing = threading.Timer(SECONDS, self._shell.kill)
        killing.start()
        try:
            for line in self._shell.stdout:
                if line.startswith(_MARK):
                    return self._shown(lines), int(line.removeprefix(_MARK))
                lines.append(line)
        finally:
            killing.cancel()
        raise AssertionError(f"the shell ended in: {command}\n{''.join(lines)}{self._logs()}")

    def _shown(self, lines: list[str]) -> list[str]:
        shown = "".join(lines).removesuffix("\n").replace(str(self._directory), WORKPLACE)
        for port, real in self._ports.items():
            shown = shown.replace(real, port)
        return shown.splitlines()

    def _logs(self) -> str:
        logs = sorted(self._directory.rglob("*.log"))
        return "".join(f"\n{log.name}:\n{log.read_text()[-4000:]}" for log in logs)


@contextmanager
def open_terminal(directory: Path) -> Iterator[Terminal]:
    """Start a shell in which `bailee` is this tree's, and end all that was started in it."""
    assert shutil.which("curl"), "the documents use curl: install it"
    tools = directory / "tools"
    tools.mkdir()
    # As in a shell whose PATH begins with the environment's programs.
    for name, options in (("bailee", " -P -m bailee"), ("python3", "")):
        program = tools / name
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}"{options} "$@"\n')
        program.chmod(0o755)
    place = directory / "try"
    place.mkdir()
    ports = _free_ports()
    environ = {name: it for name, it in os.environ.items() if not name.startswith("BAILEE_")}
    environ |= {
        "PATH": f"{tools}:{environ['PATH']}",
        "PYTHONPATH": str(Path(bailee.__file__).parents[1]),
        "COLUMNS": "100",
        "BAILEE_GATEWAY__WORKERS": "1",
        "BAILEE_GATEWAY__LISTEN": f"127.0.0.1:{ports['8700']}",
        "BAILEE_PUBLIC__LISTEN": f"127.0.0.1:{ports['8701']}",
        "BAILEE_ADMIN__LISTEN": f"127.0.0.1:{ports['8702']}",
    }
    shell = subprocess.Popen(
        ["bash", "--norc"],
        cwd=place,
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    with shell:
        try:
            yield Terminal(shell, place, ports)
            shell.communicate("kill $(jobs -p); wait\n", timeout=SECONDS)
        finally:
            if shell.poll() is None:
                os.killpg(shell.pid, signal.SIGKILL)


def mismatch(expected: list[str], got: list[str]) -> str | None:
    """Compare loosely; returns what is wrong."""
    pattern = "".join(
        r"(?:.*\n)*?" if line == "..." else re.escape(_plain(line)) + r"\n" for line in expected
    )
    text = "".join(_plain(line) + "\n" for line in got)
    if re.fullmatch(pattern, text):
        return None
    return "\n".join(["the document says:", *map(_plain, expected), "it printed:", text])


def _plain(line: str) -> str:
    for pattern, instead in _NEW_EACH_TIME:
        line = re.sub(pattern, instead, line)
    return line.rstrip()


def _free_ports() -> dict[str, str]:
    sockets = [socket.socket() for _ in PORTS]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return {name: str(each.getsockname()[1]) for name, each in zip(PORTS, sockets, strict=True)}
    finally:
        for each in sockets:
            each.close()
