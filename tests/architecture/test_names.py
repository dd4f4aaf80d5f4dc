"""A test is found where its source is: the unit tests mirror `src/bailee`."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "tests" / "unit"
SOURCE = ROOT / "src" / "bailee"


def test_unit_tests_mirror_the_source() -> None:
    """`tests/unit/<path>/test_<module>.py` tests `src/bailee/<path>/<module>.py`, and no other."""
    strays = []
    for test in sorted(UNIT.rglob("test_*.py")):
        folder = SOURCE / test.parent.relative_to(UNIT)
        module = test.stem.removeprefix("test_")
        if not (folder / f"{module}.py").exists() and not (folder / module).is_dir():
            strays.append(str(test.relative_to(ROOT)))
    assert strays == []


def test_names_say_what_a_thing_is() -> None:
    """No module is called by a word that says nothing."""
    empty = {"manager", "handler", "helper", "helpers", "util", "utils", "processor", "common"}
    assert [path for path in SOURCE.rglob("*.py") if set(path.stem.split("_")) & empty] == []
