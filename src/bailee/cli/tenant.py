"""`bailee tenant`: applications that are kept apart, each with a key pair of its own."""

from base64 import b64encode
from pathlib import Path

import click

from bailee.cli.admin_api import segment
from bailee.cli.output import Form, output_option, show_row, show_rows
from bailee.cli.surroundings import Surroundings, config_option
from bailee.errors import BadInput

COLUMNS = ("id", "name", "gate", "probing", "created_at")
GATES = ("none", "declared", "enforced")
PROBING = ("none", "ok", "risky")


@click.group()
def tenant() -> None:
    """Applications that are kept apart: none sees another's things."""


@tenant.command()
@click.argument("id")
@click.option("--name", help="For people; by default the id.")
@config_option
@output_option
def add(id: str, name: str | None, config: Path | None, form: Form) -> None:
    """Add the tenant ID (lower-case letters, digits, hyphens) with a signed key pair of its own.

    What is sealed to its key opens for no other tenant. The private half is wrapped by the root
    key, which --config leads to.
    """
    from bailee.cli.authority import signing_desk
    from bailee.cli.statements import statement
    from bailee.manage.forms import parse_label, parse_tenant
    from bailee.model import TenantId
    from bailee.vault.statements import sign_tenant_key

    surroundings = Surroundings.read(config)
    settings = surroundings.require_settings("adding a tenant")
    admin = surroundings.admin()
    added = TenantId(parse_tenant(id))
    label = parse_label(id if name is None else name)
    with signing_desk(settings) as desk:
        key, wrapped = desk.keyring.new_tenant_key(added)
        document = {
            "id": added,
            "name": label,
            **statement(sign_tenant_key(desk.authority, key)),
            "wrapped_private": b64encode(wrapped).decode("ascii"),
        }
        answer = admin.send("/v1/tenants", document)
    show_row(form, answer, COLUMNS)


@tenant.command("list")
@config_option
@output_option
def list_(config: Path | None, form: Form) -> None:
    """List tenants."""
    show_rows(form, Surroundings.read(config).admin().pages("/v1/tenants"), COLUMNS)


@tenant.command("set")
@click.argument("id")
@click.option(
    "--gate",
    type=click.Choice(GATES),
    help="Which lock a connection needs before it may be used.",
)
@click.option(
    "--probing",
    type=click.Choice(PROBING),
    help="What its users agreed to: that keys are tried from decoys where the preset says ok, or "
    "risky too.",
)
@config_option
@output_option
def set_(id: str, gate: str | None, probing: str | None, config: Path | None, form: Form) -> None:
    """Change what a tenant requires of locks, and consents to."""
    wanted = {"gate": gate, "probing": probing}
    document = {name: value for name, value in wanted.items() if value is not None}
    if not document:
        raise BadInput("there is nothing to change", "give --gate or --probing")
    answer = Surroundings.read(config).admin().change(f"/v1/tenants/{segment(id)}", document)
    show_row(form, answer, COLUMNS)
