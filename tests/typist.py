"""A terminal that a test sits at: programs ask on it, and a test types."""

import os
import select
import subprocess
import sys
import time
from pathlib import Path

PATIENCE = 20.0
ON_A_TERMINAL = """\
#!{python}
import os, sys
os.setsid()
os.close(os.open({terminal!r}, os.O_RDWR))
os.execv({python!r}, [{python!r}, *sys.argv[1:]])
"""


class Terminal:
    """A terminal, and a program that runs Python on it."""

    def __init__(self, directory: Path) -> None:
        self._ours, self._theirs = os.openpty()
        self.shown = b""
        """What was not waited for yet."""
        self.ever_shown = b""
        self.python = directory / "python-on-a-terminal"
        text = ON_A_TERMINAL.format(python=sys.executable, terminal=os.ttyname(self._theirs))
        self.python.write_text(text)
        self.python.chmod(0o700)

    def wait_for(self, text: bytes) -> None:
        """Read until a text has come, and forget what came up to it."""
        while text not in self.shown:
            assert select.select([self._ours], [], [], PATIENCE)[0], self.ever_shown.decode()
            self._read()
        self.shown = self.shown.partition(text)[2]

    def type(self, line: bytes) -> None:
        """Type a line."""
        os.write(self._ours, line + b"\n")

    def rest(self) -> bytes:
        """Return what was shown since, without waiting."""
        while select.select([self._ours], [], [], 0)[0]:
            self._read()
        return self.shown

    def wait_for_end(self, process: "subprocess.Popen[str]") -> int:
        """Read until a program on it has ended; returns its exit code."""
        deadline = time.monotonic() + 3 * PATIENCE
        while process.poll() is None:
            assert time.monotonic() < deadline, self.ever_shown.decode()
            if select.select([self._ours], [], [], 0.05)[0]:
                self._read()
        self.rest()
        return process.returncode

    @property
    def end(self) -> int:
        """The descriptor that a program gets as its stdin, or another of the three."""
        return self._theirs

    def _read(self) -> None:
        read = os.read(self._ours, 4096)
        self.shown += read
        self.ever_shown += read

    def close(self) -> None:
        os.close(self._ours)
        os.close(self._theirs)
