"""`bailee grant`: nothing is allowed but what one of them names."""

from datetime import UTC, datetime
from pathlib import Path

import click

from bailee.cli.admin_api import segment
from bailee.cli.output import Form, Row, output_option, show_row, show_rows
from bailee.cli.surroundings import Surroundings, config_option, tenant_option
from bailee.errors import BadInput

TARGETS = ("connection", "provider", "subject")
"""What a grant is over: exactly one of these."""
COLUMNS = ("id", "caller", *TARGETS, "allow", "expires_at", "revoked_at")


@click.group()
def grant() -> None:
    """Which caller may use which connection, for what, until when."""


@grant.command()
@click.argument("caller")
@click.argument("target", metavar="CONNECTION|provider=P|subject=S")
@click.option(
    "--allow",
    multiple=True,
    required=True,
    metavar="'METHOD PATH'",
    help="What is allowed, as in 'GET /v1/**', 'POST /rpc body $.method = \"eth_call\"' or "
    "'WEBSOCKET /ws'; may be repeated.",
)
@click.option(
    "--until", metavar="TIME", help="When it ends, as in 2027-01-31 or 2027-01-31T12:00:00Z."
)
@config_option
@tenant_option
@output_option
def add(
    caller: str,
    target: str,
    allow: tuple[str, ...],
    until: str | None,
    config: Path | None,
    form: Form,
) -> None:
    """Let CALLER (its id or name) use a connection for what --allow names.

    With provider=P it is all connections to that provider, with subject=S all of that user, those
    made later included.
    """
    document = {
        "caller": caller,
        **parse_target(target),
        "allow": list(allow),
        "expires_at": None if until is None else parse_time(until),
    }
    answer = Surroundings.read(config).admin().send("/v1/grants", document)
    show_row(form, answer, _fields(answer))


@grant.command("list")
@click.option("--caller", help="Of this caller alone (its id or name).")
@click.option("--connection", help="Over this connection by its id.")
@click.option("--provider", help="Over all connections to this provider.")
@click.option("--subject", help="Over all connections of this user.")
@config_option
@tenant_option
@output_option
def list_(
    caller: str | None,
    connection: str | None,
    provider: str | None,
    subject: str | None,
    config: Path | None,
    form: Form,
) -> None:
    """List grants; each filter that is given must fit."""
    wanted = {"caller": caller, "connection": connection, "provider": provider, "subject": subject}
    pages = Surroundings.read(config).admin().pages("/v1/grants", **wanted)
    show_rows(form, pages, COLUMNS)


@grant.command()
@click.argument("id")
@config_option
@tenant_option
@output_option
def revoke(id: str, config: Path | None, form: Form) -> None:
    """Revoke a grant."""
    answer = Surroundings.read(config).admin().remove(f"/v1/grants/{segment(id)}")
    show_row(form, answer, _fields(answer))


def _fields(grant: Row) -> list[str]:
    """The columns without the two of connection, provider and subject that it is not over."""
    return [name for name in COLUMNS if name not in TARGETS or grant.get(name) is not None]


def parse_target(text: str) -> dict[str, str]:
    """Read what a grant is over: an id, `provider=P` or `subject=S`.

    Raises:
        BadInput: It is of another form.
    """
    kind, equals, name = text.partition("=")
    if not equals:
        return {"connection": text}
    if kind not in ("provider", "subject") or not name:
        raise BadInput(
            f"{text!r} is nothing that a grant can be over",
            "give a connection's id, provider=P or subject=S",
        )
    return {kind: name}


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
