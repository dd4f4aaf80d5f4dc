"""How a guided command looks: numbered steps, what was done, and questions. All on stderr."""

import os
import shutil
import sys
import textwrap
from collections.abc import Mapping
from typing import Any

import click

from bailee.cli.output import printable
from bailee.errors import BadInput

_INDENT = "   "
_WIDEST = 100
_STYLES: dict[str, dict[str, Any]] = {
    "title": {"bold": True},
    "command": {"dim": True},
    "done": {"fg": "green"},
    "trouble": {"fg": "red"},
}


class Stop(Exception):
    """The person said no, or a step that was told could not be done: nothing more is tried."""


class Guide:
    """Tells the steps, and asks.

    Args:
        yes: Whether questions count as answered.
    """

    def __init__(self, *, yes: bool) -> None:
        self._yes = yes
        self._present = sys.stdin.isatty()
        self._number = 0
        self._on_terminal = sys.stderr.isatty()
        self._colours = self._on_terminal and "NO_COLOR" not in os.environ
        try:
            "✓✗".encode(sys.stderr.encoding or "ascii")
            self._yes_mark, self._no_mark = "✓", "✗"
        except UnicodeEncodeError:
            self._yes_mark, self._no_mark = "ok", "NO"

    def __repr__(self) -> str:
        return f"Guide(step {self._number})"

    @property
    def asks(self) -> bool:
        """Whether there is somebody to ask, who wants to be asked."""
        return self._present and not self._yes

    @property
    def types(self) -> bool:
        """Whether somebody sits at the terminal: what is secret is typed there."""
        return self._present

    def step(self, title: str, *commands: str) -> None:
        """Begin a step; the commands are those that do it alone."""
        self._number += 1
        self._line("")
        self._line(self._styled("title", f"{self._number}  {printable(title)}"))
        for command in commands:
            self.command(command)

    def command(self, text: str) -> None:
        """Show a command as it would be typed. It is never broken into lines."""
        self._line(_INDENT + self._styled("command", f"$ {printable(text)}"))

    def done(self, text: str) -> None:
        """Something is as it should be."""
        self._marked(self._styled("done", self._yes_mark), text)

    def trouble(self, text: str) -> None:
        """Something is not as it should be."""
        self._marked(self._styled("trouble", self._no_mark), text)

    def note(self, text: str, indent: str = _INDENT) -> None:
        """Something to know."""
        self._wrapped(indent, indent, text)

    def exact(self, text: str) -> None:
        """The same, on one line: what is to be compared or copied."""
        self._line(f"{_INDENT}  {printable(text)}")

    def confirm(self, question: str) -> bool:
        """Ask a question whose answer is no unless somebody says yes.

        Raises:
            BadInput: It is to be asked, and nobody is at the terminal.
        """
        self.require_yes()
        return self._yes or click.confirm(f"{_INDENT}{printable(question)}", err=True)

    def require_yes(self) -> None:
        """Go on only if somebody can be asked, or has said yes before.

        Raises:
            BadInput: Nobody is at the terminal, and nobody has.
        """
        if not self._yes and not self._present:
            raise BadInput("nobody is here to confirm this", "look at it, then give --yes")

    def choose(self, question: str, choices: Mapping[str, str]) -> str:
        """Let somebody choose by a letter. None is the default: Enter chooses nothing."""
        for letter, text in choices.items():
            self._wrapped(f"{_INDENT}  {letter}  ", f"{_INDENT}     ", text)
        return str(
            click.prompt(
                f"{_INDENT}{question}",
                type=click.Choice(list(choices)),
                show_choices=False,
                err=True,
            )
        )

    def ask(self, question: str) -> str:
        """Ask for a text; empty where nothing was typed."""
        answer = click.prompt(f"{_INDENT}{question}", default="", show_default=False, err=True)
        return str(answer).strip()

    def _marked(self, mark: str, text: str) -> None:
        self._wrapped(f"{_INDENT}{mark} ", f"{_INDENT}  ", text)

    def _wrapped(self, first: str, rest: str, text: str) -> None:
        text = printable(text)
        if not self._on_terminal:
            self._line(first + text)
            return
        width = min(shutil.get_terminal_size().columns, _WIDEST) - len(rest)
        lines = textwrap.wrap(text, max(width, 20), break_long_words=False, break_on_hyphens=False)
        for number, line in enumerate(lines or [""]):
            self._line((first if number == 0 else rest) + line)

    def _line(self, text: str) -> None:
        click.echo(text, err=True, color=self._colours)

    def _styled(self, style: str, text: str) -> str:
        return click.style(text, **_STYLES[style]) if self._colours else text
