"""Asking at the terminal for what must not be shown: a line, or a private key in PEM."""

import os
import select
import sys
import termios
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

import click

from bailee.errors import BadInput

LINE_BYTES: Final = 4095
"""What a terminal takes of one line; it drops the rest without a word."""
PEM_BYTES: Final = 64 * 1024
REST_SECONDS: Final = 0.3
LONGEST_REST_SECONDS: Final = 1.0
_ECHO: Final = 3, termios.ECHO
_BEGIN, _END = b"-----BEGIN ", b"-----END "


def type_hidden(names: Iterable[str], indent: str = "") -> dict[str, str]:
    """Ask for values one after the other at the terminal on stdin. Nothing of them is shown.

    Spaces around a value do not count. A value that begins as PEM goes on to its last line. The
    terminal stays silent in between, so that what is pasted with line breaks is not shown either.

    Raises:
        BadInput: A line is longer than a terminal takes.
        click.Abort: The end was typed (Ctrl-D).
    """
    with _silent(sys.stdin.fileno()) as descriptor:
        return {name: _typed(descriptor, f"{indent}{name}: ") for name in names}


@contextmanager
def _silent(descriptor: int) -> Iterator[int]:
    """Switch the echo off; at the end what was typed and not read is thrown away.

    The rest of a paste may come a little later: the echo stays off until nothing comes any more.
    """
    before = termios.tcgetattr(descriptor)
    silent = list(before)
    place, flag = _ECHO
    silent[place] &= ~flag
    termios.tcsetattr(descriptor, termios.TCSAFLUSH, silent)
    try:
        yield descriptor
    finally:
        deadline = time.monotonic() + LONGEST_REST_SECONDS
        while time.monotonic() < deadline and select.select([descriptor], [], [], REST_SECONDS)[0]:
            os.read(descriptor, LINE_BYTES + 1)
        termios.tcsetattr(descriptor, termios.TCSAFLUSH, before)


def _typed(descriptor: int, prompt: str) -> str:
    click.echo(prompt, nl=False, err=True)
    try:
        text = _line(descriptor)
        if text.startswith(_BEGIN):
            text += b"\n"
            while not (line := _line(descriptor)).startswith(_END):
                text += line + b"\n"
                if len(text) > PEM_BYTES:
                    raise BadInput("what was typed begins as PEM, and does not end")
            text += line + b"\n"
    finally:
        click.echo(err=True)
    return text.decode("utf-8", "surrogateescape")


def _line(descriptor: int) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        part = os.read(descriptor, LINE_BYTES + 1)
        if not part:
            raise click.Abort
        line += part
    if len(line) > LINE_BYTES:
        raise BadInput(
            f"a terminal takes lines of less than {LINE_BYTES} characters",
            "give the credential as a JSON object on stdin",
        )
    return line.strip()
