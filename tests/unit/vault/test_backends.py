"""`vault.backends`: one way to the root key, whatever kind it is, and one question a process."""

import os
from pathlib import Path

import pytest

from bailee.errors import VaultClosed
from bailee.secret import Secret
from bailee.vault.backends import RootKeys, open_root_key
from bailee.vault.backends.derived import Cost, create_derivation
from bailee.vault.backends.file import create_root_key
from bailee.vault.backends.passphrase import PassphraseSource

LEAST = Cost(64 * 1024, 3, 2)
GOOD = b"correct horse battery staple"
URL = "passphrase:root.kdf"


def written(path: Path, text: bytes) -> Path:
    path.write_bytes(text)
    path.chmod(0o600)
    return path


def piped(text: bytes) -> str:
    reading, writing = os.pipe()
    os.write(writing, text)
    os.close(writing)
    return str(reading)


def test_passphrase_opens(tmp_path: Path) -> None:
    """The file beside the config, and the passphrase from where the source says."""
    key = create_derivation(tmp_path / "root.kdf", Secret(GOOD), LEAST)
    source = PassphraseSource({}, written(tmp_path / "p", GOOD + b"\n"), prompt=False)
    assert open_root_key(URL, tmp_path, source) == key


def test_wrong_passphrase_closes(tmp_path: Path) -> None:
    """It says what is wrong and what to do, and repeats neither passphrase nor key."""
    create_derivation(tmp_path / "root.kdf", Secret(GOOD), LEAST)
    source = PassphraseSource({}, written(tmp_path / "p", b"wrong passphrase"), prompt=False)
    with pytest.raises(VaultClosed, match="not the one that this vault was made with") as caught:
        open_root_key(URL, tmp_path, source)
    assert "wrong passphrase" not in caught.value.detail + caught.value.hint


def test_without_a_source_nobody_is_asked(tmp_path: Path) -> None:
    """A command that does not know of passphrases fails, and does not hang."""
    create_derivation(tmp_path / "root.kdf", Secret(GOOD), LEAST)
    with pytest.raises(VaultClosed, match="nobody to ask"):
        open_root_key(URL, tmp_path)


@pytest.mark.parametrize("url", ["", "file:", "passphrase:", "root.key", "awskms:x", ":root.key"])
def test_kind_that_is_unknown(tmp_path: Path, url: str) -> None:
    """Neither way opens what the config names wrongly."""
    with pytest.raises(VaultClosed, match="names no key store"):
        open_root_key(url, tmp_path)
    with pytest.raises(VaultClosed, match="names no key store"):
        RootKeys({}).open(url, tmp_path, None)


def test_descriptor_is_read_once_and_the_key_is_kept(tmp_path: Path) -> None:
    """A reload finds the key, though the descriptor's text is gone."""
    key = create_derivation(tmp_path / "root.kdf", Secret(GOOD), LEAST)
    keys = RootKeys({"BAILEE_PASSPHRASE_FD": piped(GOOD)})
    assert keys.open(URL, tmp_path, None) == key
    assert keys.open(URL, tmp_path, None) == key
    assert repr(keys) == "RootKeys(kept)"


def test_other_parameters_are_derived_anew(tmp_path: Path) -> None:
    """A key that was kept is not used for a file that has become another."""
    create_derivation(tmp_path / "root.kdf", Secret(GOOD), LEAST)
    passphrase = written(tmp_path / "p", GOOD)
    keys = RootKeys({})
    first = keys.open(URL, tmp_path, passphrase)
    (tmp_path / "root.kdf").unlink()
    with pytest.raises(VaultClosed, match="missing"):
        keys.open(URL, tmp_path, passphrase)
    second = create_derivation(tmp_path / "root.kdf", Secret(GOOD), LEAST)
    assert keys.open(URL, tmp_path, passphrase) == second != first


def test_wrong_passphrase_is_not_kept(tmp_path: Path) -> None:
    """Mend the file and reload: it is read again."""
    key = create_derivation(tmp_path / "root.kdf", Secret(GOOD), LEAST)
    passphrase = written(tmp_path / "p", b"wrong passphrase")
    keys = RootKeys({})
    with pytest.raises(VaultClosed):
        keys.open(URL, tmp_path, passphrase)
    assert repr(keys) == "RootKeys(none kept)"
    assert keys.open(URL, tmp_path, written(passphrase, GOOD)) == key


def test_key_in_a_file_is_read_each_time(tmp_path: Path) -> None:
    """As before: a file that is gone closes the vault at the next reload."""
    key = create_root_key(tmp_path / "root.key")
    keys = RootKeys({})
    assert keys.open("file:root.key", tmp_path, None) == key
    (tmp_path / "root.key").unlink()
    with pytest.raises(VaultClosed, match="missing"):
        keys.open("file:root.key", tmp_path, None)
