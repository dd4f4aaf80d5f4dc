"""`bailee key`: the keys that open and sign."""

import os
from dataclasses import asdict
from pathlib import Path

import click

from bailee.cli.output import Form, output_option, print_json, show_row, show_rows
from bailee.cli.surroundings import Surroundings, config_option

FIELDS = ("root_key", "authority", "closed", "reason", "hint")
KEY_COLUMNS = ("tenant", "id", "created_at", "current", "sealed_versions", "opens")


@click.group()
def key() -> None:
    """The keys that open and sign, on the host that has them."""


@key.command()
@config_option
@output_option
def status(config: Path | None, form: Form) -> int:
    """Tell where the root key is, whether it opens, and what is sealed to which tenant's key.

    Exits with 1 when the vault is closed. A passphrase is asked for as 'bailee serve' does.
    """
    from bailee.operate.key_status import key_status
    from bailee.vault.backends.passphrase import PassphraseSource

    settings = Surroundings.read(config).require_settings("trying the root key")
    source = PassphraseSource(os.environ, settings.vault.passphrase_file)
    found = key_status(settings, source)
    row = asdict(found)
    if form == "json":
        print_json(row)
    else:
        show_row(form, row, FIELDS)
        click.echo()
        show_rows(form, row["keys"], KEY_COLUMNS)
    return 1 if found.closed else 0
