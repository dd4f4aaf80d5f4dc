"""`bailee config`."""

import os
from pathlib import Path

import click

from bailee.cli.output import Form, output_option, say, show_row, warn
from bailee.cli.surroundings import config_option
from bailee.config import Settings, load
from bailee.config_keys import format_listen
from bailee.errors import ConfigInvalid


@click.group()
def config() -> None:
    """Validate or reload a configuration."""


@config.command()
@config_option
@output_option
def validate(config: Path | None, form: Form) -> None:
    """Read a configuration, with the environment's settings; all faults are told at once."""
    settings = _load(config)
    row = {
        "config": str(settings.path),
        "store": str(settings.store.path),
        "journal": str(settings.journal.directory),
        "gateway": format_listen(settings.gateway.listen),
        "workers": settings.gateway.workers,
        "public": format_listen(settings.public.listen),
        "admin": format_listen(settings.admin.listen),
        "egress": [f"{entry.name} {entry.bind}" for entry in settings.egress],
        "dangers": list(settings.dangers),
    }
    show_row(form, row, tuple(row))
    for danger in settings.dangers:
        warn(f"{danger} is on: it weakens a promise")


@config.command()
@config_option
@output_option
def reload(config: Path | None, form: Form) -> None:
    """Check a configuration and let the server that runs by it read it again.

    Successors are started beside the running processes and take over once they are ready; calls in
    flight are ended by the old ones.
    """
    from bailee.operate.running import ask_to_reload

    settings = _load(config)
    pids = ask_to_reload(settings.base)
    show_row(form, {"config": str(settings.path), "asked": list(pids)}, ("config", "asked"))
    say("its log says how the reload went")


def _load(config: Path | None) -> Settings:
    if config is None:
        raise ConfigInvalid(
            "no configuration is named", "give --config DIR/bailee.toml, or set BAILEE_CONFIG"
        )
    return load(config, os.environ)
