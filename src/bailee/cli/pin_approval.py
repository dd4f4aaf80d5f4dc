"""Approving and retiring pins, with the authority at hand."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bailee.cli.admin_api import AdminApi, segment
from bailee.cli.authority import SigningDesk, signing_desk
from bailee.cli.learning import Learned, approved_set
from bailee.cli.output import warn
from bailee.cli.statements import statement
from bailee.config import Settings
from bailee.errors import BadInput, Conflict, NotFound, TrustBroken
from bailee.manage import pins as pin_sets
from bailee.manage import providers
from bailee.model import Pin, PinSet, ProviderId
from bailee.policy.pin import format_pin, parse_pin
from bailee.vault.statements import sign_pin_set


@dataclass(frozen=True, slots=True)
class Wanted:
    """The pins that somebody wants approved. There is at least one in `approve`."""

    approve: tuple[Pin, ...]
    backup: tuple[Pin, ...]

    @classmethod
    def parse(
        cls, approve: Sequence[str], backup: Sequence[str], danger_no_backup: bool
    ) -> "Wanted | None":
        """Read what was typed; None when nothing is to be approved.

        Raises:
            BadInput: A pin is not of the right form, or the backup is missing or contradicted.
        """
        wanted = cls(tuple(map(parse_pin, approve)), tuple(map(parse_pin, backup)))
        if not approve and (backup or danger_no_backup):
            raise BadInput("--backup and --danger-no-backup go with --approve")
        if backup and danger_no_backup:
            raise BadInput("--danger-no-backup contradicts --backup")
        if approve and not backup and not danger_no_backup:
            raise BadInput(
                "a pin set needs a backup: the pin of a key that is not in use yet",
                "of another CA that the provider may turn to, say: openssl x509 -in other-ca.pem "
                "-pubkey -noout | openssl pkey -pubin -outform DER | openssl dgst -sha256 -binary "
                "| base64, then --backup sha256/...; or go without by --danger-no-backup",
            )
        return wanted if approve else None


def approve_pins(
    admin: AdminApi, settings: Settings, learned: Learned, wanted: Wanted
) -> dict[str, Any]:
    """Sign a pin set of the chain just seen, and store it through the admin API.

    Raises:
        BadInput: A pin to approve is not in the chain, or a backup is. Nothing was approved.
    """
    with signing_desk(settings) as desk:
        return approve_at(admin, desk, learned, wanted)


def approve_at(
    admin: AdminApi, desk: SigningDesk, learned: Learned, wanted: Wanted
) -> dict[str, Any]:
    """The same, with the root key at work already."""
    serial = pin_sets.next_serial(desk.store, ProviderId(learned.provider), learned.origin)
    pins = approved_set(learned, wanted.approve, wanted.backup, serial)
    row = _send(admin, desk, pins)
    if pins.danger_no_backup:
        warn(
            f"{learned.provider}: no backup pin: when the provider changes its key, calls stop",
            "approve a set with a backup as soon as you know one",
        )
    return row


def retire_pin(
    admin: AdminApi,
    settings: Settings,
    provider: ProviderId,
    origin: str | None,
    gone: Pin,
    *,
    danger_no_backup: bool,
) -> dict[str, Any]:
    """Sign the present pin set without one of its pins, and store it through the admin API.

    Raises:
        NotFound: There is no such origin, pin set, or pin in it.
        TrustBroken: The present pin set is not the authority's.
        Conflict: Too few pins would be left.
    """
    with signing_desk(settings) as desk:
        approved = providers.show(desk.store, desk.verifier, provider).approved
        found = None if approved is None else approved.origin(origin)
        if found is None:
            raise NotFound(f"{provider} has no such approved origin")
        present = pin_sets.show(desk.store, desk.verifier, provider, found.name).pins
        if present is None:
            raise TrustBroken("the present pin set is not signed by the authority")
        return _send(admin, desk, _without(present, gone, danger_no_backup))


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


def _send(admin: AdminApi, desk: SigningDesk, pins: PinSet) -> dict[str, Any]:
    answer = admin.send(
        f"/v1/providers/{segment(pins.provider)}/pins",
        statement(sign_pin_set(desk.authority, pins)),
    )
    return {
        "provider": pins.provider,
        "origin": pins.origin,
        "serial": pins.serial,
        "pins": [format_pin(each) for each in pins.pins],
        "danger_no_backup": pins.danger_no_backup,
        **answer,
    }
