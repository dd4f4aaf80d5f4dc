"""`bailee doctor`."""

import os
from pathlib import Path

import click

from bailee.cli.output import Form, output_option, say, show_rows
from bailee.cli.surroundings import config_option


@click.command()
@config_option
@output_option
def doctor(config: Path | None, form: Form) -> int:
    """Look whether a vault is in order: files, keys, database, addresses, ports.

    Nothing is sent to the network. Exits with 1 when something fails.
    """
    from bailee.config import load
    from bailee.errors import ConfigInvalid
    from bailee.operate.check import Level, fail
    from bailee.operate.doctor import examine

    if config is None:
        raise ConfigInvalid(
            "no configuration is named", "give --config DIR/bailee.toml, or set BAILEE_CONFIG"
        )
    try:
        checks = list(examine(load(config, os.environ)))
    except ConfigInvalid as error:
        checks = [fail("config", error.detail.replace("\n ", ""), error.hint)]
    rows = [
        {
            "level": str(check.level),
            "about": check.about,
            "found": check.found,
            "advice": check.advice,
        }
        for check in checks
    ]
    show_rows(form, rows, ("level", "about", "found", "advice"))
    failed = sum(check.level is Level.FAIL for check in checks)
    warned = sum(check.level is Level.WARN for check in checks)
    say(f"{len(checks)} looked at, {failed} failed, {warned} to look at")
    return 1 if failed else 0
