"""The demo in processes of its own, from any tree, in a directory of its own."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bailee

SOURCE = Path(bailee.__file__).parents[1]
SECONDS = 110
_ONLY = """
import sys
from pathlib import Path
from bailee.demo.story import run
sys.exit(run(once=True, json_file=Path(sys.argv[1]), only=sys.argv[2:]))
"""


@dataclass(frozen=True, slots=True)
class Told:
    """A demo that has ended."""

    code: int
    stdout: str
    stderr: str
    report: Any
    scratch: Path

    @property
    def failed(self) -> set[str]:
        """The names of the checks that did not hold."""
        return {check["name"] for check in self.checks.values() if not check["passed"]}

    @property
    def checks(self) -> dict[str, Any]:
        """All checks by name."""
        return {check["name"]: check for each in self.report["scenes"] for check in each["checks"]}


def environment(scratch: Path, source: Path = SOURCE) -> dict[str, str]:
    """What a demo is started with: another tree, a temporary directory that can be looked at."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("BAILEE_")}
    (scratch / "tmp").mkdir(parents=True)
    return {**kept, "PYTHONPATH": str(source), "TMPDIR": str(scratch / "tmp")}


def tell(scratch: Path, source: Path = SOURCE, only: tuple[str, ...] = ()) -> Told:
    """Run the demo once and read its report.

    Args:
        scratch: A directory that does not exist; all that the demo writes is in it.
        source: The tree to run: the directory that holds the package.
        only: The scenes to tell; all of them by default, through the command.
    """
    environ, report = environment(scratch, source), scratch / "report.json"
    command = ["-m", "bailee", "demo", "--once", "--json", str(report)]
    if only:
        command = ["-c", _ONLY, str(report), *only]
    ran = subprocess.run(
        [sys.executable, *command],
        env=environ,
        cwd=scratch,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert report.exists(), ran.stderr
    return Told(ran.returncode, ran.stdout, ran.stderr, json.loads(report.read_text()), scratch)


def leftovers(scratch: Path) -> list[str]:
    """What a demo left behind: files in its temporary directory, processes that name it."""
    left = [path.name for path in (scratch / "tmp").iterdir()]
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:
            continue
        if str(scratch).encode() in words:
            left.append(f"process {process.name}: {words[:200]!r}")
    return left
