"""`bailee pin`: which public keys a provider's certificates may have."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from bailee.cli.authority import signing_desk, statement
from bailee.cli.learning import SEEN_COLUMNS, Learned, advise, approved_set, learn_chain, seen_row
from bailee.cli.output import Form, output_option, print_json, say, show_row, show_rows, warn
from bailee.cli.surroundings import Surroundings, config_option
from bailee.errors import BadInput, Conflict, NotFound, TrustBroken
from bailee.manage import pins as pin_sets
from bailee.manage import providers
from bailee.model import Pin, PinSet, ProviderId
from bailee.policy.pin import format_pin, parse_pin
from bailee.vault.statements import sign_pin_set

FIELDS = ("provider", "origin", "serial", "pins", "danger_no_backup")
_Command = TypeVar("_Command", bound=Callable[..., Any])


@click.group()
def pin() -> None:
    """Which public keys a provider's certificates may have, besides being valid."""


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
    gone = parse_pin(pin)
    surroundings = Surroundings.read(config)
    settings = surroundings.require_settings("retiring a pin")
    admin = surroundings.admin()
    with signing_desk(settings) as desk:
        approved = providers.show(desk.store, desk.verifier, ProviderId(provider)).approved
        found = None if approved is None else approved.origin(origin)
        if found is None:
            raise NotFound(f"{provider} has no such approved origin")
        standing = pin_sets.show(desk.store, desk.verifier, ProviderId(provider), found.name)
        if standing.pins is None:
            raise TrustBroken("the present pin set is not signed by the authority")
        left = _without(standing.pins, gone, danger_no_backup)
        answer = admin.send(
            f"/v1/providers/{provider}/pins", statement(sign_pin_set(desk.authority, left))
        )
    show_row(form, _row(left, answer), FIELDS)


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
    wanted, spare = [parse_pin(each) for each in approve], [parse_pin(each) for each in backup]
    if not wanted and (spare or danger_no_backup):
        raise BadInput("--backup and --danger-no-backup go with --approve")
    if wanted:
        surroundings.require_settings("approving a pin")
        if not spare and not danger_no_backup:
            raise _no_backup()
    learned = learn_chain(surroundings.admin(), surroundings.verifier(), provider, origin, egress)
    if form == "table":
        show_rows(form, map(seen_row, learned.chain), SEEN_COLUMNS)
    row = None if not wanted else _approve(surroundings, learned, wanted, spare, danger_no_backup)
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


def _approve(
    surroundings: Surroundings,
    learned: Learned,
    wanted: list[Pin],
    spare: list[Pin],
    danger_no_backup: bool,
) -> dict[str, Any]:
    settings = surroundings.require_settings("approving a pin")
    with signing_desk(settings) as desk:
        serial = pin_sets.next_serial(desk.store, ProviderId(learned.provider), learned.origin)
        pins = approved_set(learned, wanted, spare, danger_no_backup, serial)
        answer = surroundings.admin().send(
            f"/v1/providers/{learned.provider}/pins", statement(sign_pin_set(desk.authority, pins))
        )
    if pins.danger_no_backup:
        warn(
            f"{learned.provider}: no backup pin: when the provider changes its key, calls stop",
            "approve a set with a backup as soon as you know one",
        )
    return _row(pins, answer)


def _without(pins: PinSet, gone: Pin, danger_no_backup: bool) -> PinSet:
    if gone not in pins.pins:
        raise NotFound(
            f"{format_pin(gone)} is not a pin of {pins.provider}, origin {pins.origin}",
            f"see 'bailee pin list {pins.provider}'",
        )
    left = tuple(pin for pin in pins.pins if pin != gone)
    if not left:
        raise Conflict("no pin would be left", "approve another one first: bailee pin learn")
    if len(left) < 2 and not danger_no_backup:
        raise Conflict(
            "one pin would be left, without a backup",
            "approve a set with a backup first, or give --danger-no-backup",
        )
    return PinSet(pins.provider, pins.origin, pins.serial + 1, left, len(left) < 2)


def _no_backup() -> BadInput:
    return BadInput(
        "a pin set needs a backup: the pin of a key that is not in use yet",
        "of another CA that the provider may turn to, say: openssl x509 -in other-ca.pem -pubkey "
        "-noout | openssl pkey -pubin -outform DER | openssl dgst -sha256 -binary | base64, then "
        "--backup sha256/...; or go without by --danger-no-backup",
    )


def _row(pins: PinSet, answer: Any) -> dict[str, Any]:
    return {
        "provider": pins.provider,
        "origin": pins.origin,
        "serial": pins.serial,
        "pins": [format_pin(each) for each in pins.pins],
        "danger_no_backup": pins.danger_no_backup,
        **answer,
    }
