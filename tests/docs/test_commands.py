"""What the documents tell people to type is typed here, and prints what they say."""

from pathlib import Path

import pytest

from console import mismatch, open_terminal, read_commands

ROOT = Path(__file__).parents[2]
DOCUMENTS = ("README.md", "docs/guides/first-call.md", "docs/guides/byok.md")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_commands_print_what_the_document_says(name: str, tmp_path: Path) -> None:
    """Every command of the console blocks succeeds, in order, in one shell."""
    commands = read_commands((ROOT / name).read_text())
    assert commands
    with open_terminal(tmp_path) as terminal:
        for command in commands:
            printed, code = terminal.run(command.text)
            wrong = mismatch(command.output, printed)
            assert wrong is None, f"{name}: {command.text}\n{wrong}"
            assert code == 0, f"{name}: {command.text}: exit {code}"


def test_every_document_with_commands_is_run() -> None:
    """No other document has a console block."""
    documents = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
    found = {str(path.relative_to(ROOT)) for path in documents if "```console" in path.read_text()}
    assert found == set(DOCUMENTS)


def test_first_call_is_the_one_that_is_promised() -> None:
    """The README's call by hand stands in the guide too, word by word."""
    guide = {command.text for command in read_commands((ROOT / DOCUMENTS[1]).read_text())}
    readme = [command.text for command in read_commands((ROOT / DOCUMENTS[0]).read_text())]
    for start in ("bailee serve", "bailee grant add", "export BAILEE_CONFIG", "field()", "api()"):
        (typed,) = [text for text in readme if text.startswith(start)]
        assert any(text.startswith(typed.partition(" > ")[0]) for text in guide), typed


EXPECTED = ["id  grt_abcdefghijklmnopqrstuvwxyz", "state  approved", "...", "end"]


@pytest.mark.parametrize(
    ("printed", "same"),
    [
        (["id grt_zyxwvutsrqponmlkjihgfedcba", "state  approved", "end"], True),
        (["id grt_zyxwvutsrqponmlkjihgfedcba", "state  approved", "more", "end"], True),
        (["id grt_zyxwvutsrqponmlkjihgfedcba", "state  proposed", "end"], False),
        (["state  approved", "end"], False),
    ],
)
def test_comparison_is_loose_about_what_is_new(printed: list[str], same: bool) -> None:
    """Ids may differ, words may not."""
    assert (mismatch(EXPECTED, printed) is None) is same
