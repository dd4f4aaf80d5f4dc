"""`bailee init`."""

from pathlib import Path
from typing import Any

import click

from bailee.cli.output import Form, output_option, say, show_row, warn


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option(
    "--egress",
    "egress",
    multiple=True,
    metavar="ADDRESS",
    help="An address of this machine that calls leave from; may be repeated.",
)
@click.option(
    "--public",
    "public",
    multiple=True,
    metavar="ADDRESS",
    help="What providers see of each --egress, in the same order, where it differs (NAT).",
)
@output_option
def init(directory: Path, egress: tuple[str, ...], public: tuple[str, ...], form: Form) -> None:
    """Make a vault in DIRECTORY: config, root key, authority, database, operator token."""
    from bailee.egress.address import is_local
    from bailee.operate.setup import create_vault, parse_egress

    made = create_vault(directory, parse_egress(egress, public))
    for entry in made.egress:
        if not is_local(entry.bind):
            warn(
                f"egress {entry.name}: {entry.bind} is not an address of this machine",
                "calls answer 503 until it is; no other address is used in its place",
            )
    row: dict[str, Any] = {
        "directory": str(made.directory),
        "config": str(made.config),
        "root_key": str(made.directory / "root.key"),
        "operator_token": str(made.operator_token),
        "authority": made.authority,
        "egress": [f"{entry.name} {entry.public}" for entry in made.egress],
    }
    if form == "json":
        row["egress"] = [
            {"name": entry.name, "bind": entry.bind, "public": entry.public}
            for entry in made.egress
        ]
    show_row(form, row, tuple(row))
    say("")
    if not made.egress:
        say("no egress address yet: add an [[egress]] section, then 'bailee egress add NAME'")
    say("keep a copy of root.key where no copy of the database is: without it nothing opens")
    say("next:")
    say(f"  bailee serve --config {made.config}")
    say(f"  export BAILEE_CONFIG={made.config}")
    say("  bailee provider add FILE && bailee pin learn ID")
