"""What the doctor says of decoys."""

from dataclasses import replace
from pathlib import Path

import pytest

from bailee.config import DecoyEntry, Settings, load
from bailee.operate.check import Level
from bailee.operate.decoys import look_at_decoys


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Some configuration."""
    path = tmp_path / "bailee.toml"
    path.write_text('[vault]\nauthority = "ed25519/' + "A" * 43 + '="\n')
    return load(path, {})


CASES = {
    "on this machine": ("127.0.1.3", [], Level.OK, "is on this machine"),
    "far from what is published": ("127.0.1.3", ["127.0.0.2"], Level.OK, "near to no published"),
    "elsewhere": ("192.0.2.77", [], Level.WARN, "is not an address of this machine"),
    "a neighbour": ("127.0.1.3", ["127.0.0.2", "127.0.1.200"], Level.FAIL, "of 127.0.1.200"),
}


@pytest.mark.parametrize("case", CASES)
def test_decoy_when_it_is(settings: Settings, case: str) -> None:
    """One that is not here, or proves nothing, is named with what to do."""
    bind, published, level, words = CASES[case]
    (check,) = look_at_decoys(replace(settings, decoy=(DecoyEntry("d", bind, bind),)), published)
    assert (check.level, check.about) == (level, "decoy d")
    assert words in check.found
    assert bool(check.advice) == (level is not Level.OK)


def test_said_when_there_is_none(settings: Settings) -> None:
    """Without a decoy it works, and less can be told."""
    (check,) = look_at_decoys(settings, [])
    assert (check.level, check.about) == (Level.OK, "decoy")
    assert "not proven" in check.found
