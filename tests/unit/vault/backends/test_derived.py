"""`vault.backends.derived`: a file that says how the root key comes of a passphrase."""

import stat
from base64 import b64decode, b64encode
from hashlib import sha256
from pathlib import Path

import pytest
from argon2.low_level import Type, hash_secret_raw
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from bailee.errors import Conflict, VaultClosed
from bailee.secret import Secret
from bailee.vault.backends.derived import (
    LANES,
    MEMORY_KIB,
    PASSES,
    Cost,
    Derivation,
    create_derivation,
    read_derivation,
)

LEAST = Cost(MEMORY_KIB[0], PASSES[0], 2)
PASSPHRASE = Secret(b"correct horse battery staple")


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A good file's text; deriving takes a tenth of a second."""
    path = tmp_path_factory.mktemp("derived") / "root.kdf"
    create_derivation(path, PASSPHRASE, LEAST)
    return path.read_text()


def written(folder: Path, text: str | bytes, mode: int = 0o600) -> Path:
    path = folder / "root.kdf"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    path.chmod(mode)
    return path


def sealed(text: str) -> str:
    """Give a text the checksum that belongs to it, as whoever alters it on purpose would."""
    head = text.rsplit(" ", 1)[0] + " "
    return f"{head}{sha256(head.encode()).hexdigest()[:8]}\n"


def test_key_comes_back_from_file_and_passphrase(tmp_path: Path) -> None:
    """The same 32 bytes, from a file of mode 0600 that does not hold them."""
    path = tmp_path / "root.kdf"
    key = create_derivation(path, PASSPHRASE, LEAST)
    assert read_derivation(path).derive(PASSPHRASE) == key
    assert len(key) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    text = path.read_bytes()
    for form in (key.reveal(), key.reveal().hex().encode(), b64encode(key.reveal())[:40]):
        assert form not in text


def test_salt_makes_every_key_another(tmp_path: Path) -> None:
    """The same passphrase gives another vault another key."""
    keys = [create_derivation(tmp_path / name, PASSPHRASE, LEAST) for name in ("a", "b")]
    assert keys[0] != keys[1]


def test_another_passphrase_gives_nothing(tmp_path: Path, line: str) -> None:
    """A wrong passphrase is told from a right one before anything is unwrapped."""
    derivation = read_derivation(written(tmp_path, line))
    assert derivation.derive(Secret(PASSPHRASE.reveal() + b" ")) is None


def test_form_is_what_it_says(tmp_path: Path, line: str) -> None:
    """Argon2id over the passphrase, and HKDF-Expand under two labels: anybody can do it again."""
    derivation = read_derivation(written(tmp_path, line))
    _, _, m, t, p, salt, check, _ = line.split(" ")
    raw = hash_secret_raw(
        PASSPHRASE.reveal(), b64decode(salt), int(t[2:]), int(m[2:]), int(p[2:]), 32, Type.ID
    )
    key = HKDFExpand(SHA256(), 32, b"bailee/root-key/v1").derive(raw)
    assert derivation.derive(PASSPHRASE) == Secret(key)
    assert HKDFExpand(SHA256(), 16, b"bailee/root-key-check/v1").derive(raw) == b64decode(check)
    assert b64decode(check) not in key


def test_default_cost_is_above_the_recommendation(line: str) -> None:
    """RFC 9106, section 4: at least 3 passes over 64 MiB with 4 lanes."""
    cost = Cost()
    assert cost.memory_kib >= 64 * 1024
    assert (cost.passes, cost.lanes) == (3, 4)


def test_existing_file_is_left_alone(tmp_path: Path, line: str) -> None:
    """A second `init` never overwrites the salt that everything hangs on."""
    path = written(tmp_path, line)
    with pytest.raises(Conflict):
        create_derivation(path, PASSPHRASE, LEAST)
    assert path.read_text() == line


def changed(line: str, old: str, new: str) -> str:
    assert old in line
    return line.replace(old, new, 1)


def test_altered_file_is_refused(tmp_path: Path, line: str) -> None:
    """Whatever was cut, added or mistyped closes the vault before memory is set aside."""
    words = line.split(" ")
    altered: dict[str, str | bytes] = {
        "empty": "",
        "cut": line[:-2],
        "cut in the salt": line[:40],
        "two lines": line + line,
        "an empty line more": line + "\n",
        "a space before": " " + line,
        "a carriage return": line.removesuffix("\n") + "\r\n",
        "another version": changed(line, "kdf-1", "kdf-2"),
        "another function": changed(line, "argon2id", "argon2i"),
        "another salt": changed(line, words[5], b64encode(bytes(16)).decode()),
        "another check value": changed(line, words[6], b64encode(bytes(16)).decode()),
        "another checksum": line[:-9] + "00000000\n",
        "less memory": changed(line, "m=65536", "m=65535"),
        "a second spelling of a number": changed(line, "t=3", "t=03"),
        "a short salt": sealed(changed(line, words[5], b64encode(bytes(8)).decode())),
        "a second spelling of the salt": sealed(changed(line, words[5], words[5][:-3] + "/==")),
        "not ASCII": line.encode() + b"\xff",
        "very long": line + " " * 100_000,
    }
    for what, text in altered.items():
        written(tmp_path, text)
        with pytest.raises(VaultClosed, match="cut or altered") as caught:
            read_derivation(tmp_path / "root.kdf")
        assert "copy" in caught.value.hint, what


@pytest.mark.parametrize(
    ("name", "old", "bounds"),
    [("m", "m=65536", MEMORY_KIB), ("t", "t=3", PASSES), ("p", "p=2", LANES)],
)
def test_cost_has_bounds(
    tmp_path: Path, line: str, name: str, old: str, bounds: tuple[int, int]
) -> None:
    """An altered file with the right checksum neither takes all memory nor makes guessing cheap."""
    for value in bounds:
        written(tmp_path, sealed(changed(line, old, f"{name}={value}")))
        assert isinstance(read_derivation(tmp_path / "root.kdf"), Derivation)
    for value in (bounds[0] - 1, bounds[1] + 1):
        if value == 0:
            continue
        written(tmp_path, sealed(changed(line, old, f"{name}={value}")))
        with pytest.raises(VaultClosed, match=f"{name}={value}, and {bounds[0]} to {bounds[1]}"):
            read_derivation(tmp_path / "root.kdf")


def test_new_key_has_the_same_bounds(tmp_path: Path) -> None:
    """No vault is made that would not open again."""
    with pytest.raises(VaultClosed, match="m=1024"):
        create_derivation(tmp_path / "root.kdf", PASSPHRASE, Cost(1024, 3, 4))
    assert not (tmp_path / "root.kdf").exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_file_open_to_others_is_refused(tmp_path: Path, line: str, mode: int) -> None:
    """Who could write it could take the vault away, and who reads it can guess."""
    with pytest.raises(VaultClosed, match=f"mode {mode:04o}"):
        read_derivation(written(tmp_path, line, mode))
