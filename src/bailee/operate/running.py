"""Which processes serve a vault, and whether they answer."""

import os
import signal
import socket
from pathlib import Path

from bailee.config_keys import Listen
from bailee.errors import Conflict

LOCKS = ("serve.lock", "gateway.lock", "keeper.lock", "admin.lock", "public.lock")
CONNECT_SECONDS = 2.0
_PROC_LOCKS = Path("/proc/locks")


def servers(base: Path) -> tuple[int, ...]:
    """Find the processes that hold a vault's directory: the supervisor, or one a role alone.

    They hold locks on files there (`supervise.directory`), which the kernel lists with their
    owners; a file with a process id in it would outlive a crash and name a stranger.

    Returns:
        Process ids in rising order; empty when nothing serves the directory.
    """
    inodes = {_inode(base / name) for name in LOCKS} - {None}
    try:
        lines = _PROC_LOCKS.read_text(encoding="ascii").splitlines()
    except OSError:
        return ()
    found = set()
    for line in lines:
        # 12: FLOCK  ADVISORY  WRITE 4711 00:2e:9183 0 EOF
        parts = line.split()
        if len(parts) < 6 or parts[1] != "FLOCK" or not parts[4].isdigit():
            continue
        if parts[5].rpartition(":")[2] in inodes and int(parts[4]) > 0:
            found.add(int(parts[4]))
    return tuple(sorted(found))


def ask_to_reload(base: Path) -> tuple[int, ...]:
    """Send SIGHUP to whatever serves a vault. Returns the processes that were asked.

    Raises:
        Conflict: Nothing serves it, or the process is another user's.
    """
    pids = servers(base)
    if not pids:
        raise Conflict(f"nothing serves {base}", "start it with 'bailee serve'")
    for pid in pids:
        try:
            os.kill(pid, signal.SIGHUP)
        except ProcessLookupError:
            continue
        except PermissionError:
            raise Conflict(
                f"process {pid} belongs to another user", "reload as the user who started it"
            ) from None
    return pids


def answers(listen: Listen) -> bool:
    """Tell whether something accepts connections there, within 2 seconds."""
    try:
        with socket.create_connection(listen, CONNECT_SECONDS):
            return True
    except OSError:
        return False


def is_free(listen: Listen) -> bool:
    """Tell whether a server could bind there now."""
    family = socket.AF_INET6 if ":" in listen[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(listen)
        except OSError:
            return False
    return True


def _inode(path: Path) -> str | None:
    try:
        return str(path.stat().st_ino)
    except OSError:
        return None
