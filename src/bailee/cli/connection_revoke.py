"""`bailee connection revoke`: one connection, or in an incident many at once."""

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TextIO

import click

from bailee.cli.admin_api import AdminApi, segment
from bailee.cli.output import Form, output_option, say, show_row, show_rows
from bailee.cli.surroundings import Surroundings, config_option, tenant_option
from bailee.errors import BadInput

COLUMNS = ("id", "provider", "subject", "state", "version", "egress", "created_at")
REVOKED = ("tenant", "subject", "provider", "connection", "revoked_at")
SECONDS = 120.0
"""How long the answer may take: one transaction over all connections."""


@click.command()
@click.argument("id", required=False)
@click.option("--all", "everything", is_flag=True, help="All connections of the tenant.")
@click.option("--provider", help="All connections to this provider.")
@click.option("--subject", help="All connections of this user.")
@click.option("--yes", is_flag=True, help="Say that many at once is what you mean.")
@click.option(
    "--export",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A new file for the list of whom to tell, one JSON object a line.",
)
@config_option
@tenant_option
@output_option
def revoke(
    id: str | None,
    everything: bool,
    provider: str | None,
    subject: str | None,
    yes: bool,
    export: Path | None,
    config: Path | None,
    form: Form,
) -> None:
    """Revoke a connection for good and delete its credential; or many at once.

    With --all, --provider or --subject the connections that were revoked are listed: tell their
    users to delete the keys at the provider, too. No call can use them from a second later.
    """
    wanted = _wanted(everything, provider, subject)
    if (id is None) == (not wanted):
        raise BadInput(
            "which connections are to be revoked?",
            "give one id, or --all, or --provider or --subject",
        )
    if not wanted:
        if export is not None:
            raise BadInput("--export is for --all, --provider and --subject")
        admin = Surroundings.read(config).admin()
        show_row(form, admin.remove(f"/v1/connections/{segment(str(id))}"), COLUMNS)
        return
    if not yes:
        raise BadInput(
            "this revokes many connections for good, and their users have to connect anew",
            "give --yes if that is what you mean",
        )
    _revoke_many(Surroundings.read(config).admin(), wanted, export, form)


def _revoke_many(
    admin: AdminApi, wanted: Mapping[str, object], export: Path | None, form: Form
) -> None:
    with ExitStack() as held:
        file = None
        if export is not None:
            file = held.enter_context(_new_file(export))
            held.callback(_remove_if_empty, export)
        made = admin.send("/v1/revocations", wanted, SECONDS)
        filters = {name: str(text) for name, text in wanted.items() if name != "all"}
        since = repr(float(made["revoked_at"]))
        items = list(admin.pages("/v1/revocations", since=since, **filters))
        show_rows(form, items, REVOKED)
        if file is not None:
            _write(file, items)
    say(f"{len(items)} connections revoked; tell their users to delete the keys, too")


def _wanted(everything: bool, provider: str | None, subject: str | None) -> dict[str, object]:
    wanted: dict[str, object] = {}
    if everything:
        wanted["all"] = True
    if provider is not None:
        wanted["provider"] = provider
    if subject is not None:
        wanted["subject"] = subject
    if len(wanted) > 1:
        raise BadInput("--all, --provider and --subject exclude each other", "give one of them")
    return wanted


def _new_file(path: Path) -> TextIO:
    """Open the export before anything is revoked: who can't be told must not be lost."""
    try:
        return os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w")
    except FileExistsError:
        raise BadInput(f"{path} exists already", "name a new file") from None
    except OSError as error:
        raise BadInput(
            f"{path} can't be written: {(error.strerror or '?').lower()}", "nothing was revoked"
        ) from None


def _remove_if_empty(path: Path) -> None:
    if path.stat().st_size == 0:
        path.unlink()


def _write(file: TextIO, items: Sequence[Mapping[str, Any]]) -> None:
    try:
        rows = ({name: item.get(name) for name in REVOKED} for item in items)
        file.writelines(json.dumps(row) + "\n" for row in rows)
        file.flush()
        os.fsync(file.fileno())
    except OSError as error:
        raise BadInput(
            f"the connections are revoked, but the file can't be written: {error.strerror}",
            "the list is on stdout; 'bailee connection list --state revoked' shows it again",
        ) from None
