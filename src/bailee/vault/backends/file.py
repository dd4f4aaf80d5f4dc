"""The root key in a file: one line, `bailee-root-1 <base64 of 32 bytes> <checksum>`.

The checksum is the first 8 hex digits of the key's SHA-256: a copy that was cut or mistyped is told
from a key of another vault.
"""

import binascii
import os
import stat
from base64 import b64decode, b64encode
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from bailee.errors import Conflict, VaultClosed
from bailee.secret import Secret

_FORMAT = "bailee-root-1"
_KEY_BYTES = 32
_FILE_MAX_BYTES = 256
_ROOT_UID = 0


def create_root_key(path: Path) -> Secret:
    """Draw a root key and write it to a new file of mode 0600, flushed to disk.

    Raises:
        Conflict: The file is there already; it is left as it is.
        VaultClosed: It can't be written; no half file is left.
    """
    key = os.urandom(_KEY_BYTES)
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, 0o600)
    except FileExistsError:
        raise Conflict("there is a root key already, and it was left as it is") from None
    except OSError as error:
        raise VaultClosed(f"the root key can't be written: {error.strerror}") from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(_line(key))
            file.flush()
            os.fsync(file.fileno())
        _sync_directory(path.parent)
    except OSError as error:
        with suppress(OSError):
            path.unlink()
        raise VaultClosed(f"the root key can't be written: {error.strerror}") from None
    return Secret(key)


def read_root_key(path: Path) -> Secret:
    """Read a root key, if nobody else could have read or written it.

    Raises:
        VaultClosed: The file is missing, a link, no plain file, open to group or others, owned by
            someone else than this user or root, or not of the right form.
    """
    # Looked at through the descriptor, so that what was checked is what is read. O_NONBLOCK: a
    # pipe of that name must not make the start hang.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError:
        raise VaultClosed(
            "the root key file is missing", "put it back from where you keep it safe"
        ) from None
    except OSError as error:
        raise VaultClosed(
            f"the root key file can't be opened: {error.strerror}",
            "it must be a plain file, no link, readable by this user",
        ) from None
    try:
        check_status(os.fstat(descriptor), os.geteuid())
        text = os.read(descriptor, _FILE_MAX_BYTES + 1)
    except OSError as error:
        raise VaultClosed(f"the root key file can't be read: {error.strerror}") from None
    finally:
        os.close(descriptor)
    return Secret(_parse(text))


def check_status(status: os.stat_result, user: int) -> None:
    """Check that a file's status leaves it to one user alone.

    Args:
        status: Of the opened file.
        user: The effective user id of this process; root may own the file as well.

    Raises:
        VaultClosed: It is no plain file, open to group or others, or somebody else's.
    """
    if not stat.S_ISREG(status.st_mode):
        raise VaultClosed("the root key file is not a plain file")
    if status.st_mode & 0o077:
        raise VaultClosed(
            f"the root key file is open to others (mode {stat.S_IMODE(status.st_mode):04o})",
            "chmod 600 it, and if others may have read it, treat the key as known",
        )
    if status.st_uid not in (user, _ROOT_UID):
        raise VaultClosed(
            "the root key file belongs to another user", "it must belong to this user or to root"
        )


def _parse(text: bytes) -> bytes:
    # The canonical line is made again and compared whole: length, checksum and spelling at once.
    parts = text.split(b" ")
    try:
        key = b64decode(parts[1], validate=True) if len(parts) == 3 else b""
    except binascii.Error:
        key = b""
    if len(key) != _KEY_BYTES or _line(key).rstrip(b"\n") != text.removesuffix(b"\n"):
        raise VaultClosed(
            "the root key file is cut or altered",
            f"it is one line: {_FORMAT}, the key in base64, 8 hex digits of its SHA-256",
        )
    return key


def _line(key: bytes) -> bytes:
    return f"{_FORMAT} {b64encode(key).decode()} {sha256(key).hexdigest()[:8]}\n".encode("ascii")


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
