"""`vault.backends.passphrase`: where a passphrase may come from, and what it may be."""

import os
from pathlib import Path

import pytest

from bailee.errors import BadInput, VaultClosed
from bailee.vault.backends.passphrase import PassphraseSource, new_passphrase

GOOD = b"correct horse battery staple"


def written(path: Path, text: bytes, mode: int = 0o600) -> Path:
    path.write_bytes(text)
    path.chmod(mode)
    return path


def piped(text: bytes) -> int:
    """A descriptor that holds a text and then ends."""
    reading, writing = os.pipe()
    os.write(writing, text)
    os.close(writing)
    return reading


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_file_of_the_config(tmp_path: Path, end: bytes) -> None:
    """One line, whose end does not count."""
    source = PassphraseSource({}, written(tmp_path / "p", GOOD + end), prompt=False)
    assert source.read().reveal() == GOOD
    assert source.tries == 1


def test_spaces_and_further_lines_count(tmp_path: Path) -> None:
    """Nothing but one line end is taken away."""
    source = PassphraseSource({}, written(tmp_path / "p", b" two \nlines\n\n"), prompt=False)
    assert source.read().reveal() == b" two \nlines\n"


def test_variable_goes_before_the_config(tmp_path: Path) -> None:
    """BAILEE_PASSPHRASE_FILE names a file, and never holds the passphrase."""
    named = written(tmp_path / "named", GOOD)
    other = written(tmp_path / "other", b"another passphrase")
    source = PassphraseSource({"BAILEE_PASSPHRASE_FILE": str(named)}, other, prompt=False)
    assert source.read().reveal() == GOOD


def test_descriptor_goes_before_both_and_is_closed(tmp_path: Path) -> None:
    """What was inherited is read once, and no child inherits it."""
    descriptor = piped(GOOD + b"\n")
    environ = {
        "BAILEE_PASSPHRASE_FD": str(descriptor),
        "BAILEE_PASSPHRASE_FILE": str(tmp_path / "absent"),
    }
    assert PassphraseSource(environ, None, prompt=False).read().reveal() == GOOD
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


@pytest.mark.parametrize("descriptor", ["x", "-1", "1.5", "99999"])
def test_descriptor_that_is_none(descriptor: str) -> None:
    """It is told, and no other source is tried in its place."""
    with pytest.raises(VaultClosed, match="BAILEE_PASSPHRASE_FD"):
        PassphraseSource({"BAILEE_PASSPHRASE_FD": descriptor}, None, prompt=False).read()


def test_without_any_source_the_hint_names_all() -> None:
    """Nobody sits there to be asked."""
    with pytest.raises(VaultClosed, match="nobody to ask") as caught:
        PassphraseSource({}, None, prompt=False).read()
    for name in ("BAILEE_PASSPHRASE_FILE", "BAILEE_PASSPHRASE_FD", "passphrase_file"):
        assert name in caught.value.hint


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_file_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    """A passphrase that others may have read opens nothing."""
    with pytest.raises(VaultClosed, match=f"mode {mode:04o}"):
        PassphraseSource({}, written(tmp_path / "p", GOOD, mode), prompt=False).read()


def test_link_to_a_private_file_is_followed(tmp_path: Path) -> None:
    """Containers give secrets as links; what a link leads to is looked at."""
    link = tmp_path / "link"
    link.symlink_to(written(tmp_path / "p", GOOD))
    assert PassphraseSource({}, link, prompt=False).read().reveal() == GOOD
    (tmp_path / "p").chmod(0o644)
    with pytest.raises(VaultClosed, match="mode 0644"):
        PassphraseSource({}, link, prompt=False).read()


def test_file_that_is_missing_or_a_pipe(tmp_path: Path) -> None:
    """The start does not hang."""
    with pytest.raises(VaultClosed, match="missing"):
        PassphraseSource({}, tmp_path / "absent", prompt=False).read()
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(VaultClosed, match="not a plain file"):
        PassphraseSource({}, tmp_path / "pipe", prompt=False).read()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "empty"),
        (b"\n", "empty"),
        (b"\xff\xfe", "UTF-8"),
        (b"x" * 1025, "longer than 1024"),
        (b"x" * 100_000, "longer than 1024"),
    ],
)
def test_text_that_is_no_passphrase(tmp_path: Path, text: bytes, why: str) -> None:
    """It is refused before Argon2 works on it."""
    with pytest.raises(VaultClosed, match=why):
        PassphraseSource({}, written(tmp_path / "p", text), prompt=False).read()


def test_letters_with_marks_are_the_same_however_typed(tmp_path: Path) -> None:
    """A keyboard that sends e and an accent opens what one that sends é has made."""
    apart = written(tmp_path / "apart", "cafe\N{COMBINING ACUTE ACCENT} au lait".encode())
    whole = written(tmp_path / "whole", "café au lait".encode())
    read = [PassphraseSource({}, path, prompt=False).read() for path in (apart, whole)]
    assert read[0] == read[1]


def test_new_one_is_long_enough() -> None:
    """Twelve characters are taken, eleven are not, however many bytes they are."""
    assert new_passphrase(b"x" * 12 + b"\n").reveal() == b"x" * 12
    for short in (b"x" * 11, "é".encode() * 11, b""):
        with pytest.raises(BadInput):
            new_passphrase(short)


def test_source_does_not_show_the_environment() -> None:
    """The environment holds tokens too."""
    assert "secret" not in repr(PassphraseSource({"BAILEE_TOKEN": "secret"}))
