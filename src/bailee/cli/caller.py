"""`bailee caller`: programs that may ask for calls."""

from pathlib import Path

import click

from bailee.cli.admin_api import segment
from bailee.cli.output import Form, output_option, say, show_row, show_rows
from bailee.cli.surroundings import Surroundings, config_option, tenant_option

COLUMNS = ("id", "name", "allow_from", "created_at", "revoked_at")
TOKEN_DAYS = 90


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
@config_option
@tenant_option
@output_option
def add(name: str, allow_from: tuple[str, ...], days: int, config: Path | None, form: Form) -> None:
    """Add a caller and print its token, which is shown this once."""
    answer = (
        Surroundings.read(config)
        .admin()
        .send("/v1/callers", {"name": name, "allow_from": list(allow_from), "token_days": days})
    )
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
@config_option
@tenant_option
@output_option
def revoke(caller: str, config: Path | None, form: Form) -> None:
    """Revoke a caller (its id or name) with all its tokens and grants."""
    answer = Surroundings.read(config).admin().remove(f"/v1/callers/{segment(caller)}")
    show_row(form, answer, COLUMNS)
