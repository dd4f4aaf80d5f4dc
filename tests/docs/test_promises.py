"""Every promise that is said to be kept names the tests that can break it, and these exist."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "docs" / "security" / "promises.md"
KEPT = {
    *(f"R{n}" for n in (*range(1, 5), *range(6, 12), 13, 14, *range(15, 20), *range(21, 24))),
    *(f"R{n}" for n in (*range(25, 32), *range(33, 36), 39, *range(41, 45), *range(46, 49))),
    *(f"R{n}" for n in range(50, 54)),
}
"""What is to be listed by now: no number may get lost."""
_ROW = re.compile(r"^\| (R\d+) \| (.+) \| (.+) \| (.+) \|$", re.MULTILINE)
_TEST = re.compile(r"`(tests/[a-z0-9_/]+\.py)::(test_[a-z0-9_]+)`")


def read_rows(text: str) -> dict[str, str]:
    """The numbers of the table, each with its cell of tests."""
    return {number: tests for number, _, _, tests in _ROW.findall(text)}


def faults(text: str) -> Iterator[str]:
    """What is wrong with a table of promises."""
    rows = read_rows(text)
    for number in sorted(KEPT - rows.keys()):
        yield f"{number} is missing"
    if len(_ROW.findall(text)) != len(rows):
        yield "a number stands there twice"
    for number, cell in rows.items():
        named = _TEST.findall(cell)
        if not named:
            yield f"{number} has no test"
        rest = _TEST.sub("", cell).replace("<br>", "").strip()
        if rest:
            yield f"{number} has something that is no test: {rest}"
        for path, test in named:
            if test not in functions_of(path):
                yield f"{number} names {path}::{test}, which is not there"


@cache
def functions_of(path: str) -> frozenset[str]:
    """The tests of a file that pytest would collect, found without running it."""
    file = ROOT / path
    if not file.is_file() or not file.name.startswith("test_"):
        return frozenset()
    tree = ast.parse(file.read_text())
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in tree.body if isinstance(node, functions))


def test_promises_name_tests_that_exist() -> None:
    """Each number has at least one test, and each test is there."""
    assert list(faults(TABLE.read_text())) == []


def _broken(text: str, case: str) -> str:
    row = next(line for line in text.splitlines() if line.startswith("| R1 |"))
    cells = row.split(" | ")
    changed = {
        "a number is gone": "",
        "a number has no test": " | ".join([*cells[:3], "soon |"]),
        "a number names no test of ours": row.replace("::test_", "::test_no_such_"),
        "a number stands twice": f"{row}\n{row}",
    }[case]
    return text.replace(row, changed)


@pytest.mark.parametrize(
    "case",
    [
        "a number is gone",
        "a number has no test",
        "a number names no test of ours",
        "a number stands twice",
    ],
)
def test_faults_when_the_table_is_broken(case: str) -> None:
    """The look at the table can fail."""
    assert list(faults(_broken(TABLE.read_text(), case))) != []
