"""`bailee token`: who may use the admin API, and tokens for calls of one subject."""

from pathlib import Path

import click

from bailee.cli.admin_api import segment
from bailee.cli.output import Form, output_option, say, show_row, show_rows
from bailee.cli.surroundings import Surroundings, config_option, tenant_option
from bailee.errors import BadInput

COLUMNS = ("id", "tenant", "role", "caller", "label", "created_at", "expires_at", "revoked_at")
MADE = ("id", "tenant", "role", "label", "token", "expires_at")
DERIVED = ("id", "tenant", "caller", "subject", "connection", "methods", "token", "expires_at")
ROLES = ("operator", "application", "auditor")
TOKEN_DAYS = 365
DERIVED_SECONDS = 900
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "WEBSOCKET")


@click.group()
def token() -> None:
    """Tokens: of operators, applications and auditors; and short ones for calls."""


@token.command()
@click.option(
    "--role",
    type=click.Choice(ROLES),
    required=True,
    help="operator: everything; application: the things of one tenant; auditor: reads everything.",
)
@click.option(
    "--days",
    type=click.IntRange(1, 5 * 365),
    default=TOKEN_DAYS,
    show_default=True,
    help="How long it is good.",
)
@click.option("--label", default="", help="What it is for, to be found again in the list.")
@config_option
@tenant_option
@output_option
def add(role: str, days: int, label: str, config: Path | None, form: Form) -> None:
    """Make a token for the admin API and print it, this once."""
    document = {"role": role, "days": days, "label": label}
    answer = Surroundings.read(config).admin().send("/v1/tokens", document)
    show_row(form, answer, MADE)
    _say_once(form)


@token.command()
@click.argument("caller")
@click.option("--subject", help="For all connections of this user.")
@click.option("--connection", help="For this connection.")
@click.option(
    "--method",
    "methods",
    multiple=True,
    type=click.Choice(METHODS),
    help="For this method; may be repeated. Without it: all that the caller may use.",
)
@click.option(
    "--seconds",
    type=click.IntRange(1, DERIVED_SECONDS),
    default=DERIVED_SECONDS,
    show_default=True,
    help="How long it is good.",
)
@config_option
@tenant_option
@output_option
def derive(
    caller: str,
    subject: str | None,
    connection: str | None,
    methods: tuple[str, ...],
    seconds: int,
    config: Path | None,
    form: Form,
) -> None:
    """Make a short token of CALLER (its id or name) for one subject or one connection.

    It can do no more than the caller's grants allow, and ends with the token that made it.
    """
    if (subject is None) == (connection is None):
        raise BadInput("what is the token for?", "give --subject or --connection")
    document: dict[str, object] = {"caller": caller, "seconds": seconds}
    document |= {"subject": subject} if connection is None else {"connection": connection}
    if methods:
        document["methods"] = list(dict.fromkeys(methods))
    answer = Surroundings.read(config).admin().send("/v1/tokens", document)
    show_row(form, answer, DERIVED)
    _say_once(form)


@token.command("list")
@config_option
@tenant_option
@output_option
def list_(config: Path | None, form: Form) -> None:
    """List tokens, revoked and expired ones too; their texts are not known to anybody."""
    show_rows(form, Surroundings.read(config).admin().pages("/v1/tokens"), COLUMNS)


@token.command()
@click.argument("id")
@config_option
@tenant_option
@output_option
def revoke(id: str, config: Path | None, form: Form) -> None:
    """Revoke a token, with all that were derived from it."""
    answer = Surroundings.read(config).admin().remove(f"/v1/tokens/{segment(id)}")
    show_row(form, answer, COLUMNS)


def _say_once(form: Form) -> None:
    if form == "table":
        say("the token is stored as a digest: keep it now, it is not shown again")
