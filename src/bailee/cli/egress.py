"""`bailee egress`: addresses that calls leave from, published by the authority."""

import dataclasses
from pathlib import Path
from typing import Any

import click

from bailee.cli.output import Form, output_option, say, show_row, show_rows, warn
from bailee.cli.surroundings import Surroundings, config_option
from bailee.config import EgressEntry, Settings
from bailee.errors import NotFound

COLUMNS = ("id", "name", "public", "state", "serial", "connections")


@click.group()
def egress() -> None:
    """Addresses that calls leave from and that users allow."""


@egress.command("list")
@config_option
@output_option
def list_(config: Path | None, form: Form) -> None:
    """List published addresses, retired ones too."""
    show_rows(form, Surroundings.read(config).admin().pages("/v1/egress"), COLUMNS)


@egress.command()
@click.argument("name")
@config_option
@output_option
def add(name: str, config: Path | None, form: Form) -> None:
    """Publish the address of the [[egress]] section NAME of the configuration."""
    from bailee.cli.authority import signing_desk
    from bailee.cli.statements import statement
    from bailee.egress.address import is_local
    from bailee.manage.ids import new_id
    from bailee.model import EgressAddress, EgressId, EgressState
    from bailee.vault.statements import sign_egress_address

    surroundings = Surroundings.read(config)
    settings = surroundings.require_settings("publishing an egress address")
    entry = _entry(settings, name)
    admin = surroundings.admin()
    address = EgressAddress(
        EgressId(new_id("egr")), entry.name, entry.public, EgressState.ACTIVE, 1
    )
    with signing_desk(settings) as desk:
        signed = sign_egress_address(desk.authority, address)
        answer = admin.send("/v1/egress", statement(signed))
    if not is_local(entry.bind):
        warn(f"egress {entry.name}: {entry.bind} is not an address of this machine")
    show_row(form, _row(answer, address), COLUMNS)
    say("a server that runs since before the section was added needs 'bailee config reload'")


@egress.command()
@click.argument("name")
@config_option
@output_option
def retire(name: str, config: Path | None, form: Form) -> None:
    """Retire an address (its name or id): calls of its connections stop at once."""
    from bailee.cli.authority import signing_desk
    from bailee.cli.statements import statement
    from bailee.manage import egress as addresses
    from bailee.model import EgressState
    from bailee.vault.statements import sign_egress_address

    surroundings = Surroundings.read(config)
    settings = surroundings.require_settings("retiring an egress address")
    admin = surroundings.admin()
    with signing_desk(settings) as desk:
        last = addresses.find(desk.store, desk.verifier, name)
        retired = dataclasses.replace(last, state=EgressState.RETIRED, serial=last.serial + 1)
        signed = sign_egress_address(desk.authority, retired)
        answer = admin.send("/v1/egress", statement(signed))
    row = _row(answer, retired)
    show_row(form, row, COLUMNS)
    if row.get("connections"):
        warn(
            f"{row['connections']} connections had this address: their calls answer 503",
            "their users connect anew, with an address that is active",
        )


def _entry(settings: Settings, name: str) -> EgressEntry:
    for entry in settings.egress:
        if entry.name == name:
            return entry
    known = ", ".join(entry.name for entry in settings.egress) or "none"
    raise NotFound(
        f"{settings.path} has no [[egress]] section named {name} (there are: {known})",
        f'add to it: [[egress]] name = "{name}" bind = "ADDRESS", each on a line of its own',
    )


def _row(answer: Any, address: Any) -> dict[str, Any]:
    return {**dataclasses.asdict(address), **answer}
