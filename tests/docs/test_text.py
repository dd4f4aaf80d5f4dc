"""Links lead somewhere, and no document speaks of what is not the project's."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from bailee.providers.load import parse_provider
from bailee.reference.pki import World

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
SOURCES = sorted(
    path
    for folder in ("src", "tests", "bench", "docs")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in {".py", ".md", ".toml", ".txt"}
)
_LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")
_CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
# Put together here, so that this file does not hold what it looks for.
_FORBIDDEN = re.compile(
    "|".join(
        [
            "/wo" + "rk/",
            "/ro" + "ot/",
            "/tmp/" + "b/",
            "py" + "pi" + r"\.org",
            "files\\.python" + "hosted",
        ]
    )
)
_WORDS = re.compile(r"\b(?:is" + r"sues?|col" + r"leagues?|sub" + r"agents?)\b", re.IGNORECASE)


def broken_links(path: Path, text: str) -> Iterator[str]:
    """Links of a document that lead to no file or no heading."""
    for target in _LINK.findall(_CODE.sub("", text)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = unquote(target).partition("#")
        found = (path.parent / name) if name else path
        if not found.exists() or (anchor and anchor not in _anchors(found)):
            yield target


def _anchors(path: Path) -> set[str]:
    headings = _HEADING.findall(path.read_text())
    return {re.sub(r"[^a-z0-9 _-]", "", each.lower()).replace(" ", "-") for each in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    """Every link inside of the project names a file, and its anchor a heading."""
    assert list(broken_links(path, path.read_text())) == []


def test_broken_links_are_found() -> None:
    """A file or a heading that is not there is found; code is no link."""
    text = "[a](README.md) [b](absent.md) [c](README.md#licence) [d](README.md#x) `[e](f.md)`"
    assert list(broken_links(ROOT / "x.md", text)) == ["absent.md", "README.md#x"]


def test_every_document_can_be_reached() -> None:
    """From the README, by links, one comes to every document."""
    seen: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        if path.is_dir():
            waiting += path.glob("*.md")
            continue
        if path.suffix != ".md":
            continue
        for target in _LINK.findall(_CODE.sub("", path.read_text())):
            if not re.match(r"[a-z]+:|#", target):
                waiting.append((path.parent / target.partition("#")[0]).resolve())
    assert [str(path.relative_to(ROOT)) for path in DOCUMENTS if path not in seen] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_documents_speak_of_the_project_alone(path: Path) -> None:
    """No words of how or where it was made."""
    assert _WORDS.findall(path.read_text()) == []


def test_no_file_names_a_place_of_the_builders_machine() -> None:
    """Neither source nor document has a path or a host that only its builders have."""
    found = [str(path.relative_to(ROOT)) for path in SOURCES if _FORBIDDEN.search(path.read_text())]
    assert found == []


def test_provider_files_of_the_documents_are_good() -> None:
    """Every TOML block that has an `[auth]` is a provider's file that would be read."""
    pem = World.create().root.pem.decode()
    blocks = [
        block
        for path in DOCUMENTS
        for block in re.findall(r"```toml\n(.*?)```", path.read_text(), re.DOTALL)
        if "[auth]" in block
    ]
    assert blocks
    for block in blocks:
        parse_provider(block, lambda name: pem)
