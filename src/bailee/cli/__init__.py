"""The command line: one file a command group, each imported when it is used."""

import os
import sys
from collections.abc import Sequence

import click

from bailee.errors import BaileeError

EXIT_FAILED = 1
EXIT_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and leave: 0 when it did as told, 1 when not, 2 on wrong usage.

    Results are on stdout; everything else, errors included, is on stderr.

    Args:
        arguments: Without the program's name; None for this process's own.
    """
    from bailee.cli.root import bailee

    try:
        code = bailee.main(
            args=None if arguments is None else list(arguments),
            prog_name="bailee",
            standalone_mode=False,
        )
        sys.stdout.flush()
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx is not None else "bailee"
        _complain(_lowered(error.format_message()), f"see '{where} --help'")
        sys.exit(error.exit_code)
    except click.ClickException as error:
        _complain(_lowered(error.format_message()), "")
        sys.exit(error.exit_code)
    except BaileeError as error:
        _complain(error.detail, error.hint)
        sys.exit(EXIT_FAILED)
    except (click.Abort, KeyboardInterrupt):
        click.echo("bailee: interrupted", err=True)
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our output has had enough; the interpreter must not flush into it again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_FAILED)
    sys.exit(code if isinstance(code, int) else 0)


def _complain(detail: str, hint: str) -> None:
    from bailee.cli.output import printable_lines

    click.echo(f"bailee: error: {printable_lines(detail)}", err=True)
    if hint:
        click.echo(f"hint: {printable_lines(hint)}", err=True)


def _lowered(message: str) -> str:
    """Put click's sentence into the form of our own: lower case, no full stop."""
    message = message.strip().removesuffix(".")
    return message[:1].lower() + message[1:]
