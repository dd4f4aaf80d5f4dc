"""Who may import whom: the contracts hold, and each kind of them can fail."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def lint_imports(tree: Path) -> subprocess.CompletedProcess[str]:
    """Check a tree's imports by the contracts of its pyproject."""
    return subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"],
        cwd=tree,
        env=os.environ | {"PYTHONPATH": str(tree / "src"), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_contracts_hold() -> None:
    """Every import contract of pyproject.toml is kept."""
    result = lint_imports(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "0 broken" in result.stdout


BREAKS = {
    "a pure package reads the clock": ("policy/rules.py", "import time", "Pure packages"),
    "a pure package opens a socket": ("http/head.py", "import socket", "Pure packages"),
    "admin reaches the opening": ("admin/__init__.py", "import bailee.vault.opening", "Admin and"),
    "public reaches the root key": ("public/__init__.py", "import bailee.vault.backends", "Admin"),
    "admin's process dials": ("app/admin.py", "import bailee.egress.dial", "Admin and public"),
    "a part reads the config": ("gateway/__init__.py", "import bailee.config", "Parts get"),
    "the vault reads the store": ("vault/__init__.py", "import bailee.store", "Layers"),
    "the gateway takes a framework": ("gateway/__init__.py", "import fastapi", "The call path"),
    "a package without a layer": ("surplus/__init__.py", "", "Layers"),
}


@pytest.mark.parametrize("case", BREAKS)
def test_contracts_when_broken(tmp_path: Path, case: str) -> None:
    """One wrong import, or a package in no layer, is found."""
    name, line, contract = BREAKS[case]
    shutil.copytree(ROOT / "src", tmp_path / "src")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    broken = tmp_path / "src" / "bailee" / name
    broken.parent.mkdir(exist_ok=True)
    with broken.open("a") as source:
        source.write(f"\n{line}\n")
    result = lint_imports(tmp_path)
    assert result.returncode != 0
    named = [said for said in result.stdout.splitlines() if said.endswith("BROKEN")]
    assert any(said.startswith(contract) for said in named), result.stdout + result.stderr
