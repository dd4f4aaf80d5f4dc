"""Transcripts of the command line: commands, and what they must print.

    # needs: admin                        nothing | vault | admin | server; the first line
    $ bailee caller add app -o json       `<` FILE and NAME=VALUE before it work as in a shell
    {"id": "<caller>"}                    stdout, line by line; runs of spaces count as one
    2> hint: ...                          stderr, line by line
    [exit 1]                              where it is not 0

A command with `&` at its end goes on: once it has printed as many lines as stand there it is asked
to end with SIGTERM, and what it printed and its exit code are compared as for any other.

`<name>` matches a word and binds it: from then on it stands for that word, in commands too. `<...>`
matches anything within a line; alone on a line it matches any number of lines.
"""

import re
import shlex
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path

ANY = "<...>"
SECONDS = 60
_PLACEHOLDER = re.compile(r"<(\.\.\.|[a-z][a-z0-9_]*)>")


@dataclass(slots=True)
class Step:
    """One command and what it must do."""

    line: int
    command: str
    stdout: list[str] = field(default_factory=list)
    stderr: list[str] = field(default_factory=list)
    code: int = 0


@dataclass(frozen=True, slots=True)
class Done:
    """What a command did."""

    stdout: list[str]
    stderr: list[str]
    code: int


def read_transcript(text: str) -> tuple[str, list[Step]]:
    """Return what a transcript needs, and its steps."""
    lines = text.splitlines()
    needs = lines[0].removeprefix("# needs: ")
    steps: list[Step] = []
    for number, line in enumerate(lines[1:], 2):
        if line.startswith("$ "):
            steps.append(Step(number, line[2:]))
        elif line.startswith("2> ") or line == "2>":
            steps[-1].stderr.append(line[3:])
        elif found := re.fullmatch(r"\[exit (\d+)\]", line):
            steps[-1].code = int(found[1])
        elif line and not line.startswith("#"):
            steps[-1].stdout.append(line)
    return needs, steps


def run_step(step: Step, directory: Path, environ: dict[str, str], bound: dict[str, str]) -> Done:
    """Run a step's command as a process of its own."""
    words = shlex.split(fill(step.command, bound))
    environ = dict(environ)
    while re.match(r"[A-Z_]+=", words[0]):
        name, _, value = words.pop(0).partition("=")
        environ[name] = value
    stdin = b""
    if "<" in words:
        place = words.index("<")
        stdin = (directory / words[place + 1]).read_bytes()
        del words[place : place + 2]
    if words[0] == "bailee":
        words[:1] = [sys.executable, "-m", "bailee"]
    if words[-1] == "&":
        return _run_until_stopped(words[:-1], len(step.stdout), directory, environ)
    ran = subprocess.run(
        words,
        cwd=directory,
        env=environ,
        input=stdin,
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )
    return Done(_lines(ran.stdout), _lines(ran.stderr), ran.returncode)


def _run_until_stopped(
    words: list[str], count: int, directory: Path, environ: dict[str, str]
) -> Done:
    with (
        tempfile.TemporaryFile() as stderr,
        subprocess.Popen(
            words, cwd=directory, env=environ, stdout=subprocess.PIPE, stderr=stderr
        ) as process,
    ):
        assert process.stdout is not None
        killing = threading.Timer(SECONDS, process.kill)
        killing.start()
        try:
            # What ends before it has printed so much gives empty lines here.
            printed = b"".join(process.stdout.readline() for _ in range(count))
            process.terminate()
            printed += process.stdout.read()
            process.wait()
        finally:
            killing.cancel()
            process.kill()
        stderr.seek(0)
        return Done(_lines(printed), _lines(stderr.read()), process.returncode)


def fill(text: str, bound: dict[str, str]) -> str:
    """Put what is bound in the place of its names."""
    return _PLACEHOLDER.sub(lambda found: bound.get(found[1], found[0]), text)


def mismatch(expected: list[str], got: list[str], bound: dict[str, str]) -> str | None:
    """Compare lines and bind names; returns what is wrong."""
    place = 0
    for number, line in enumerate(expected):
        if line == ANY:
            after = expected[number + 1 : number + 2]
            while place < len(got) and not (after and _matches(after[0], got[place], dict(bound))):
                place += 1
            continue
        if place >= len(got):
            return f"missing: {line}"
        if not _matches(line, got[place], bound):
            return f"expected: {fill(line, bound)}\n     got: {got[place]}"
        place += 1
    return None if place == len(got) else f"surplus: {got[place]}"


def _matches(expected: str, got: str, bound: dict[str, str]) -> bool:
    pattern = ""
    named: list[str] = []
    for place, part in enumerate(_PLACEHOLDER.split(_spaced(fill(expected, bound)))):
        if place % 2 == 0:
            pattern += re.escape(part)
        elif part == "...":
            pattern += ".*"
        elif part in named:
            pattern += f"(?P={part})"
        else:
            pattern += rf'(?P<{part}>[^\s"]+?)'
            named.append(part)
    found = re.fullmatch(pattern, _spaced(got))
    if found is None:
        return False
    bound |= found.groupdict()
    return True


def _spaced(text: str) -> str:
    return re.sub(r" +", " ", text.rstrip())


def _lines(output: bytes) -> list[str]:
    return [line for line in output.decode("utf-8").splitlines() if line.strip()]
