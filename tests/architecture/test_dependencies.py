"""What is installed is what the locks name, by hash, and nothing of it runs by itself (R46)."""

import re
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = ("requirements.lock", "requirements-test.lock")
REQUIREMENT = re.compile(
    r"(?P<name>[a-z0-9][a-z0-9.-]*)==[0-9][a-zA-Z0-9.+!]*( ; [^\\]+)?(?P<hashes>( \\\n    "
    r"--hash=sha256:[0-9a-f]{64})+)\n"
)


def locked(name: str) -> dict[str, str]:
    """The packages of a lock with their whole entries."""
    text = (ROOT / name).read_text()
    return {match["name"]: match[0] for match in REQUIREMENT.finditer(text)}


@pytest.mark.parametrize("name", LOCKS)
def test_lock_when_read(name: str) -> None:
    """A lock is versions and hashes alone: no address, no index, no path, no comment."""
    assert "".join(locked(name).values()) == (ROOT / name).read_text()


def test_lock_when_a_line_is_added() -> None:
    """An address, an index, a version range or a missing hash is no entry of a lock."""
    digest = f" \\\n    --hash=sha256:{'0' * 64}\n"
    assert REQUIREMENT.fullmatch("a==1" + digest)
    for line in ("a @ https://x/a.whl" + digest, "a>=1" + digest, "a==1\n", "--index-url x\n"):
        assert not REQUIREMENT.fullmatch(line)


def test_lock_of_tests_holds_the_lock_of_runs() -> None:
    """What is tested is what runs: the test lock has every entry of the other, and more."""
    run, test = (locked(name) for name in LOCKS)
    assert run.items() < test.items()


def test_lock_names_what_the_project_asks_for() -> None:
    """Every dependency of pyproject.toml, and the build's, is in the lock."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    asked = [*project["project"]["dependencies"], *project["dependency-groups"]["build"]]
    names = {re.split(r"[^a-z0-9-]", line.lower())[0] for line in asked}
    assert names <= set(locked("requirements.lock"))


@pytest.mark.parametrize("name", locked("requirements.lock"))
def test_runtime_dependency_has_no_pth_file(name: str) -> None:
    """Nothing that a run installs carries a `.pth` file, which Python would run at every start."""
    files = distribution(name).files
    assert files
    assert [file for file in files if file.suffix == ".pth"] == []


def test_a_pth_file_would_be_seen() -> None:
    """coverage, a tool of the tests alone, has one: the check sees it."""
    files = distribution("coverage").files or []
    assert [file for file in files if file.suffix == ".pth"]
