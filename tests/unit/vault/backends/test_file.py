"""`vault.backends`: the root key's file is whole and nobody else's, or the vault is closed."""

import os
import stat
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import pytest

from bailee.errors import Conflict, VaultClosed
from bailee.vault.backends import open_root_key
from bailee.vault.backends.file import create_root_key
from bailee.vault.backends.private import check_status

KEY = bytes(range(32))
GOOD = f"bailee-root-1 {b64encode(KEY).decode()} {sha256(KEY).hexdigest()[:8]}"


def written(folder: Path, text: str | bytes, mode: int = 0o600) -> Path:
    path = folder / "root.key"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    path.chmod(mode)
    return path


def test_created_root_key_opens(tmp_path: Path) -> None:
    """A new key is 32 random bytes in a file of mode 0600, and reads back."""
    made = create_root_key(tmp_path / "root.key")
    status = (tmp_path / "root.key").stat()
    assert stat.S_IMODE(status.st_mode) == 0o600
    assert len(made) == 32 and made != create_root_key(tmp_path / "other.key")
    assert open_root_key("file:root.key", tmp_path) == made


def test_mode_does_not_depend_on_umask(tmp_path: Path) -> None:
    """Neither a wide nor a strange umask changes the mode."""
    for mask in (0, 0o777):
        before = os.umask(mask)
        try:
            create_root_key(tmp_path / f"{mask}.key")
        finally:
            os.umask(before)
        assert stat.S_IMODE((tmp_path / f"{mask}.key").stat().st_mode) == 0o600


def test_existing_root_key_is_left_alone(tmp_path: Path) -> None:
    """A second `init` never overwrites the key that opens everything."""
    path = written(tmp_path, GOOD)
    with pytest.raises(Conflict):
        create_root_key(path)
    assert path.read_text() == GOOD


def test_root_key_is_not_created_through_a_link(tmp_path: Path) -> None:
    """A dangling link does not lead the key elsewhere."""
    (tmp_path / "root.key").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Conflict):
        create_root_key(tmp_path / "root.key")
    assert not (tmp_path / "elsewhere").exists()


def test_root_key_needs_its_directory(tmp_path: Path) -> None:
    """A missing directory is said, not made."""
    with pytest.raises(VaultClosed):
        create_root_key(tmp_path / "missing" / "root.key")


@pytest.mark.parametrize("text", [GOOD, GOOD + "\n"])
@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_good_file_opens(tmp_path: Path, text: str, mode: int) -> None:
    """One line, with or without its end."""
    written(tmp_path, text, mode)
    assert open_root_key("file:root.key", tmp_path).reveal() == KEY


def test_absolute_path_opens(tmp_path: Path) -> None:
    """An absolute path does not depend on the config's directory."""
    path = written(tmp_path, GOOD)
    assert open_root_key(f"file:{path}", Path("/nowhere")).reveal() == KEY


TEXTS: dict[str, str | bytes] = {
    "empty": "",
    "cut": GOOD[:-1],
    "cut in the key": GOOD[:40],
    "two lines": GOOD + "\n" + GOOD + "\n",
    "an empty line more": GOOD + "\n\n",
    "a space before": " " + GOOD,
    "a space after": GOOD + " ",
    "a carriage return": GOOD + "\r\n",
    "another version": GOOD.replace("root-1", "root-2"),
    "another checksum": GOOD[:-8] + "00000000",
    "a checksum in capitals": GOOD[:-8] + GOOD[-8:].upper(),
    "no checksum": GOOD[:-9],
    "another key": GOOD.replace("AAEC", "AAED"),
    "a short key": f"bailee-root-1 {b64encode(KEY[:31]).decode()} "
    f"{sha256(KEY[:31]).hexdigest()[:8]}",
    "a bare key": KEY,
    "not ASCII": GOOD.encode() + b"\xff",
    "very long": GOOD + " " * 1_000_000,
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_altered_file_is_refused(tmp_path: Path, text: str | bytes) -> None:
    """A cut or altered key is told from the right one before anything is unwrapped."""
    written(tmp_path, text)
    with pytest.raises(VaultClosed, match="cut or altered") as caught:
        open_root_key("file:root.key", tmp_path)
    assert b64encode(KEY).decode()[:8] not in caught.value.detail + caught.value.hint


@pytest.mark.parametrize("mode", [0o640, 0o620, 0o610, 0o604, 0o602, 0o601, 0o666, 0o777])
def test_file_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    """Not one permission of group or others."""
    written(tmp_path, GOOD, mode)
    with pytest.raises(VaultClosed, match=f"mode {mode:04o}"):
        open_root_key("file:root.key", tmp_path)


def test_missing_file_is_said(tmp_path: Path) -> None:
    """The hint says what to do."""
    with pytest.raises(VaultClosed, match="missing") as caught:
        open_root_key("file:root.key", tmp_path)
    assert "put it back" in caught.value.hint


def test_link_is_refused(tmp_path: Path) -> None:
    """What is checked is what is read: no link, not even to a good file."""
    target = tmp_path / "target"
    written(tmp_path, GOOD).rename(target)
    (tmp_path / "root.key").symlink_to(target)
    with pytest.raises(VaultClosed, match="can't be opened"):
        open_root_key("file:root.key", tmp_path)


def test_pipe_is_refused_at_once(tmp_path: Path) -> None:
    """A pipe of that name does not make the start hang."""
    os.mkfifo(tmp_path / "root.key", 0o600)
    with pytest.raises(VaultClosed, match="not a plain file"):
        open_root_key("file:root.key", tmp_path)


def test_directory_is_refused(tmp_path: Path) -> None:
    """A directory of that name is no key."""
    (tmp_path / "root.key").mkdir(0o700)
    with pytest.raises(VaultClosed, match="not a plain file"):
        open_root_key("file:root.key", tmp_path)


def status_of(owner: int) -> os.stat_result:
    return os.stat_result((stat.S_IFREG | 0o600, 1, 1, 1, owner, 0, len(GOOD), 0, 0, 0))


@pytest.mark.parametrize(("owner", "user"), [(1000, 1000), (0, 1000), (0, 0)])
def test_own_file_and_root_file_are_accepted(owner: int, user: int) -> None:
    """The file belongs to who reads it, or to root."""
    check_status(status_of(owner), user)


@pytest.mark.parametrize(("owner", "user"), [(1001, 1000), (1000, 0), (65534, 1000)])
def test_file_of_another_user_is_refused(owner: int, user: int) -> None:
    """Whoever owns the file can change its mode and its bytes; root reads no user's file either."""
    with pytest.raises(VaultClosed, match="another user"):
        check_status(status_of(owner), user)


@pytest.mark.parametrize("url", ["", "file:", "root.key", "env:KEY", "FILE:root.key", "awskms:x"])
def test_other_key_stores_are_refused(tmp_path: Path, url: str) -> None:
    """What this version does not know closes the vault and names what it knows."""
    written(tmp_path, GOOD)
    with pytest.raises(VaultClosed) as caught:
        open_root_key(url, tmp_path)
    assert "file:root.key" in caught.value.hint
