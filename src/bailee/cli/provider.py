"""`bailee provider`: which APIs may be called, and who said so."""

from pathlib import Path
from typing import Any

import click

from bailee.cli.admin_api import segment
from bailee.cli.output import Form, output_option, print_json, say, show_row, show_rows
from bailee.cli.surroundings import Surroundings, config_option
from bailee.errors import CheckFailed
from bailee.model import ProviderId

FIELDS = ("id", "name", "state", "serial")
PRESET_FIELDS = ("id", "name", "category", "allowlist", "report", "decoy", "unverified")
_SOURCE = "NAME|FILE"


@click.group()
def provider() -> None:
    """Which APIs may be called. Admin proposes; the authority approves."""


@provider.command("list")
@click.option("--catalogue", is_flag=True, help="List the presets that come with Bailee instead.")
@config_option
@output_option
def list_(catalogue: bool, config: Path | None, form: Form) -> None:
    """List providers and where they stand."""
    if catalogue:
        from bailee.cli.provider_source import describe_presets

        show_rows(form, describe_presets(), PRESET_FIELDS)
        return
    show_rows(form, Surroundings.read(config).admin().pages("/v1/providers"), FIELDS)


@provider.command()
@click.argument("id")
@config_option
@output_option
def show(id: str, config: Path | None, form: Form) -> None:
    """Show a provider: what is approved, and what is proposed."""
    answer = Surroundings.read(config).admin().read(f"/v1/providers/{segment(id)}")
    if form == "json":
        show_row(form, answer, FIELDS)
        return
    from bailee.cli.provider_approval import read_document
    from bailee.cli.provider_view import shown, summary

    row = _row(answer)
    for title, document in (("approved", "document"), ("proposed", "proposal")):
        if answer.get(document):
            known = summary(read_document(answer[document]))
            row |= {f"{title}_{name}": known[name] for name in shown(known)}
    show_row(form, row, tuple(row))


@provider.command()
@click.argument("source", metavar=_SOURCE)
@output_option
def check(source: str, form: Form) -> None:
    """Read a preset or a provider's file and show what it says, or all its faults.

    Nothing is sent anywhere.
    """
    from bailee.cli.provider_source import inspect_source
    from bailee.cli.provider_view import shown, summary

    read, faults = inspect_source(source)
    if read is not None:
        row = {"id": read.id, "name": read.name, **summary(read)}
        show_row(form, row | {"faults": []}, shown(row))
        return
    if form == "json":
        print_json({"faults": faults})
    else:
        show_rows(form, [{"fault": fault} for fault in faults], ("fault",))
    raise CheckFailed(f"{source} has faults: {len(faults)}")


@provider.command()
@click.argument("source", metavar=_SOURCE)
@click.option("--propose-only", is_flag=True, help="Leave the approval to somebody else.")
@config_option
@output_option
def add(source: str, propose_only: bool, config: Path | None, form: Form) -> None:
    """Propose a preset by its NAME, or a provider's FILE; with --config, approve it at once.

    The file is read again when it has changed: the same command changes a provider. A word that
    names a preset means the preset; a file of that name is ./NAME.
    """
    from bailee.cli.provider_approval import add_approved, propose
    from bailee.cli.provider_source import read_source

    read = read_source(source)
    surroundings = Surroundings.read(config)
    admin = surroundings.admin()
    if surroundings.settings is None or propose_only:
        answer = propose(admin, read)
        say(f"{read.id} is proposed, not approved: it carries no call by this file yet")
        say(f"approve it where the root key is: bailee provider approve {read.id} --config F")
    else:
        answer = add_approved(admin, surroundings.settings, read)
    show_row(form, _row(answer), FIELDS)


@provider.command()
@click.argument("id")
@click.option("--yes", is_flag=True, help="Do not ask.")
@config_option
@output_option
def approve(id: str, yes: bool, config: Path | None, form: Form) -> None:
    """Approve what is proposed for a provider, after a look at what changes."""
    from bailee.cli.provider_approval import approve_proposed

    surroundings = Surroundings.read(config)
    settings = surroundings.require_settings("approving a provider")
    answer = approve_proposed(surroundings.admin(), settings, ProviderId(id), ask=not yes)
    show_row(form, _row(answer), FIELDS)


def _row(answer: Any) -> dict[str, Any]:
    return {name: answer.get(name) for name in FIELDS}
