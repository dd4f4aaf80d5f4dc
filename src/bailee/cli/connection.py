"""`bailee connection`: credentials come in sealed, and never go out."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bailee.cli.admin_api import segment
from bailee.cli.connection_import import import_
from bailee.cli.connection_revoke import COLUMNS, revoke
from bailee.cli.output import Form, output_option, say, show_row, show_rows
from bailee.cli.surroundings import Surroundings, config_option, tenant_option

if TYPE_CHECKING:
    from bailee.secret import Secret


@click.group()
def connection() -> None:
    """Users' credentials, sealed in this command before they leave it."""


@connection.command()
@click.argument("provider")
@click.option("--subject", required=True, help="Whose credential it is; your own id of the user.")
@click.option("--egress", help="The egress address that its calls leave from.")
@config_option
@tenant_option
@output_option
def add(provider: str, subject: str, egress: str | None, config: Path | None, form: Form) -> None:
    """Seal the credential on stdin (a JSON object) and store it.

    The approved record of PROVIDER and the tenant's key are verified against the authority's public
    half, of --config or BAILEE_AUTHORITY, before anything is sealed.
    """
    from bailee.cli.sealer import Sealer
    from bailee.manage.ids import new_connection_id

    surroundings = Surroundings.read(config)
    verifier = surroundings.verifier()
    text = credential_on_stdin()
    admin = surroundings.admin()
    sealed = Sealer(admin, verifier).seal(provider, text, new_connection_id(), 1)
    answer = admin.send(
        "/v1/connections",
        {**sealed, "provider": provider, "subject": subject, "egress": egress},
    )
    show_row(form, answer, COLUMNS)


@connection.command()
@click.argument("id")
@config_option
@tenant_option
@output_option
def rotate(id: str, config: Path | None, form: Form) -> None:
    """Replace a connection's credential by the one on stdin; the old one is deleted."""
    from bailee.cli.sealer import Sealer
    from bailee.model import ConnectionId

    surroundings = Surroundings.read(config)
    verifier = surroundings.verifier()
    text = credential_on_stdin()
    admin = surroundings.admin()
    known = admin.read(f"/v1/connections/{segment(id)}")
    version = int(known["version"]) + 1
    sealed = Sealer(admin, verifier).seal(str(known["provider"]), text, ConnectionId(id), version)
    del sealed["id"]
    answer = admin.send(f"/v1/connections/{segment(id)}/versions", sealed)
    show_row(form, answer, COLUMNS)


@connection.command("list")
@click.option("--provider", help="Of this provider alone.")
@click.option("--subject", help="Of this user alone.")
@click.option("--state", type=click.Choice(["active", "revoked"]), help="In this state alone.")
@config_option
@tenant_option
@output_option
def list_(
    provider: str | None, subject: str | None, state: str | None, config: Path | None, form: Form
) -> None:
    """List connections; each filter that is given must fit."""
    pages = (
        Surroundings.read(config)
        .admin()
        .pages("/v1/connections", provider=provider, subject=subject, state=state)
    )
    show_rows(form, pages, COLUMNS)


@connection.command()
@click.argument("id")
@config_option
@tenant_option
@output_option
def show(id: str, config: Path | None, form: Form) -> None:
    """Show a connection; its credential is never shown."""
    answer = Surroundings.read(config).admin().read(f"/v1/connections/{segment(id)}")
    show_row(form, answer, tuple(answer))
    if answer.get("fits_trust") is False and answer.get("state") == "active":
        say("its credential was sealed to another trust record than the approved one: enter it")
        say(f"again with 'bailee connection rotate {id}'")


connection.add_command(import_, "import")
connection.add_command(revoke, "revoke")


def credential_on_stdin() -> "Secret":
    """Read the credential from stdin; it is never an argument, where `ps` would show it.

    Raises:
        BadInput: Stdin is a terminal, or empty.
    """
    from bailee.errors import BadInput
    from bailee.secret import Secret
    from bailee.signing.fields import CREDENTIAL_MAX_BYTES

    if sys.stdin.isatty():
        raise BadInput(
            "the credential is read from stdin, and stdin is a terminal",
            "put it into a file of mode 0600 and give it as '< credential.json'",
        )
    text = sys.stdin.buffer.read(CREDENTIAL_MAX_BYTES + 1)
    if not text.strip():
        raise BadInput(
            "there is no credential on stdin", 'give a JSON object, as in {"api_key": "..."}'
        )
    return Secret(text)
