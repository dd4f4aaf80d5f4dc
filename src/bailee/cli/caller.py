"""`bailee caller`: programs that may ask for calls."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from bailee.cli.admin_api import segment
from bailee.cli.output import Form, output_option, say, show_row, show_rows
from bailee.cli.surroundings import Surroundings, config_option, tenant_option
from bailee.errors import BadInput

COLUMNS = (
    "id", "name", "allow_from", "calls_per_second", "concurrent", "created_at", "revoked_at",
)  # fmt: skip
TOKEN_DAYS = 90
HIGHEST_LIMIT = 1_000_000
AS_CONFIG = "none"
"""In the place of a limit: the caller has none of its own."""

_Command = TypeVar("_Command", bound=Callable[..., Any])


def _limit_or_none(text: str) -> int | str:
    if text == AS_CONFIG or (text.isdecimal() and 1 <= int(text) <= HIGHEST_LIMIT):
        return text if text == AS_CONFIG else int(text)
    raise click.BadParameter(f"{text!r} is neither 1 to {HIGHEST_LIMIT} nor {AS_CONFIG}")


def _limit_options(kind: Any, form: str, without: str) -> Callable[[_Command], _Command]:
    """Give a command both limits, as `calls_per_second` and `concurrent`."""

    def decorate(command: _Command) -> _Command:
        for name, what in (
            ("--concurrent", "How many of its calls may be under way at once, in each worker."),
            ("--calls-per-second", "How many calls a second it may make."),
        ):
            command = click.option(name, type=kind, metavar=form, help=f"{what} {without}")(command)
        return command

    return decorate


@click.group()
def caller() -> None:
    """Programs that may ask for calls, once they have a grant."""


@caller.command()
@click.argument("name")
@click.option(
    "--from",
    "allow_from",
    multiple=True,
    metavar="CIDR",
    help="An address or network that it may call from; may be repeated. Without it: any.",
)
@click.option(
    "--days",
    type=click.IntRange(1, 5 * 365),
    default=TOKEN_DAYS,
    show_default=True,
    help="How long its token is good.",
)
@_limit_options(click.IntRange(1, HIGHEST_LIMIT), "N", "Without it: as the config says.")
@config_option
@tenant_option
@output_option
def add(
    name: str,
    allow_from: tuple[str, ...],
    days: int,
    calls_per_second: int | None,
    concurrent: int | None,
    config: Path | None,
    form: Form,
) -> None:
    """Add a caller and print its token, which is shown this once."""
    wanted = {
        "name": name,
        "allow_from": list(allow_from),
        "token_days": days,
        "calls_per_second": calls_per_second,
        "concurrent": concurrent,
    }
    answer = Surroundings.read(config).admin().send("/v1/callers", wanted)
    show_row(form, answer, ("id", "name", "token", "expires_at"))
    if form == "table":
        say("the token is stored as a digest: keep it now, it is not shown again")


@caller.command("list")
@config_option
@tenant_option
@output_option
def list_(config: Path | None, form: Form) -> None:
    """List callers, revoked ones too."""
    show_rows(form, Surroundings.read(config).admin().pages("/v1/callers"), COLUMNS)


@caller.command()
@click.argument("caller")
@_limit_options(_limit_or_none, "N|none", "none: as the config says.")
@config_option
@tenant_option
@output_option
def limit(
    caller: str,
    calls_per_second: int | str | None,
    concurrent: int | str | None,
    config: Path | None,
    form: Form,
) -> None:
    """Change how much a caller (its id or name) may ask for; what is not given stays."""
    wanted = {"calls_per_second": calls_per_second, "concurrent": concurrent}
    document = {
        name: None if given == AS_CONFIG else given
        for name, given in wanted.items()
        if given is not None
    }
    if not document:
        raise BadInput("there is nothing to change", "give --calls-per-second or --concurrent")
    answer = Surroundings.read(config).admin().change(f"/v1/callers/{segment(caller)}", document)
    show_row(form, answer, COLUMNS)


@caller.command()
@click.argument("caller")
@config_option
@tenant_option
@output_option
def revoke(caller: str, config: Path | None, form: Form) -> None:
    """Revoke a caller (its id or name) with all its tokens and grants."""
    answer = Surroundings.read(config).admin().remove(f"/v1/callers/{segment(caller)}")
    show_row(form, answer, COLUMNS)
