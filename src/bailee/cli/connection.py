"""`bailee connection`: credentials come in sealed, and never go out."""

import sys
from base64 import b64encode
from pathlib import Path
from typing import Any

import click

from bailee.cli.admin_api import AdminApi, segment
from bailee.cli.output import Form, output_option, say, show_row, show_rows
from bailee.cli.statements import read_statement
from bailee.cli.surroundings import Surroundings, config_option

COLUMNS = ("id", "provider", "subject", "state", "version", "egress", "created_at")


@click.group()
def connection() -> None:
    """Users' credentials, sealed in this command before they leave it."""


@connection.command()
@click.argument("provider")
@click.option("--subject", required=True, help="Whose credential it is; your own id of the user.")
@click.option("--egress", help="The egress address that its calls leave from.")
@config_option
@output_option
def add(provider: str, subject: str, egress: str | None, config: Path | None, form: Form) -> None:
    """Seal the credential on stdin (a JSON object) and store it.

    The approved record of PROVIDER and the tenant's key are verified against the authority's public
    half, of --config or BAILEE_AUTHORITY, before anything is sealed.
    """
    from bailee.manage.ids import new_connection_id

    surroundings = Surroundings.read(config)
    verifier = surroundings.verifier()
    text = _credential()
    admin = surroundings.admin()
    sealed = _seal(admin, verifier, provider, text, new_connection_id(), 1)
    answer = admin.send(
        "/v1/connections",
        {**sealed, "provider": provider, "subject": subject, "egress": egress},
    )
    show_row(form, answer, COLUMNS)


@connection.command()
@click.argument("id")
@config_option
@output_option
def rotate(id: str, config: Path | None, form: Form) -> None:
    """Replace a connection's credential by the one on stdin; the old one is deleted."""
    from bailee.model import ConnectionId

    surroundings = Surroundings.read(config)
    verifier = surroundings.verifier()
    text = _credential()
    admin = surroundings.admin()
    known = admin.read(f"/v1/connections/{segment(id)}")
    version = int(known["version"]) + 1
    sealed = _seal(admin, verifier, str(known["provider"]), text, ConnectionId(id), version)
    del sealed["id"]
    answer = admin.send(f"/v1/connections/{segment(id)}/versions", sealed)
    show_row(form, answer, COLUMNS)


@connection.command("list")
@click.option("--provider", help="Of this provider alone.")
@click.option("--subject", help="Of this user alone.")
@click.option("--state", type=click.Choice(["active", "revoked"]), help="In this state alone.")
@config_option
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
@output_option
def show(id: str, config: Path | None, form: Form) -> None:
    """Show a connection; its credential is never shown."""
    answer = Surroundings.read(config).admin().read(f"/v1/connections/{segment(id)}")
    show_row(form, answer, tuple(answer))
    if answer.get("fits_trust") is False and answer.get("state") == "active":
        say("its credential was sealed to another trust record than the approved one: enter it")
        say(f"again with 'bailee connection rotate {id}'")


@connection.command()
@click.argument("id")
@config_option
@output_option
def revoke(id: str, config: Path | None, form: Form) -> None:
    """Revoke a connection for good and delete its credential."""
    answer = Surroundings.read(config).admin().remove(f"/v1/connections/{segment(id)}")
    show_row(form, answer, COLUMNS)


def _credential() -> Any:
    """Read the credential from stdin; it is never an argument, where `ps` would show it."""
    from bailee.errors import BadInput
    from bailee.secret import Secret
    from bailee.signing.place import CREDENTIAL_MAX_BYTES

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


def _seal(
    admin: AdminApi, verifier: Any, provider: str, text: Any, id: Any, version: int
) -> dict[str, object]:
    """Verify what the admin API says of provider and tenant, and seal the credential to it.

    Returns:
        The members of a sealed version, as the admin API takes them.
    """
    from bailee.errors import ProviderNotApproved, TrustBroken
    from bailee.model import ProviderId, SealContext
    from bailee.providers.trust import trust_digest
    from bailee.signing.place import parse_credential
    from bailee.vault.sealing import seal
    from bailee.vault.statements import verified_provider, verified_tenant_key

    record = admin.read(f"/v1/providers/{segment(provider)}")
    if record.get("state") == "broken":
        raise TrustBroken(
            f"the record of {provider} is not signed by the authority",
            "find out who can write the database, then approve the provider again",
        )
    if not record.get("payload"):
        raise ProviderNotApproved(
            f"{provider} is not approved", f"approve it with 'bailee provider approve {provider}'"
        )
    known, _ = verified_provider(verifier, read_statement(record), expected=ProviderId(provider))
    key = verified_tenant_key(verifier, read_statement(admin.read("/v1/tenant/key")))
    credential = parse_credential(known.auth, text.reveal())
    context = SealContext(key.tenant, id, version, trust_digest(known))
    sealed = seal(credential, key, context)
    return {
        "id": sealed.connection,
        "version": sealed.version,
        "key_id": sealed.key_id,
        "trust_digest": sealed.trust_digest.hex(),
        "ciphertext": b64encode(sealed.ciphertext).decode("ascii"),
    }
