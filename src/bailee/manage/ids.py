"""New ids, from the system's random source."""

import re
import secrets

from bailee.model import CONNECTION_ID_PATTERN, ConnectionId

_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
_CHARACTERS = 26
_CONNECTION_ID = re.compile(CONNECTION_ID_PATTERN, re.ASCII)


def new_connection_id() -> ConnectionId:
    """Make a connection's id: 130 random bits as a DNS label of 26 characters."""
    return ConnectionId(_random_text())


def is_connection_id(text: str) -> bool:
    """Say whether a text has the form of a connection's id."""
    return _CONNECTION_ID.fullmatch(text) is not None


def new_id(prefix: str) -> str:
    """Make an id such as `tok_` and 130 random bits in 26 characters."""
    return f"{prefix}_{_random_text()}"


def _random_text() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(_CHARACTERS))
