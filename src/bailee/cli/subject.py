"""`bailee subject`: the users of the application whose credentials are kept."""

from pathlib import Path

import click

from bailee.cli.admin_api import segment
from bailee.cli.output import Form, output_option, say, show_row
from bailee.cli.surroundings import Surroundings, config_option, tenant_option
from bailee.errors import BadInput

FIELDS = ("subject", "tenant", "connections", "grants", "tokens")


@click.group()
def subject() -> None:
    """Users of the application, by the ids that it chose."""


@subject.command()
@click.argument("subject")
@click.option("--yes", is_flag=True, help="Go on: what is erased does not come back.")
@tenant_option
@config_option
@output_option
def erase(subject: str, yes: bool, config: Path | None, form: Form) -> None:
    """Delete SUBJECT, all its connections, and the key under which it stands in the journal.

    The journal keeps its lines and verifies as before. Nobody can say any more whose they were.
    """
    if not yes:
        raise BadInput(
            "erasing a subject deletes all its credentials, and does not come back",
            "give --yes; to stop calls alone: bailee connection revoke",
        )
    answer = Surroundings.read(config).admin().remove(f"/v1/subjects/{segment(subject)}")
    show_row(form, {"subject": subject, **answer}, FIELDS)
    say("backups of the database still have it: let them expire")
