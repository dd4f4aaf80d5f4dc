"""`bailee pin`: which public keys a provider's certificates may have."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from bailee.cli.output import Form, output_option, print_json, say, show_row, show_rows
from bailee.cli.pin_print import print_
from bailee.cli.surroundings import Surroundings, config_option
from bailee.model import ProviderId
from bailee.policy.pin import parse_pin

FIELDS = ("provider", "origin", "serial", "pins", "danger_no_backup")
_Command = TypeVar("_Command", bound=Callable[..., Any])


@click.group()
def pin() -> None:
    """Which public keys a provider's certificates may have, besides being valid."""


pin.add_command(print_)


def _set_options(command: _Command) -> _Command:
    for option in (
        click.option("--origin", help="Which origin of the provider; else its default one."),
        click.option("--egress", help="The egress address to look from."),
        click.option(
            "--backup",
            multiple=True,
            metavar="sha256/...",
            help="A pin of a key that is not in use yet; may be repeated.",
        ),
        click.option("--danger-no-backup", is_flag=True, help="Go without a backup pin."),
    ):
        command = option(command)
    return command


@pin.command()
@click.argument("provider")
@click.option(
    "--approve",
    multiple=True,
    metavar="sha256/...",
    help="Approve this pin, if it is in the verified chain just seen; may be repeated.",
)
@_set_options
@config_option
@output_option
def learn(
    provider: str,
    approve: tuple[str, ...],
    backup: tuple[str, ...],
    danger_no_backup: bool,
    origin: str | None,
    egress: str | None,
    config: Path | None,
    form: Form,
) -> None:
    """Let the keeper look at the certificate chain of PROVIDER, and show it.

    The chain is verified twice before it is shown, and the keeper signs what it saw.
    """
    _learn(Surroundings.read(config), provider, approve, backup, danger_no_backup, origin, egress,
           form)  # fmt: skip


@pin.command("approve")
@click.argument("provider")
@click.argument("pins", nargs=-1, required=True, metavar="PIN...")
@_set_options
@config_option
@output_option
def approve_(
    provider: str,
    pins: tuple[str, ...],
    backup: tuple[str, ...],
    danger_no_backup: bool,
    origin: str | None,
    egress: str | None,
    config: Path | None,
    form: Form,
) -> None:
    """Look at the chain of PROVIDER again, and approve PINs that are in it."""
    _learn(Surroundings.read(config), provider, pins, backup, danger_no_backup, origin, egress,
           form)  # fmt: skip


@pin.command("list")
@click.argument("provider", required=False)
@config_option
@output_option
def list_(provider: str | None, config: Path | None, form: Form) -> None:
    """List the newest pin set of each origin."""
    pages = Surroundings.read(config).admin().pages("/v1/pins", provider=provider)
    show_rows(form, pages, FIELDS)


@pin.command()
@click.argument("provider")
@click.argument("pin")
@click.option("--origin", help="Which origin of the provider; else its default one.")
@click.option("--danger-no-backup", is_flag=True, help="Let one pin be left.")
@config_option
@output_option
def retire(
    provider: str,
    pin: str,
    origin: str | None,
    danger_no_backup: bool,
    config: Path | None,
    form: Form,
) -> None:
    """Approve a pin set without PIN, in the place of the present one."""
    from bailee.cli.pin_approval import retire_pin

    surroundings = Surroundings.read(config)
    settings = surroundings.require_settings("retiring a pin")
    row = retire_pin(
        surroundings.admin(),
        settings,
        ProviderId(provider),
        origin,
        parse_pin(pin),
        danger_no_backup=danger_no_backup,
    )
    show_row(form, row, FIELDS)


def _learn(
    surroundings: Surroundings,
    provider: str,
    approve: tuple[str, ...],
    backup: tuple[str, ...],
    danger_no_backup: bool,
    origin: str | None,
    egress: str | None,
    form: Form,
) -> None:
    from bailee.cli.learning import SEEN_COLUMNS, advise, learn_chain, seen_row
    from bailee.cli.pin_approval import Wanted, approve_pins

    wanted = Wanted.parse(approve, backup, danger_no_backup)
    settings = None if wanted is None else surroundings.require_settings("approving a pin")
    admin = surroundings.admin()
    learned = learn_chain(admin, surroundings.verifier(), provider, origin, egress)
    if form == "table":
        show_rows(form, map(seen_row, learned.chain), SEEN_COLUMNS)
    row = None
    if wanted is not None and settings is not None:
        row = approve_pins(admin, settings, learned, wanted)
    if form == "json":
        chain = [seen_row(each) for each in learned.chain]
        told = {"provider": provider, "origin": learned.origin, "chain": chain, "approved": row}
        print_json(told)
    elif row is not None:
        click.echo()
        show_row(form, row, FIELDS)
    else:
        for line in advise(learned):
            say(line)
