"""The command line starts fast: what a command does not need is not imported."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import bailee

HEAVY = (
    "sqlalchemy",
    "alembic",
    "cryptography",
    "msgspec",
    "fastapi",
    "uvicorn",
    "rich",
    "structlog",
)
LOOK = """
import sys
from bailee.cli import main
try:
    main(sys.argv[1:])
except SystemExit as leaving:
    assert not leaving.code, leaving.code
print("imported:", *sorted({name.partition(".")[0] for name in sys.modules}), file=sys.stderr)
"""


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["serve", "--help"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    """Asking what there is loads neither the database, nor cryptography, nor a web framework."""
    environ = {**os.environ, "PYTHONPATH": str(Path(bailee.__file__).parents[1])}
    command = [sys.executable, "-c", LOOK, *arguments]
    ran = subprocess.run(
        command, env=environ, capture_output=True, text=True, timeout=30, check=False
    )
    assert ran.returncode == 0, ran.stderr
    imported = ran.stderr.split()
    assert "click" in imported
    assert [name for name in HEAVY if name in imported] == []
