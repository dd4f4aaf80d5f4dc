"""Where the root key is kept. It is never in the database."""

from pathlib import Path

from bailee.errors import VaultClosed
from bailee.secret import Secret
from bailee.vault.backends.file import read_root_key


def open_root_key(url: str, base: Path) -> Secret:
    """Fetch the root key from where the config says it is.

    Args:
        url: `file:` and a path; a relative one is relative to `base`.
        base: The directory of the config file.

    Returns:
        32 bytes.

    Raises:
        VaultClosed: It is not there, or others could have read or written it.
    """
    kind, _, place = url.partition(":")
    if kind != "file" or not place:
        raise VaultClosed(
            "[vault] root_key names no key store that this version knows",
            'use root_key = "file:root.key"',
        )
    return read_root_key(base / place)
