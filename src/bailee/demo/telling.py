"""What is told: scenes, their checks, and how they look on a terminal."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from bailee.demo.play import Play

Seen = str | int | float | bool | None
_COLOURS = {"bold": "1", "green": "32", "red": "31", "dim": "2"}


class NotTold(Exception):
    """A step of the story could not be done; the text says why and holds no secret."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: what should be so, whether it is, and what was seen."""

    name: str
    told: str
    passed: bool
    seen: Mapping[str, Seen]


@dataclass(frozen=True, slots=True)
class Scene:
    """A part of the story; `play` does it and yields each check when it has been made."""

    name: str
    title: str
    play: "Callable[[Play], Iterator[Check]]"


@dataclass(frozen=True, slots=True)
class Told:
    """A scene that was played."""

    scene: Scene
    checks: tuple[Check, ...]

    def described(self) -> dict[str, object]:
        """The scene as JSON says it."""
        checks = [asdict(check) for check in self.checks]
        return {"name": self.scene.name, "title": self.scene.title, "checks": checks}


class Teller:
    """Writes the story: within 80 columns, in colours where they are wanted.

    Args:
        stream: Where to; stdout when it is None.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._colours = self._stream.isatty() and "NO_COLOR" not in os.environ
        encoding = self._stream.encoding or "ascii"
        try:
            "✓✗".encode(encoding)
        except UnicodeEncodeError:
            self._yes, self._no = "ok", "NO"
        else:
            self._yes, self._no = "✓", "✗"

    def title(self, text: str) -> None:
        """The head of the whole story."""
        self.line(self._in("bold", text))

    def begin(self, number: int, scene: Scene) -> None:
        """A scene begins."""
        self.line("")
        self.line(self._in("bold", f"{number}  {scene.title}"))

    def check(self, check: Check) -> None:
        """One line for a check; a second one with what was seen if it did not hold."""
        mark = self._in("green", self._yes) if check.passed else self._in("red", self._no)
        self.line(f"   {mark} {check.told}")
        if not check.passed:
            seen = ", ".join(f"{name} {value}" for name, value in check.seen.items())
            self.line(self._in("red", f"     seen: {seen}"))

    def aside(self, text: str) -> None:
        """Something beside the story."""
        self.line(self._in("dim", text))

    def line(self, text: str) -> None:
        """One line, at once."""
        self._stream.write(text + "\n")
        self._stream.flush()

    def _in(self, colour: str, text: str) -> str:
        return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m" if self._colours and text else text
