"""Files that belong to one user alone: written whole or not at all, read only if that is so."""

import os
import stat
from contextlib import suppress
from pathlib import Path

from bailee.errors import Conflict, VaultClosed

_ROOT_UID = 0


def create_private(path: Path, content: bytes, what: str) -> None:
    """Write a new file of mode 0600, flushed to disk.

    Args:
        path: Must not exist; its directory must.
        content: All of it.
        what: What the file is, for the errors: "the root key".

    Raises:
        Conflict: The file is there already; it is left as it is.
        VaultClosed: It can't be written; no half file is left.
    """
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, 0o600)
    except FileExistsError:
        raise Conflict("there is a root key already, and it was left as it is") from None
    except OSError as error:
        raise VaultClosed(f"{what} can't be written: {error.strerror}") from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        _sync_directory(path.parent)
    except OSError as error:
        with suppress(OSError):
            path.unlink()
        raise VaultClosed(f"{what} can't be written: {error.strerror}") from None


def read_private(path: Path, what: str, limit: int, *, links: bool = False) -> bytes:
    """Read a file that nobody else could have read or written.

    Args:
        path: The file.
        what: What it is, for the errors: "the root key file".
        limit: So many bytes and one more are read, so that the caller sees that it is too long.
        links: Whether the name may be a link, as a container's secrets are. What it leads to is
            looked at all the same.

    Raises:
        VaultClosed: The file is missing, a link, no plain file, open to group or others, or owned
            by someone else than this user or root.
    """
    # Looked at through the descriptor, so that what was checked is what is read. O_NONBLOCK: a
    # pipe of that name must not make the start hang.
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | (0 if links else os.O_NOFOLLOW)
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError:
        raise VaultClosed(f"{what} is missing", "put it back from where you keep it safe") from None
    except OSError as error:
        raise VaultClosed(
            f"{what} can't be opened: {error.strerror}",
            "it must be a plain file, no link, readable by this user",
        ) from None
    try:
        check_status(os.fstat(descriptor), os.geteuid(), what)
        return os.read(descriptor, limit + 1)
    except OSError as error:
        raise VaultClosed(f"{what} can't be read: {error.strerror}") from None
    finally:
        os.close(descriptor)


def check_status(status: os.stat_result, user: int, what: str = "the root key file") -> None:
    """Check that a file's status leaves it to one user alone.

    Args:
        status: Of the opened file.
        user: The effective user id of this process; root may own the file as well.
        what: What the file is, for the errors.

    Raises:
        VaultClosed: It is no plain file, open to group or others, or somebody else's.
    """
    if not stat.S_ISREG(status.st_mode):
        raise VaultClosed(f"{what} is not a plain file")
    if status.st_mode & 0o077:
        raise VaultClosed(
            f"{what} is open to others (mode {stat.S_IMODE(status.st_mode):04o})",
            "chmod 600 it, and if others may have read it, treat the key as known",
        )
    if status.st_uid not in (user, _ROOT_UID):
        raise VaultClosed(
            f"{what} belongs to another user", "it must belong to this user or to root"
        )


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
