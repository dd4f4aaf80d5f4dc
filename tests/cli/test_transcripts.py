"""Every command is run as people type it, against real processes, and prints what stands here."""

import shlex
from itertools import pairwise
from pathlib import Path

import click
import pytest

from bailee.cli.lazy import LazyGroup
from bailee.cli.root import bailee
from cli.conftest import open_site
from transcript import mismatch, read_transcript

HERE = Path(__file__).parent
TRANSCRIPTS = sorted(HERE.glob("*.txt"))


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_commands_print_what_the_transcript_says(path: Path, tmp_path: Path) -> None:
    """Output, errors and exit codes are those of the transcript."""
    needs, steps = read_transcript(path.read_text())
    with open_site(needs, tmp_path) as site:
        for step in steps:
            where = f"{path.name}:{step.line}: {step.command}"
            done = site.run(step)
            told = "\n".join(["", *done.stdout, *(f"2> {line}" for line in done.stderr)])
            wrong = mismatch(step.stdout, done.stdout, site.bound)
            assert wrong is None, f"{where}\nstdout {wrong}{told}"
            wrong = mismatch(step.stderr, done.stderr, site.bound)
            assert wrong is None, f"{where}\nstderr {wrong}{told}"
            assert done.code == step.code, f"{where}: exit {done.code}{told}"


def test_each_command_has_a_transcript() -> None:
    """Every command stands in a transcript; one that has `-o` stands there with `-o json` too."""
    typed = {tuple(words) for path in TRANSCRIPTS for words in _typed(path)}
    missing = []
    for command, words in _commands(bailee, ()):
        uses = [each for each in typed if each[: len(words)] == words]
        json = any(("-o", "json") in pairwise(each) for each in uses)
        has_output = any(parameter.name == "form" for parameter in command.params)
        if not uses or (has_output and not json):
            missing.append(" ".join(words) + (" -o json" if uses else ""))
    assert missing == []


def _commands(
    command: click.Command, words: tuple[str, ...]
) -> list[tuple[click.Command, tuple[str, ...]]]:
    if not isinstance(command, click.Group):
        return [(command, words)]
    context = click.Context(command)
    names = command.list_commands(context) if isinstance(command, LazyGroup) else command.commands
    found = []
    for name in names:
        below = command.get_command(context, name)
        assert below is not None
        found += _commands(below, (*words, name))
    return found


def _typed(path: Path) -> list[list[str]]:
    lines = [step.command for step in read_transcript(path.read_text())[1]]
    words = [shlex.split(line) for line in lines]
    return [each[each.index("bailee") + 1 :] for each in words if "bailee" in each]
