"""`bailee provider`: which APIs may be called, and who said so."""

import sys
from pathlib import Path
from typing import Any

import click

from bailee.cli.admin_api import AdminApi, segment
from bailee.cli.authority import SigningDesk, signing_desk, statement
from bailee.cli.output import Form, output_option, say, show_row, show_rows, warn
from bailee.cli.provider_view import differences, summary
from bailee.cli.surroundings import Surroundings, config_option
from bailee.errors import BadInput, Conflict
from bailee.manage import providers
from bailee.model import Provider, ProviderId
from bailee.providers.load import encode_provider, parse_provider
from bailee.providers.trust import trust_digest
from bailee.vault.statements import sign_provider

FIELDS = ("id", "name", "state", "serial")
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def provider() -> None:
    """Which APIs may be called. Admin proposes; the authority approves."""


@provider.command("list")
@config_option
@output_option
def list_(config: Path | None, form: Form) -> None:
    """List providers and where they stand."""
    show_rows(form, Surroundings.read(config).admin().pages("/v1/providers"), FIELDS)


@provider.command()
@click.argument("id")
@config_option
@output_option
def show(id: str, config: Path | None, form: Form) -> None:
    """Show a provider: what is approved, and what is proposed."""
    from bailee.providers.load import decode_provider

    answer = Surroundings.read(config).admin().read(f"/v1/providers/{segment(id)}")
    if form == "json":
        show_row(form, answer, FIELDS)
        return
    row: dict[str, Any] = {name: answer.get(name) for name in FIELDS}
    for title, document in (("approved", "document"), ("proposed", "proposal")):
        if answer.get(document):
            known = decode_provider(_encoded(answer[document]))
            row |= {f"{title} {name}": value for name, value in summary(known).items()}
    show_row(form, row, tuple(row))


@provider.command()
@click.argument("file", type=_FILE)
@output_option
def check(file: Path, form: Form) -> None:
    """Read a provider's FILE and show what it says. Nothing is sent anywhere."""
    read = read_provider_file(file)
    row = {"id": read.id, "name": read.name, **summary(read)}
    show_row(form, row, tuple(row))


@provider.command()
@click.argument("file", type=_FILE)
@click.option("--propose-only", is_flag=True, help="Leave the approval to somebody else.")
@config_option
@output_option
def add(file: Path, propose_only: bool, config: Path | None, form: Form) -> None:
    """Propose a provider's FILE; with --config, approve it at once.

    The file is read again when it has changed: the same command changes a provider.
    """
    read = read_provider_file(file)
    surroundings = Surroundings.read(config)
    admin = surroundings.admin()
    if surroundings.settings is None or propose_only:
        answer = _propose(admin, read)
        say(f"{read.id} is proposed, not approved: it carries no call by this file yet")
        say(f"approve it where the root key is: bailee provider approve {read.id} --config F")
    else:
        with signing_desk(surroundings.settings) as desk:
            before = _approved(desk, read.id)
            answer = _propose(admin, read)
            if before is None or encode_provider(before) != encode_provider(read):
                answer = _approve(admin, desk, before, read)
            else:
                say(f"{read.id} is approved already, as the file says it")
    show_row(form, _row(answer), FIELDS)


@provider.command()
@click.argument("id")
@click.option("--yes", is_flag=True, help="Do not ask.")
@config_option
@output_option
def approve(id: str, yes: bool, config: Path | None, form: Form) -> None:
    """Approve what is proposed for a provider, after a look at what changes."""
    surroundings = Surroundings.read(config)
    settings = surroundings.require_settings("approving a provider")
    admin = surroundings.admin()
    with signing_desk(settings) as desk:
        standing = providers.show(desk.store, desk.verifier, ProviderId(id))
        if standing.proposed is None:
            raise Conflict(f"nothing is proposed for {id}", "propose with 'bailee provider add F'")
        for line in differences(standing.approved, standing.proposed):
            say(line)
        if not yes:
            _confirm(f"let credentials of {id} go where this says?")
        answer = _approve(admin, desk, standing.approved, standing.proposed)
    show_row(form, _row(answer), FIELDS)


def read_provider_file(file: Path) -> Provider:
    """Read a provider's file and the CA files it names, which are relative to it.

    Raises:
        BadInput: It can't be read, or has faults: all of them at once.
    """

    def read_ca(name: str) -> str:
        return (file.parent / name).read_text(encoding="utf-8")

    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{file} can't be read: {error}") from None
    return parse_provider(text, read_ca)


def _propose(admin: AdminApi, read: Provider) -> Any:
    import json

    return admin.send("/v1/providers", {"document": json.loads(encode_provider(read))})


def _approved(desk: SigningDesk, id: ProviderId) -> Provider | None:
    from bailee.errors import NotFound

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


def _encoded(document: object) -> bytes:
    import msgspec

    return msgspec.json.encode(document, order="sorted")


def _row(answer: Any) -> dict[str, Any]:
    return {name: answer.get(name) for name in FIELDS}
