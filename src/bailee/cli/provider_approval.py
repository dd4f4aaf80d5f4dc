"""Reading, proposing and approving a provider, with the authority at hand."""

import json
import sys
from typing import Any

import click
import msgspec

from bailee.cli.admin_api import AdminApi, segment
from bailee.cli.authority import SigningDesk, signing_desk
from bailee.cli.output import say, warn
from bailee.cli.provider_view import differences
from bailee.cli.statements import statement
from bailee.config import Settings
from bailee.errors import BadInput, Conflict, NotFound
from bailee.manage import providers
from bailee.model import Provider, ProviderId
from bailee.providers.load import decode_provider, encode_provider
from bailee.providers.trust import trust_digest
from bailee.vault.statements import sign_provider


def read_document(document: object) -> Provider:
    """Read a provider as the admin API shows it.

    Raises:
        BadInput: It is not of the form that this version knows.
    """
    return decode_provider(msgspec.json.encode(document, order="sorted"))


def propose(admin: AdminApi, read: Provider) -> Any:
    """Propose a provider; returns the admin API's answer."""
    return admin.send("/v1/providers", {"document": json.loads(encode_provider(read))})


def add_approved(admin: AdminApi, settings: Settings, read: Provider) -> Any:
    """Propose a provider and approve it at once; returns the admin API's answer.

    The vault is opened first: when it is closed, nothing was proposed.
    """
    with signing_desk(settings) as desk:
        before = _approved(desk, read.id)
        if before is None or encode_provider(before) != encode_provider(read):
            return approve_read(admin, desk, before, read)
        answer = propose(admin, read)
        say(f"{read.id} is approved already, as the file says it")
        return answer


def approve_read(
    admin: AdminApi, desk: SigningDesk, before: Provider | None, read: Provider
) -> Any:
    """Propose a provider and approve it at once; `before` is what was approved of it so far."""
    propose(admin, read)
    return _approve(admin, desk, before, read)


def approve_proposed(admin: AdminApi, settings: Settings, id: ProviderId, *, ask: bool) -> Any:
    """Show what a proposal changes, ask, and approve exactly what was shown.

    Raises:
        Conflict: Nothing is proposed.
        BadInput: It is to be asked for, and nobody is at the terminal.
    """
    with signing_desk(settings) as desk:
        standing = providers.show(desk.store, desk.verifier, id)
        if standing.proposed is None:
            raise Conflict(f"nothing is proposed for {id}", "propose with 'bailee provider add F'")
        for line in differences(standing.approved, standing.proposed):
            say(line)
        if ask:
            _confirm(f"let credentials of {id} go where this says?")
        return _approve(admin, desk, standing.approved, standing.proposed)


def _approved(desk: SigningDesk, id: ProviderId) -> Provider | None:
    try:
        return providers.show(desk.store, desk.verifier, id).approved
    except NotFound:
        return None


def _approve(admin: AdminApi, desk: SigningDesk, before: Provider | None, read: Provider) -> Any:
    serial = providers.next_serial(desk.store, read.id)
    signed = sign_provider(desk.authority, read, serial)
    answer = admin.send(f"/v1/providers/{segment(read.id)}/approval", statement(signed))
    if before is not None and trust_digest(before) != trust_digest(read):
        warn(
            f"the trust record of {read.id} changed: credentials sealed before stay closed",
            "enter them again with 'bailee connection rotate ID'",
        )
    for origin in read.origins:
        if origin.danger_private_addresses:
            warn(f"{read.id}: origin {origin.name} may be on a private address")
    return answer


def _confirm(question: str) -> None:
    if not sys.stdin.isatty():
        raise BadInput("nobody is here to confirm this", "look at it, then give --yes")
    click.confirm(question, abort=True, err=True)
