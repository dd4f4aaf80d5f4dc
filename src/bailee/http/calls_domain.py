"""The form of a call that names its door by the host: `{connection}[--{origin}].<calls-domain>`.

It is for SDKs that drop the path of a base URL. `--` sets the two apart without doubt: a
connection's id has no `-` at all. Together they fit one DNS label (26 + 2 + 20 octets at most, of
63), which a wildcard record and a wildcard certificate cover.
"""

import re
from typing import Final

from bailee.model import CONNECTION_ID_PATTERN

NO_DOOR: Final = b""
"""What a name under the domain asks for that can't name a connection: nobody finds it."""
_LABEL = re.compile(rf"({CONNECTION_ID_PATTERN})(?:--([a-z0-9-]+))?".encode(), re.ASCII)


class CallsDomain:
    """A DNS name under which each door has a host name of its own.

    Args:
        name: In lower case, without a final dot.
    """

    __slots__ = ("_ending",)

    def __init__(self, name: str) -> None:
        self._ending = b"." + name.encode("ascii")

    def __repr__(self) -> str:
        return f"CallsDomain({self._ending[1:].decode('ascii')})"

    def door_of(self, host: bytes) -> bytes | None:
        """Find the door that a host name asks for.

        Args:
            host: A valid value of Host: with or without a port, in any case, perhaps with the
                final dot of an absolute name.

        Returns:
            `{connection}` or `{connection}.{origin}`, as a path would name it; `NO_DOOR` for a name
            under the domain that has another form; None for every other name, the domain's own
            included: there the path names the door.
        """
        name = host.partition(b":")[0].lower()
        relative = name.rstrip(b".")
        if not relative.endswith(self._ending):
            return None
        label = _LABEL.fullmatch(relative, 0, len(relative) - len(self._ending))
        if label is None or len(name) > len(relative) + 1:
            return NO_DOOR
        connection, origin = label.groups()
        return connection if origin is None else connection + b"." + origin


def door_label(connection: str, origin: str | None) -> str:
    """Write the label that names a door; without an origin it is the default one."""
    return connection if origin is None else f"{connection}--{origin}"
