"""`bailee grant`: nothing is allowed but what one of them names."""

from datetime import UTC, datetime
from pathlib import Path

import click

from bailee.cli.admin_api import segment
from bailee.cli.output import Form, output_option, show_row, show_rows
from bailee.cli.surroundings import Surroundings, config_option
from bailee.errors import BadInput

COLUMNS = ("id", "caller", "connection", "allow", "expires_at", "revoked_at")


@click.group()
def grant() -> None:
    """Which caller may use which connection, for what, until when."""


@grant.command()
@click.argument("caller")
@click.argument("connection")
@click.option(
    "--allow",
    multiple=True,
    required=True,
    metavar="'METHOD PATH'",
    help="What is allowed, as in 'GET /v1/**'; may be repeated.",
)
@click.option(
    "--until", metavar="TIME", help="When it ends, as in 2027-01-31 or 2027-01-31T12:00:00Z."
)
@config_option
@output_option
def add(
    caller: str,
    connection: str,
    allow: tuple[str, ...],
    until: str | None,
    config: Path | None,
    form: Form,
) -> None:
    """Let CALLER (its id or name) use CONNECTION for what --allow names."""
    document = {
        "caller": caller,
        "connection": connection,
        "allow": list(allow),
        "expires_at": None if until is None else parse_time(until),
    }
    answer = Surroundings.read(config).admin().send("/v1/grants", document)
    show_row(form, answer, COLUMNS)


@grant.command("list")
@click.option("--caller", help="Of this caller alone (its id or name).")
@click.option("--connection", help="Of this connection alone.")
@config_option
@output_option
def list_(caller: str | None, connection: str | None, config: Path | None, form: Form) -> None:
    """List grants; each filter that is given must fit."""
    pages = (
        Surroundings.read(config).admin().pages("/v1/grants", caller=caller, connection=connection)
    )
    show_rows(form, pages, COLUMNS)


@grant.command()
@click.argument("id")
@config_option
@output_option
def revoke(id: str, config: Path | None, form: Form) -> None:
    """Revoke a grant."""
    answer = Surroundings.read(config).admin().remove(f"/v1/grants/{segment(id)}")
    show_row(form, answer, COLUMNS)


def parse_time(text: str) -> float:
    """Read a time in ISO 8601 as Unix seconds; without a zone it is UTC.

    Raises:
        BadInput: It is not one.
    """
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput(
            f"{text!r} is not a time", "write it as 2027-01-31 or 2027-01-31T12:00:00Z"
        ) from None
    return (time if time.tzinfo is not None else time.replace(tzinfo=UTC)).timestamp()
