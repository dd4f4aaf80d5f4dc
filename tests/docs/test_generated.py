"""The reference documents are made of the code, and are those of this code."""

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import pytest

from bailee.admin.api.app import build_api
from bailee.cli.root import bailee
from bailee.config_keys import EGRESS_KEYS, KEYS
from bailee.errors import BaileeError

DOCS = Path(__file__).parents[2] / "docs"
NAMES = ("errors.md", "config.md", "cli.md", "admin-api.md", "openapi.json")


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bailee_docs_generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATE: Any = _load()


@pytest.mark.parametrize("name", NAMES)
def test_document_is_up_to_date(name: str) -> None:
    """It is what docs/generate.py writes now."""
    assert tuple(GENERATE.DOCUMENTS) == NAMES
    made = GENERATE.DOCUMENTS[name]()
    assert (DOCS / name).read_text() == made, f"run .venv/bin/python docs/generate.py for {name}"


def test_every_error_is_documented() -> None:
    """Each code has a heading and an advice, and no advice is left of a code that is gone."""
    text = (DOCS / "errors.md").read_text()
    codes = {
        each.code for each in BaileeError.__subclasses__() if each.__module__ == "bailee.errors"
    }
    assert [code for code in codes if f"\n## {code}\n" not in text] == []
    assert set(GENERATE.ADVICE) == codes
    assert all(advice.strip().endswith(".") for advice in GENERATE.ADVICE.values())


def test_every_setting_is_documented() -> None:
    """Each key stands there with its meaning; those outside of lists with their variable."""
    text = (DOCS / "config.md").read_text()
    for key in (*KEYS, *EGRESS_KEYS):
        variable = "" if key in EGRESS_KEYS else f"<br>`{key.variable}`"
        assert f"| `{key.name}`{variable} |" in text
        assert key.meaning in text


def test_every_command_is_documented() -> None:
    """Each command has a heading."""
    text = (DOCS / "cli.md").read_text()
    paths = _paths(bailee, "bailee")
    assert len(paths) > 40
    assert [path for path in paths if f"\n## {path}\n" not in text] == []


def test_every_route_is_documented() -> None:
    """Each route of the admin API has a heading."""
    text = (DOCS / "admin-api.md").read_text()
    routes = [
        f"{method.upper()} {path}"
        for path, methods in build_api(None).openapi()["paths"].items()
        for method in methods
    ]
    assert len(routes) > 20
    assert [route for route in routes if f"\n## {route}\n" not in text] == []


def _paths(command: click.Command, path: str) -> list[str]:
    if not isinstance(command, click.Group):
        return [path]
    context = click.Context(command)
    found = [path]
    for name in command.list_commands(context):
        below = command.get_command(context, name)
        assert below is not None
        found += _paths(below, f"{path} {name}")
    return found
