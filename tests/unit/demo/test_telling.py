"""How the story looks on terminals that can do more or less."""

import io
import sys

import pytest

from bailee.demo.telling import Check, Teller

GOOD = Check("good", "it held", True, {"bytes": 0})
BAD = Check("bad", "it did not hold", False, {"bytes": 7, "error": None})


class Terminal(io.TextIOWrapper):
    """A terminal with an encoding."""

    def isatty(self) -> bool:
        """It is one."""
        return True


def told(monkeypatch: pytest.MonkeyPatch, stream: io.TextIOWrapper) -> str:
    """Tell two checks to a stream."""
    monkeypatch.setattr(sys, "stdout", stream)
    teller = Teller()
    teller.check(GOOD)
    teller.check(BAD)
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode(stream.encoding)


def test_teller_when_stdout_is_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line for each check, and what was seen only where one did not hold; no colours."""
    text = told(monkeypatch, io.TextIOWrapper(io.BytesIO(), "utf-8"))
    assert text == "   ✓ it held\n   ✗ it did not hold\n     seen: bytes 7, error None\n"


def test_teller_when_stdout_knows_ascii_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """It writes words in the place of marks, and fails at nothing."""
    text = told(monkeypatch, io.TextIOWrapper(io.BytesIO(), "ascii"))
    assert text.splitlines()[:2] == ["   ok it held", "   NO it did not hold"]


@pytest.mark.parametrize(("no_colour", "coloured"), [(None, True), ("1", False)])
def test_teller_when_stdout_is_a_terminal(
    monkeypatch: pytest.MonkeyPatch, no_colour: str | None, coloured: bool
) -> None:
    """A terminal gets colours, unless NO_COLOR is set."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    if no_colour is not None:
        monkeypatch.setenv("NO_COLOR", no_colour)
    assert ("\x1b[32m" in told(monkeypatch, Terminal(io.BytesIO(), "utf-8"))) is coloured
