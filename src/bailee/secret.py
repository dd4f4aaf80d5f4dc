"""A value that must not be seen."""

import hmac
from typing import Any, NoReturn


class Secret:
    """Bytes that print, format, log and pickle as nothing.

    `reveal()` is the only way to the bytes. Equality takes constant time. Python can't wipe
    immutable bytes: dropping the last reference is all that can be done.
    """

    __slots__ = ("_revealed",)

    def __init__(self, value: bytes) -> None:
        self._revealed = bytes(value)

    def reveal(self) -> bytes:
        """Return the bytes. Every use of this method is a place to look at in a review."""
        return self._revealed

    def __len__(self) -> int:
        return len(self._revealed)

    def __repr__(self) -> str:
        return "Secret(...)"

    __str__ = __repr__

    def __format__(self, format_spec: str) -> str:
        return repr(self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._revealed, other._revealed)

    def __hash__(self) -> NoReturn:
        raise TypeError("a Secret can't be a key of a table: its hash would say something of it")

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError("a Secret can't be pickled or copied")
