"""One server to a directory: locks that end with the process that holds them."""

import fcntl
import os
from collections.abc import Sequence
from pathlib import Path

from bailee.errors import StartRefused


class DirectoryLock:
    """Holds a directory for all roles (`role` None), or for one role that runs alone.

    All roles together exclude everything; single roles exclude only themselves. The kernel drops
    the locks when the process ends, however it ends, so nothing has to be cleaned up.
    """

    def __init__(self, base: Path, role: str | None = None) -> None:
        """Take the locks.

        Raises:
            StartRefused: Another server holds them, or the directory can't be written.
        """
        self._files: list[int] = []
        shared = fcntl.LOCK_SH if role else fcntl.LOCK_EX
        wanted: Sequence[tuple[str, int]] = [("serve.lock", shared)]
        if role:
            wanted = [*wanted, (f"{role}.lock", fcntl.LOCK_EX)]
        try:
            for name, kind in wanted:
                self._take(base / name, kind)
        except StartRefused:
            self.close()
            raise

    def __repr__(self) -> str:
        return f"DirectoryLock({'held' if self._files else 'closed'})"

    def _take(self, path: Path, kind: int) -> None:
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise StartRefused(
                f"{path} can't be opened: {(error.strerror or 'unknown').lower()}",
                "start as the user who owns the directory",
            ) from error
        self._files.append(file)
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StartRefused(
                f"another bailee serves {path.parent}",
                "stop it first, or make a directory of its own with `bailee init`",
            ) from None

    def close(self) -> None:
        """Let go of the directory."""
        while self._files:
            os.close(self._files.pop())
