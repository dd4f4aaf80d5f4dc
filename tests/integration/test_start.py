"""`./start` in a tree of its own, with an installer of ours in the place of uv and pip."""

import ast
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

START = Path(__file__).parents[2] / "start"
SOURCES = ("hatch_build.py", "src/bailee/http/_plain.pyx")
UV = """#!/bin/sh
echo "uv $*" >> {log}
case "$1" in
venv) mkdir -p {root}/.venv/bin && ln -sf {python} {root}/.venv/bin/python ;;
pip) test ! -e {root}/fail || exit 1
     printf '#!/bin/sh\\necho bailee "$@"\\n' > {root}/.venv/bin/bailee
     chmod +x {root}/.venv/bin/bailee ;;
esac
"""
RUN = """
import runpy, sys
root, version, platform, base = sys.argv[1:5]
if version: sys.version_info = tuple(map(int, version.split(".")))
if platform: sys.platform = platform
if base: sys._base_executable = base
sys.argv = [root + "/start", *sys.argv[5:]]
runpy.run_path(root + "/start", run_name="__main__")
"""


class Tree:
    """A copy of `start` with locks, and a PATH that has what a test puts there."""

    def __init__(self, root: Path, *, uv: bool = True) -> None:
        self.root = root
        self.log = root / "log"
        self.path = root / "path"
        self.path.mkdir()
        (root / "start").write_bytes(START.read_bytes())
        for name in ("requirements.lock", "requirements-test.lock"):
            (root / name).write_text(f"# {name}\n")
        for source in SOURCES:
            (root / source).parent.mkdir(parents=True, exist_ok=True)
            (root / source).write_text("# a source\n")
        if uv:
            text = UV.format(log=self.log, root=root, python=sys.executable)
            self.put("uv", text)

    def put(self, name: str, text: str) -> Path:
        """Put a program on PATH."""
        program = self.path / name
        program.write_text(text)
        program.chmod(0o755)
        return program

    def run(
        self, *arguments: str, version: str = "", platform: str = "", base: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run `./start`, perhaps as if on another Python or system."""
        return subprocess.run(
            [sys.executable, "-c", RUN, str(self.root), version, platform, base, *arguments],
            env={"PATH": f"{self.path}:/usr/bin:/bin", "HOME": str(self.root)},
            capture_output=True,
            text=True,
            check=False,
        )

    def installs(self) -> int:
        """How often the installer was asked to install a lock."""
        return self.log.read_text().count("uv pip sync") if self.log.exists() else 0


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A tree with an installer."""
    return Tree(tmp_path)


def test_start_speaks_old_python() -> None:
    """It parses as Python 3.8 and imports nothing but the standard library."""
    module = ast.parse(START.read_text(), feature_version=(3, 8))
    names = {
        alias.name
        for node in ast.walk(module)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    names |= {node.module or "" for node in ast.walk(module) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in names} <= sys.stdlib_module_names
    assert os.access(START, os.X_OK)


def test_start_when_nothing_is_said(tree: Tree) -> None:
    """It sets up from the lock by hash and runs the demo."""
    result = tree.run()
    assert result.stdout == "bailee demo\n"
    assert "bailee: setting up .venv from requirements.lock" in result.stderr
    said = tree.log.read_text()
    assert f"--require-hashes {tree.root}/requirements.lock" in said
    assert "--no-build-isolation --no-deps --no-index --editable" in said


def test_start_when_arguments_are_given(tree: Tree) -> None:
    """Arguments are Bailee's, whatever they hold."""
    assert tree.run("status", "-o", "json", "a b").stdout == "bailee status -o json a b\n"


def test_start_when_run_again(tree: Tree) -> None:
    """The second run installs nothing, says nothing, and takes less than a second."""
    tree.run()
    began = time.monotonic()
    result = tree.run("status")
    assert time.monotonic() - began < 1
    assert result.stderr == ""
    assert tree.installs() == 1


def test_start_when_the_lock_changed(tree: Tree) -> None:
    """Another lock is installed at the next run."""
    tree.run()
    (tree.root / "requirements.lock").write_text("# another\n")
    tree.run()
    assert tree.installs() == 2


@pytest.mark.parametrize("source", SOURCES)
def test_start_when_what_is_compiled_changed(tree: Tree, source: str) -> None:
    """Another source of the compiled parser is built at the next run."""
    tree.run()
    (tree.root / source).write_text("# another\n")
    tree.run()
    assert tree.installs() == 2


def test_start_when_nothing_could_be_compiled(tree: Tree) -> None:
    """Without the compiled parser it says so, once, and goes on."""
    said = "bailee: the compiled parser was left out"
    first = tree.run()
    assert first.stdout == "bailee demo\n"
    assert said in first.stderr
    assert said not in tree.run().stderr


def test_start_when_the_python_went_away(tree: Tree) -> None:
    """A `.venv` whose Python was removed is made anew."""
    tree.run()
    (tree.root / ".venv/bin/python").unlink()
    assert tree.run().stdout == "bailee demo\n"
    assert tree.installs() == 2


def test_start_when_tests_were_set_up(tree: Tree) -> None:
    """What was set up for tests serves for a run; the other way round the tools are added."""
    assert tree.run("--setup").returncode == 0
    assert tree.run("--setup", "test").returncode == 0
    assert tree.run().stdout == "bailee demo\n"
    assert tree.installs() == 2
    assert f"--require-hashes {tree.root}/requirements-test.lock" in tree.log.read_text()


def test_start_when_tests_are_asked_for(tree: Tree) -> None:
    """`test` runs pytest of `.venv` with the arguments that follow, in the tree."""
    result = tree.run("test", "--version")
    assert result.returncode == 0, result.stderr
    assert "pytest" in result.stdout


def test_start_when_the_installation_fails(tree: Tree) -> None:
    """A failed step is named, and the next run tries again."""
    (tree.root / "fail").touch()
    result = tree.run()
    assert result.returncode == 1
    assert "bailee: error: this step of the installation failed: " in result.stderr
    assert "\nhint: see its own words above" in result.stderr
    (tree.root / "fail").unlink()
    assert tree.run().stdout == "bailee demo\n"


def test_start_when_ensurepip_is_missing(tmp_path: Path) -> None:
    """Without uv and ensurepip, one line says what mends the machine."""
    tree = Tree(tmp_path, uv=False)
    bare = tree.put("bare", '#!/bin/sh\ncase "$*" in *ensurepip*) exit 1 ;; esac\n')
    result = tree.run(base=str(bare))
    assert result.returncode == 1
    assert "can't make a virtual environment\nhint: apt install python3-venv\n" in result.stderr


def test_start_when_python_is_old(tmp_path: Path) -> None:
    """An old Python looks for a newer one that works, and says what is missing if none does."""
    tree = Tree(tmp_path)
    for name in ("python3.11", "python3.12", "python3.13", "python3.14"):
        tree.put(name, "#!/bin/sh\nexit 127\n")
    result = tree.run(version="3.8.18")
    assert result.returncode == 1
    said = "bailee: error: bailee needs Python 3.11 or newer, and this is 3.8\nhint: apt install"
    assert said in result.stderr
    newer = tree.put("python3.13", "#!/bin/sh\nexit 0\n")
    assert tree.run(version="3.8.18").stdout == "bailee demo\n"
    assert f"--python {newer} " in tree.log.read_text()


def test_start_when_not_on_linux(tree: Tree) -> None:
    """Elsewhere it says so and installs nothing."""
    result = tree.run(platform="darwin")
    assert result.returncode == 1
    assert "bailee: error: bailee runs on Linux only\nhint: " in result.stderr
    assert tree.installs() == 0
