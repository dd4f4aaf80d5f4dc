"""Finding out who serves a vault."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bailee.errors import Conflict
from bailee.operate.running import ask_to_reload, servers

HOLD = """
import fcntl, os, signal, sys
file = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o600)
fcntl.flock(file, fcntl.LOCK_EX)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
print("held", flush=True)
print("got", signal.sigwait({signal.SIGHUP}), flush=True)
"""


def test_nothing_serves(tmp_path: Path) -> None:
    """A lock's file alone serves nothing: it stays behind when its process dies."""
    (tmp_path / "serve.lock").touch()
    assert servers(tmp_path) == ()
    with pytest.raises(Conflict, match="nothing serves"):
        ask_to_reload(tmp_path)


@pytest.mark.parametrize("name", ["serve.lock", "gateway.lock"])
def test_holder_of_the_lock_is_asked(tmp_path: Path, name: str) -> None:
    """Whoever holds the directory is found by the kernel's list, and gets the signal."""
    command = [sys.executable, "-c", HOLD, str(tmp_path / name)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            assert servers(tmp_path) == (process.pid,)
            assert ask_to_reload(tmp_path) == (process.pid,)
            assert process.stdout.readline() == f"got {int(signal.SIGHUP)}\n"
        finally:
            process.kill()
    assert servers(tmp_path) == ()
    assert os.path.exists(tmp_path / name)
