"""`bailee journal`: read and verify what was recorded."""

import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from bailee.cli.output import Form, format_time, output_option, printable, say, show_row
from bailee.cli.surroundings import Surroundings, config_option
from bailee.config import Settings
from bailee.errors import CheckFailed

POLL_SECONDS = 0.5
PAGE = 1000
FIELDS = ("sound", "chains", "removed", "lines", "checkpoints")


@click.group()
def journal() -> None:
    """What was recorded, on the host that has it."""


@journal.command()
@config_option
@output_option
def verify(config: Path | None, form: Form) -> int:
    """Verify every chain against the stored heads and the signed checkpoints.

    Finds edits, deletions, swaps, cut tails and missing chains. Exits with 1 on a fault.
    """
    settings = _settings(config)
    with _readable():
        report = _verify(settings)
    row: dict[str, Any] = {
        "sound": report.sound,
        "chains": report.chains,
        "removed": report.removed,
        "lines": report.lines,
        "checkpoints": report.checkpoints,
    }
    if form == "json":
        row["findings"] = [_finding(each) for each in report.findings]
        row["notices"] = [_finding(each) for each in report.notices]
    show_row(form, row, FIELDS)
    if form == "table":
        for each in report.findings:
            click.echo(f"fault: {printable(str(each))}\n  {each.advice}")
        for each in report.notices:
            say(f"notice: {each}")
    return 0 if report.sound else 1


@journal.command()
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes.")
@click.option("-n", "--lines", type=click.IntRange(0, 100_000), default=20, show_default=True)
@config_option
@output_option
def tail(follow: bool, lines: int, config: Path | None, form: Form) -> None:
    """Show the last entries of all chains, ordered by time."""
    from bailee.journal.reading import JournalReader

    reader = JournalReader(_settings(config).journal.directory)
    with _readable():
        _print(form, deque(reader.poll(), maxlen=lines))
        while follow:
            time.sleep(POLL_SECONDS)
            _print(form, reader.poll())


@journal.command()
@click.option("--from", "since", metavar="TIME", help="The first time, as in 2027-01-31T12:00:00Z.")
@click.option("--to", "until", metavar="TIME", help="The time to stop before.")
@config_option
@click.option("-o", "--output", "form", type=click.Choice(["json", "table"]), default="json",
              show_default=True, help="JSON lines as they stand, or for people.")  # fmt: skip
def export(since: str | None, until: str | None, config: Path | None, form: Form) -> None:
    """Write entries of all chains, ordered by time, one JSON object a line."""
    from bailee.cli.grant import parse_time
    from bailee.journal.reading import JournalReader, Wanted

    wanted = Wanted(
        since=None if since is None else parse_time(since),
        until=None if until is None else parse_time(until),
    )
    reader = JournalReader(_settings(config).journal.directory, wanted)
    with _readable():
        _print(form, reader.poll())
    if reader.unreadable:
        say(f"{reader.unreadable} lines could not be read: see 'bailee journal verify'")


def _settings(config: Path | None) -> Settings:
    return Surroundings.read(config).require_settings("reading the journal")


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise CheckFailed(
            f"{error.filename or 'the journal'} can't be read: {(error.strerror or '?').lower()}",
            "run this as the user who owns the journal",
        ) from None


def _verify(settings: Settings) -> Any:
    from bailee.journal.verify import journal_files, verify
    from bailee.model import Signed
    from bailee.store.engine import Store
    from bailee.vault.authority import AuthorityVerifier, Label

    authority = AuthorityVerifier(settings.vault.authority)

    def payload(signed: Signed) -> bytes:
        return authority.verify(Label.CHECKPOINT, signed)

    directory = settings.journal.directory
    files = journal_files(directory)
    store = Store.open(settings.store.url)
    try:
        return verify(directory, list(_chains(store)), _checkpoints(store), payload, files=files)
    finally:
        store.close()


def _chains(store: Any) -> Iterator[Any]:
    from bailee.store import chains

    after: str | None = None
    while True:
        with store.read() as conn:
            page = chains.list_page(conn, after=after, limit=PAGE)
        yield from page
        if len(page) < PAGE:
            return
        after = page[-1].id


def _checkpoints(store: Any) -> Iterator[Any]:
    from bailee.store import chains

    after: int | None = None
    while True:
        with store.read() as conn:
            page = chains.list_checkpoints(conn, after=after, limit=PAGE)
        yield from (row.signed for row in page)
        if len(page) < PAGE:
            return
        after = page[-1].id


def _print(form: Form, records: Iterable[Any]) -> None:
    for record in records:
        text = record.line.decode("utf-8", "backslashreplace") if form == "json" else _line(record)
        click.echo(printable(text))


def _line(record: Any) -> str:
    """Write an entry for people: time, chain and number, kind, and what it says."""
    import msgspec

    said = msgspec.to_builtins(record.entry)
    at, kind = said.pop("at"), said.pop("type")
    rest = " ".join(f"{name}={_value(value)}" for name, value in said.items())
    return f"{format_time(at)} {record.chain}:{record.seq} {kind} {rest}"


def _value(value: object) -> str:
    if isinstance(value, dict):
        return ",".join(f"{name}:{each}" for name, each in value.items()) or "-"
    return "-" if value is None or value == "" else str(value)


def _finding(finding: Any) -> dict[str, Any]:
    return {
        "kind": str(finding.kind),
        "chain": finding.chain,
        "line": finding.line,
        "detail": finding.detail,
        "advice": finding.advice,
    }
