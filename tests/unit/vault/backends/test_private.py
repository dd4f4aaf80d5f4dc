"""`vault.backends.private`: written whole or not at all. What is read is tested with each key."""

import stat
from pathlib import Path

import pytest

from bailee.errors import Conflict, VaultClosed
from bailee.vault.backends.private import create_private, read_private


def test_written_is_read(tmp_path: Path) -> None:
    """The bytes come back, from a file of mode 0600."""
    create_private(tmp_path / "f", b"content", "the file")
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o600
    assert read_private(tmp_path / "f", "the file", 100) == b"content"


def test_limit_shows_what_is_too_long(tmp_path: Path) -> None:
    """One byte more than the limit is read, and not the rest."""
    create_private(tmp_path / "f", b"x" * 1000, "the file")
    assert read_private(tmp_path / "f", "the file", 10) == b"x" * 11


def test_second_write_is_refused(tmp_path: Path) -> None:
    """What is there stays."""
    create_private(tmp_path / "f", b"first", "the file")
    with pytest.raises(Conflict):
        create_private(tmp_path / "f", b"second", "the file")
    assert (tmp_path / "f").read_bytes() == b"first"


def test_link_is_followed_only_where_it_may_be(tmp_path: Path) -> None:
    """A link in the place of a key is refused, in the place of a passphrase it is not."""
    create_private(tmp_path / "f", b"content", "the file")
    (tmp_path / "link").symlink_to(tmp_path / "f")
    assert read_private(tmp_path / "link", "the file", 100, links=True) == b"content"
    with pytest.raises(VaultClosed, match="the file can't be opened"):
        read_private(tmp_path / "link", "the file", 100)
