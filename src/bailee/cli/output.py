"""What commands print: results on stdout as a table or as JSON, all else on stderr."""

import contextlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

import click

Form = Literal["table", "json"]
Row = Mapping[str, Any]
_Command = TypeVar("_Command", bound=Callable[..., Any])

NONE = "-"
_GAP = "  "


def output_option(command: _Command) -> _Command:
    """Give a command `-o table|json` as the parameter `form`."""
    return click.option(
        "-o",
        "--output",
        "form",
        type=click.Choice(["table", "json"]),
        default="table",
        show_default=True,
        help="How to print the result.",
    )(command)


def show_rows(form: Form, rows: Iterable[Row], columns: Sequence[str]) -> None:
    """Print a list: as JSON all that the rows have, as a table the columns that are named."""
    if form == "json":
        print_json(list(rows))
        return
    lines = [[column.upper().replace("_", " ") for column in columns]]
    lines += [[cell(column, row.get(column)) for column in columns] for row in rows]
    widths = [max(len(line[place]) for line in lines) for place in range(len(columns))]
    for line in lines:
        padded = (text.ljust(width) for text, width in zip(line, widths, strict=True))
        click.echo(_GAP.join(padded).rstrip())


def show_row(form: Form, row: Row, fields: Sequence[str]) -> None:
    """Print one thing: as JSON all of it, as a table a line for each field that is named."""
    if form == "json":
        print_json(dict(row))
        return
    width = max(len(field) for field in fields)
    for field in fields:
        label = field.replace("_", " ")
        click.echo(f"{label.ljust(width)}{_GAP}{cell(field, row.get(field))}")


def announce(form: Form, rows: Sequence[Row], value: object) -> None:
    """Print that a process serves, at once, while it goes on: as JSON one line, `value`.

    It serves whether or not somebody reads its stdout.
    """
    with contextlib.suppress(OSError):
        if form == "json":
            click.echo(json.dumps(value, ensure_ascii=True))
        else:
            show_rows(form, rows, tuple(rows[0]) if rows else ())


def print_json(value: object) -> None:
    """Print a value as JSON in ASCII, so that it can't move the terminal's cursor."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=True))


def say(text: str) -> None:
    """Tell the person at the terminal something that is not the result."""
    click.echo(printable_lines(text), err=True)


def warn(text: str, hint: str = "") -> None:
    """Warn the person at the terminal."""
    say(f"bailee: warning: {text}")
    if hint:
        say(f"hint: {hint}")


def cell(field: str, value: object) -> str:
    """Write a value for people; what ends in `_at` or `not_after` is a time."""
    if value is None or value == "" or value == []:
        return NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float | int) and (field.endswith("_at") or field.startswith("not_")):
        return format_time(value)
    if isinstance(value, list | tuple):
        return ", ".join(cell("", each) for each in value)
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {cell('', each)}" for name, each in value.items())
    return printable(str(value))


def format_time(seconds: float) -> str:
    """Write Unix seconds as a UTC time."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return str(seconds)


def printable(text: str) -> str:
    """Escape what could move a terminal's cursor or pass for another line."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )


def printable_lines(text: str) -> str:
    """The same, for a text of several lines of our own."""
    return "\n".join(printable(line) for line in text.split("\n"))
