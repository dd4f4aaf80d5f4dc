"""The build hook compiles the parser where it can, and else builds the package without."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUILD = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", "dist"]
HERE = "src/bailee/http/_plain.pyx"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """What a wheel is made of, in a tree of its own."""
    for name in ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE", ".gitignore"):
        shutil.copy(ROOT / name, tmp_path)
    package = tmp_path / "src" / "bailee"
    (package / "http").mkdir(parents=True)
    for name in ("__init__.py", "http/__init__.py", "http/kinds.py", "http/_plain.pyx"):
        shutil.copy(ROOT / "src" / "bailee" / name, package / name)
    return tmp_path


def build(tree: Path, compiler: str = "cc") -> tuple[str, list[str]]:
    """Build a wheel; its name and what it holds, and what was said when nothing was compiled."""
    done = subprocess.run(
        BUILD,
        cwd=tree,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "CC": compiler},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = (tree / "dist").iterdir()
    names = zipfile.ZipFile(wheel).namelist()
    said = [line for line in done.stderr.splitlines() if "without its compiled parser" in line]
    return wheel.name, [name for name in names if "_plain" in name] + said


def test_wheel_holds_what_was_compiled(tree: Path) -> None:
    """It is of this Python and machine; nothing is left in the source."""
    name, held = build(tree)
    assert not name.endswith("-py3-none-any.whl")
    assert [each.rpartition(".")[2] for each in held] == ["pyx", "so"]
    assert list(tree.rglob("*.so")) == []


@pytest.mark.parametrize(
    ("compiler", "reason"),
    [("/nowhere/cc", "there is no C compiler"), ("false", "the C compiler failed")],
)
def test_wheel_without_a_compiler(tree: Path, compiler: str, reason: str) -> None:
    """It is for every machine, and one line says why."""
    name, held = build(tree, compiler)
    assert name.endswith("-py3-none-any.whl")
    assert held[0] == "bailee/http/_plain.pyx"
    assert reason in held[1]
    assert len(held) == 2


def test_wheel_of_a_source_that_cython_refuses(tree: Path) -> None:
    """A fault in the source leaves the package whole; the suite sees that the parser is missing."""
    (tree / HERE).write_text("cdef nonsense(\n")
    _, held = build(tree)
    assert "Cython found errors" in held[-1]


def test_compiling_by_hand(tree: Path) -> None:
    """The module stands beside its source; when it fails, the old one stays."""
    command = [sys.executable, "hatch_build.py"]
    subprocess.run(command, cwd=tree, check=True, capture_output=True)
    (module,) = tree.rglob("*.so")
    assert module.parent == (tree / HERE).parent
    made = module.read_bytes()
    (tree / HERE).write_text("cdef nonsense(\n")
    failed = subprocess.run(command, cwd=tree, check=False, capture_output=True, text=True)
    assert failed.returncode == 1
    assert "not compiled: Cython found errors" in failed.stderr
    assert [each.read_bytes() for each in tree.rglob("*.so")] == [made]
