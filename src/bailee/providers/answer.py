"""A provider's answer as conditions and reports look at it."""

from typing import Any, Final

import msgspec

BODY_MAX_BYTES: Final = 65_536
"""How much of a body is looked at. JSON that is longer is cut, and so is not read."""
NOWHERE: Final = object()
"""What a path leads to when it leads nowhere: not even to null."""


class Answer:
    """An answer whose body is parsed when the first condition asks for it, and once."""

    __slots__ = ("_content", "_text", "body", "status")

    def __init__(self, status: int, body: bytes) -> None:
        self.status = status
        self.body = body[:BODY_MAX_BYTES]
        self._content: Any = None
        self._text: str | None = None

    def __repr__(self) -> str:
        return f"Answer({self.status}, {len(self.body)} bytes)"

    @property
    def text(self) -> str:
        """The body as text in small letters; what is not UTF-8 is replaced."""
        if self._text is None:
            self._text = self.body.decode("utf-8", "replace").lower()
        return self._text

    def find(self, path: str) -> object:
        """Follow a path into the JSON body; returns `NOWHERE` where it leads nowhere."""
        if self._content is None:
            try:
                self._content = (msgspec.json.decode(self.body),)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                self._content = ()
        at: object = self._content[0] if self._content else NOWHERE
        for step in path.split("."):
            at = _step(at, step)
        return at


def spelled(value: object) -> str | None:
    """Write a text, number or boolean as JSON spells it, a text without quotes; else `None`."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, int | float) else None


def _step(at: object, step: str) -> object:
    if isinstance(at, dict):
        return at.get(step, NOWHERE)
    if isinstance(at, list) and step.isascii() and step.isdigit():
        place = int(step) if len(step) < 7 else len(at)
        return at[place] if place < len(at) else NOWHERE
    return NOWHERE
