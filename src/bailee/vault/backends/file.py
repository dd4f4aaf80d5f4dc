"""The root key in a file: one line, `bailee-root-1 <base64 of 32 bytes> <checksum>`.

The checksum is the first 8 hex digits of the key's SHA-256: a copy that was cut or mistyped is told
from a key of another vault.
"""

import binascii
import os
from base64 import b64decode, b64encode
from hashlib import sha256
from pathlib import Path

from bailee.errors import VaultClosed
from bailee.secret import Secret
from bailee.vault.backends.private import create_private, read_private

_FORMAT = "bailee-root-1"
_KEY_BYTES = 32
_FILE_MAX_BYTES = 256


def create_root_key(path: Path) -> Secret:
    """Draw a root key and write it to a new file of mode 0600, flushed to disk.

    Raises:
        Conflict: The file is there already; it is left as it is.
        VaultClosed: It can't be written; no half file is left.
    """
    key = os.urandom(_KEY_BYTES)
    create_private(path, _line(key), "the root key")
    return Secret(key)


def read_root_key(path: Path) -> Secret:
    """Read a root key, if nobody else could have read or written it.

    Raises:
        VaultClosed: The file is missing, a link, no plain file, open to group or others, owned by
            someone else than this user or root, or not of the right form.
    """
    return Secret(_parse(read_private(path, "the root key file", _FILE_MAX_BYTES)))


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
