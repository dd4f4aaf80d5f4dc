"""`bailee connection import`: keys that an application holds already, sealed here and sent."""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bailee.cli.output import Form, output_option, print_json, say, show_row, show_rows
from bailee.cli.surroundings import Surroundings, config_option, tenant_option
from bailee.errors import BadInput, BaileeError

if TYPE_CHECKING:
    from bailee.cli.admin_api import AdminApi
    from bailee.cli.import_lines import BadLine, Ids, Line
    from bailee.cli.sealer import Sealer

BATCH_ITEMS = 500
BATCH_BYTES = 768 * 1024
"""What one request may hold; the admin API takes 1 MiB."""
SECONDS = 120.0
"""How long the answer to one batch may take."""
COUNTS = ("tenant", "lines", "added", "exists", "failed")
FAULTS = ("line", "code", "reason")


@dataclass(slots=True)
class Report:
    """What became of the lines so far. It holds line numbers and reasons, and no value."""

    tenant: str
    lines: int = 0
    added: int = 0
    exists: int = 0
    faults: list[dict[str, Any]] = field(default_factory=list)

    def fault(self, line: int, code: str, reason: str, hint: str = "") -> None:
        """Note that a line failed."""
        self.faults.append({"line": line, "code": code, "reason": reason, "hint": hint})

    def show(self, form: Form) -> None:
        """Print it."""
        self.faults.sort(key=lambda fault: fault["line"])
        row = {
            "tenant": self.tenant,
            "lines": self.lines,
            "added": self.added,
            "exists": self.exists,
            "failed": len(self.faults),
        }
        if form == "json":
            print_json({**row, "faults": self.faults})
            return
        show_row(form, row, COUNTS)
        if self.faults:
            show_rows(form, self.faults, FAULTS)


@dataclass(slots=True)
class Sealed:
    """A line that is sealed and waits for its batch."""

    line: int
    item: dict[str, object]


@click.command("import")
@click.argument("provider", required=False)
@click.option("--egress", help="The egress address that their calls leave from.")
@config_option
@tenant_option
@output_option
def import_(provider: str | None, egress: str | None, config: Path | None, form: Form) -> int:
    """Seal the credentials on stdin, one JSON object a line, and store them.

    A line is {"provider": ..., "subject": ..., "credential": {...}}, and perhaps "ref": your own
    name of the key, for a subject who has several. With PROVIDER the lines need not name it.

    A line that can't be used is reported by its number, and the others go on; then the exit code
    is 1. Run it again with the same lines after a failure: what is there already is found to exist
    and stays as it is, so nothing is added twice.
    """
    from bailee.cli.import_lines import Ids, read_lines
    from bailee.cli.sealer import Sealer

    if sys.stdin.isatty():
        raise BadInput(
            "the credentials are read from stdin, and stdin is a terminal",
            "put them into a file of mode 0600 and give it as '< keys.jsonl'",
        )
    surroundings = Surroundings.read(config)
    verifier = surroundings.verifier()
    admin = surroundings.admin()
    sealer = Sealer(admin, verifier)
    report = Report(sealer.tenant)
    lines = read_lines(sys.stdin.buffer, provider)
    try:
        for batch in _batches(_sealed(lines, sealer, Ids(sealer.tenant), egress, report)):
            _send(admin, batch, report)
    except BaileeError:
        report.show(form)
        say("not all lines were read: run it again with the same lines")
        raise
    report.show(form)
    if not report.lines:
        raise BadInput("there is no line on stdin")
    return 1 if report.faults else 0


def _sealed(
    lines: "Iterator[Line | BadLine]",
    sealer: "Sealer",
    ids: "Ids",
    egress: str | None,
    report: Report,
) -> Iterator[Sealed]:
    """Seal every line that can be sealed, and note the others."""
    from bailee.cli.import_lines import BadLine
    from bailee.errors import AdminUnreachable, Forbidden, Unauthenticated

    for line in lines:
        report.lines += 1
        if isinstance(line, BadLine):
            report.fault(line.number, BadInput.code, line.reason)
            continue
        connection = ids.id_of(line)
        try:
            item = sealer.seal(line.provider, line.credential, connection, 1)
        except (AdminUnreachable, Forbidden, Unauthenticated):
            raise
        except BaileeError as error:
            report.fault(line.number, error.code, error.detail, error.hint)
            continue
        more = {"provider": line.provider, "subject": line.subject, "egress": egress}
        yield Sealed(line.number, {**item, **more})


def _batches(sealed: Iterator[Sealed]) -> Iterator[list[Sealed]]:
    """Put what is sealed into batches that one request can hold."""
    batch: list[Sealed] = []
    size = 0
    for each in sealed:
        length = len(json.dumps(each.item))
        if batch and (len(batch) == BATCH_ITEMS or size + length > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(each)
        size += length
    if batch:
        yield batch


def _send(admin: "AdminApi", batch: list[Sealed], report: Report) -> None:
    items = [each.item for each in batch]
    answers = admin.send("/v1/connections/batch", {"items": items}, SECONDS)["items"]
    for each, answer in zip(batch, answers, strict=True):
        if answer["outcome"] == "added":
            report.added += 1
        elif answer["outcome"] == "exists":
            report.exists += 1
        else:
            told = (str(answer.get(name, "")) for name in ("code", "detail", "hint"))
            report.fault(each.line, *told)
