"""`bailee serve`, and each role alone."""

import os
from collections.abc import Mapping
from pathlib import Path

import click

from bailee.cli.output import Form, announce, output_option
from bailee.cli.surroundings import config_option
from bailee.config_keys import format_listen
from bailee.errors import ConfigInvalid


@click.command()
@config_option
@output_option
def serve(config: Path | None, form: Form) -> int:
    """Run all roles of a vault until SIGTERM; SIGHUP reloads. The log is on stderr.

    Once all of them serve, stdout says where.
    """
    if config is not None:
        _migrate(config)
    return _run(config, None, form)


def _migrate(config: Path) -> None:
    """Bring an older database to this version's schema, before any role opens it."""
    from bailee.config import load
    from bailee.store.engine import migrate

    store = load(config, os.environ).store
    if store.path.exists():
        migrate(store.url)


def _alone(role: str, summary: str) -> click.Command:
    def run(config: Path | None, form: Form) -> int:
        return _run(config, role, form)

    run.__doc__ = summary
    return click.command(role)(config_option(output_option(run)))


gateway = _alone("gateway", "Run the gateway's workers alone: they carry the calls.")
keeper = _alone("keeper", "Run the keeper alone: it learns pins and signs checkpoints.")
admin = _alone("admin", "Run the admin API alone; it never sees the root key.")
public = _alone("public", "Run the public pages alone; they never see the root key.")


def _run(config: Path | None, role: str | None, form: Form) -> int:
    from bailee.supervise.supervisor import ROLE_NAMES, Supervisor

    if config is None:
        raise ConfigInvalid(
            "no configuration is named", "give --config DIR/bailee.toml, or set BAILEE_CONFIG"
        )
    roles = ROLE_NAMES if role is None else (role,)

    def show(doors: Mapping[str, tuple[str, int]]) -> None:
        listening = {name: format_listen(door) for name, door in doors.items()}
        rows = [{"role": name, "listening": listening.get(name)} for name in roles]
        announce(form, rows, {"serving": {row["role"]: row["listening"] for row in rows}})

    return Supervisor(config, os.environ, roles=roles, announce=show).run()
