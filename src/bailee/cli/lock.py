"""`bailee lock`: is a credential's allowlist in force?"""

from pathlib import Path

import click

from bailee.cli.admin_api import segment
from bailee.cli.output import Form, output_option, say, show_row, show_rows
from bailee.cli.surroundings import Surroundings, config_option, tenant_option
from bailee.errors import BadInput

FIELDS = ("connection", "provider", "state", "reason", "egress", "decoy", "checked_at")
COLUMNS = ("connection", "provider", "subject", "state", "decoy", "checked_at", "reason")
STATES = ("unchecked", "enforced", "declared", "open", "blocked", "unproven")


@click.group()
def lock() -> None:
    """Whether the allowlists of users' credentials are in force, as it was measured."""


@lock.command()
@click.argument("connection", required=False)
@click.option("--all", "every", is_flag=True, help="All active connections, one after the other.")
@click.option("--provider", help="With --all: of this provider alone.")
@click.option(
    "--accept-risky",
    is_flag=True,
    help="Try from a decoy this once, even where that may lock the key or alarm its user.",
)
@config_option
@tenant_option
@output_option
def check(
    connection: str | None,
    every: bool,
    provider: str | None,
    accept_risky: bool,
    config: Path | None,
    form: Form,
) -> int:
    """Measure the lock of CONNECTION: served from its egress address, refused from a decoy?

    The keeper tries the credential and signs what it saw. With --all it exits with 1 when a
    connection could not be checked.
    """
    from bailee.cli.lock_check import ADVICE, check_all, check_one

    if every == (connection is not None) or (provider is not None and not every):
        raise BadInput("name one connection, or give --all (and --provider, if wanted)")
    surroundings = Surroundings.read(config)
    verifier, admin = surroundings.verifier(), surroundings.admin()
    if connection is not None:
        row = check_one(admin, verifier, connection, accept_risky)
        show_row(form, row, FIELDS)
        if advice := ADVICE.get(str(row["cause"])):
            say(f"hint: {advice}")
        return 0
    rows = list(check_all(admin, verifier, provider, accept_risky))
    show_rows(form, rows, FIELDS)
    failed = sum(row["state"] is None for row in rows)
    say(f"{len(rows)} connections, {failed} could not be checked")
    return 1 if failed else 0


@lock.command("list")
@click.option("--state", type=click.Choice(STATES), help="In this state alone.")
@click.option("--provider", help="Of this provider alone.")
@config_option
@tenant_option
@output_option
def list_(state: str | None, provider: str | None, config: Path | None, form: Form) -> None:
    """List the locks of active connections as they were measured last."""
    admin = Surroundings.read(config).admin()
    show_rows(form, admin.pages("/v1/locks", state=state, provider=provider), COLUMNS)


@lock.command()
@click.argument("connection")
@config_option
@tenant_option
@output_option
def show(connection: str, config: Path | None, form: Form) -> None:
    """Show the lock of CONNECTION, with each probe and what it was answered."""
    answer = Surroundings.read(config).admin().read(f"/v1/locks/{segment(connection)}")
    show_row(form, answer, COLUMNS)
    if form == "table" and answer.get("observations"):
        click.echo()
        seen = [each for each in answer["observations"] if "probe" in each]
        show_rows(form, seen, ("probe", "meaning", "status", "trouble", "skew_seconds"))
