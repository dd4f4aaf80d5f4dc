"""`bailee init`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bailee.cli.output import Form, output_option, say, show_row, warn
from bailee.errors import BadInput

if TYPE_CHECKING:
    from bailee.operate.setup import Made
    from bailee.secret import Secret


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
@click.option(
    "--passphrase", is_flag=True, help="Derive the root key from a passphrase, asked for twice."
)
@click.option(
    "--passphrase-file",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    help="Read that passphrase from a file; - is stdin.",
)
@output_option
def init(
    directory: Path,
    egress: tuple[str, ...],
    public: tuple[str, ...],
    passphrase: bool,
    passphrase_file: Path | None,
    form: Form,
) -> None:
    """Make a vault in DIRECTORY: config, root key, authority, database, operator token."""
    from bailee.egress.address import is_local
    from bailee.operate.setup import create_vault, parse_egress

    entries = parse_egress(egress, public)
    chosen = _passphrase(passphrase_file) if passphrase or passphrase_file else None
    made = create_vault(directory, entries, chosen)
    for entry in made.egress:
        if not is_local(entry.bind):
            warn(
                f"egress {entry.name}: {entry.bind} is not an address of this machine",
                "calls answer 503 until it is; no other address is used in its place",
            )
    row: dict[str, Any] = {
        "directory": str(made.directory),
        "config": str(made.config),
        "root_key": str(made.root_key),
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
    _say_next(made, derived=chosen is not None)


def _say_next(made: "Made", *, derived: bool) -> None:
    say("")
    if not made.egress:
        say("no egress address yet: add an [[egress]] section, then 'bailee egress add NAME'")
    if not derived:
        say("keep a copy of root.key where no copy of the database is: without it nothing opens")
    else:
        say("keep the passphrase, and a copy of root.kdf: without either of them nothing opens")
    say("next:")
    say(f"  bailee serve --config {made.config}")
    say(f"  export BAILEE_CONFIG={made.config}")
    say("  bailee provider add FILE && bailee pin learn ID")


def _passphrase(file: Path | None) -> "Secret":
    """Read a new passphrase from a file or stdin, or ask for it."""
    from bailee.vault.backends.passphrase import MOST_BYTES, ask_new_passphrase, new_passphrase

    if file is None:
        return ask_new_passphrase()
    try:
        if str(file) == "-":
            return new_passphrase(sys.stdin.buffer.read(MOST_BYTES + 2))
        with file.open("rb") as stream:
            return new_passphrase(stream.read(MOST_BYTES + 2))
    except OSError as error:
        raise BadInput(f"{file} can't be read: {(error.strerror or '?').lower()}") from None
