"""`bailee serve`, and each role alone."""

import os
from collections.abc import Callable
from pathlib import Path

import click

from bailee.cli.surroundings import config_option
from bailee.errors import ConfigInvalid


@click.command()
@config_option
def serve(config: Path | None) -> int:
    """Run all roles of a vault until SIGTERM; SIGHUP reloads. The log is on stderr."""
    if config is not None:
        _migrate(config)
    return _run(config, None)


def _migrate(config: Path) -> None:
    """Bring an older database to this version's schema, before any role opens it."""
    from bailee.config import load
    from bailee.store.engine import migrate

    store = load(config, os.environ).store
    if store.path.exists():
        migrate(store.url)


def _alone(role: str, summary: str) -> Callable[[Path | None], int]:
    def run(config: Path | None) -> int:
        return _run(config, role)

    run.__doc__ = summary
    return run


gateway = click.command("gateway")(
    config_option(_alone("gateway", "Run the gateway's workers alone: they carry the calls."))
)
keeper = click.command("keeper")(
    config_option(_alone("keeper", "Run the keeper alone: it learns pins and signs checkpoints."))
)
admin = click.command("admin")(
    config_option(_alone("admin", "Run the admin API alone; it never sees the root key."))
)
public = click.command("public")(
    config_option(_alone("public", "Run the public pages alone; they never see the root key."))
)


def _run(config: Path | None, role: str | None) -> int:
    from bailee.supervise.supervisor import ROLE_NAMES, Supervisor

    if config is None:
        raise ConfigInvalid(
            "no configuration is named", "give --config DIR/bailee.toml, or set BAILEE_CONFIG"
        )
    roles = ROLE_NAMES if role is None else (role,)
    return Supervisor(config, os.environ, roles=roles).run()
