"""The keyring of a role that has the root key."""

import structlog

from bailee.errors import VaultClosed
from bailee.supervise.inheritance import Inherited, read_root_key
from bailee.vault.keyring import Keyring

_log = structlog.get_logger()


def open_keyring(given: Inherited) -> Keyring | None:
    """Read the root key; None, and a line in the log, when it is missing or no key."""
    try:
        if given.root_key_fd is not None:
            return Keyring(read_root_key(given.root_key_fd))
    except VaultClosed as failure:
        _log.error("vault closed", detail=failure.detail)
        return None
    _log.error("vault closed", hint="what needs the root key answers vault-closed until it is back")
    return None
