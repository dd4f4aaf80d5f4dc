"""Where a provider is read from: a preset by its name, or a file by its path."""

import tomllib
from functools import partial
from pathlib import Path
from typing import Any

from bailee.errors import BadInput
from bailee.model import Provider
from bailee.providers.catalogue import list_presets, load_preset, read_preset
from bailee.providers.load import inspect_provider, parse_provider


def read_source(source: str) -> Provider:
    """Read a preset, or a provider's file and the CA files it names, which are relative to it.

    Raises:
        BadInput: There is no such preset or file, or it has faults: all of them at once.
    """
    if source in list_presets():
        return load_preset(source)
    file = Path(source)
    return parse_provider(_text_of(file), partial(_read_beside, file))


def inspect_source(source: str) -> tuple[Provider | None, tuple[str, ...]]:
    """Read the same, and return the faults one by one.

    Raises:
        BadInput: There is no such preset or file.
    """
    if source in list_presets():
        return load_preset(source), ()
    file = Path(source)
    return inspect_provider(_text_of(file), partial(_read_beside, file))


def describe_presets() -> list[dict[str, Any]]:
    """Say of each preset what it is of, and how far its allowlist can be measured."""
    return [_describe(id) for id in list_presets()]


def _describe(id: str) -> dict[str, Any]:
    preset, evidence = load_preset(id), tomllib.loads(read_preset(id))["evidence"]
    allowlisting, probe = preset.allowlisting, preset.probe
    return {
        "id": preset.id,
        "name": preset.name,
        "category": preset.category,
        "allowlist": None if allowlisting is None else f"per {allowlisting.scope}",
        "report": preset.report is not None,
        "decoy": None if probe is None else probe.decoy.value,
        "unverified": [each["of"] for each in evidence if each["level"] == "unverified"],
    }


def _read_beside(file: Path, name: str) -> str:
    return (file.parent / name).read_text(encoding="utf-8")


def _text_of(file: Path) -> str:
    if not file.is_file():
        hint = "presets: bailee provider list --catalogue"
        raise BadInput(f"there is neither a preset nor a file {str(file)!r}", hint)
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{file} can't be read: {error}") from None
