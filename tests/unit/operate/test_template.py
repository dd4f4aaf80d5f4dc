"""The configuration that `init` writes shows every key, and means the defaults."""

import tomllib
from base64 import b64encode
from pathlib import Path

from bailee.config import DecoyEntry, EgressEntry, load
from bailee.config_keys import KEYS
from bailee.operate.template import config_text

AUTHORITY = "ed25519/" + b64encode(bytes(32)).decode()
ENTRIES = (EgressEntry("a", "127.0.0.2", "203.0.113.7"),)


def test_every_key_is_shown() -> None:
    """Each section stands there once, each key with its meaning above it."""
    lines = config_text(AUTHORITY, ENTRIES).splitlines()
    for key in KEYS:
        shown = [
            number
            for number, line in enumerate(lines)
            if line.removeprefix("# ").startswith(f"{key.name} = ")
            and lines[number - 1] == f"# {key.meaning}"
        ]
        assert len(shown) == 1, key.title
        assert lines.count(f"[{key.section}]") == 1


def test_it_means_the_defaults(tmp_path: Path) -> None:
    """What it says is what would hold without it."""
    (tmp_path / "written").mkdir()
    written = tmp_path / "written" / "bailee.toml"
    written.write_text(config_text(AUTHORITY, ENTRIES))
    bare = tmp_path / "written" / "bare.toml"
    bare.write_text(f'[vault]\nauthority = "{AUTHORITY}"\n')
    said, default = load(written, {}), load(bare, {})
    for section in ("vault", "store", "journal", "gateway", "public", "admin", "keeper", "users"):
        assert getattr(said, section) == getattr(default, section)
    assert said.egress == ENTRIES


def test_root_key_is_where_init_put_it(tmp_path: Path) -> None:
    """A vault with a passphrase says so; where the passphrase is, is left open."""
    path = tmp_path / "bailee.toml"
    path.write_text(config_text(AUTHORITY, ENTRIES, "passphrase:root.kdf"))
    assert load(path, {}).vault.root_key == "passphrase:root.kdf"
    assert load(path, {}).vault.passphrase_file is None


def test_what_is_commented_out_is_right(tmp_path: Path) -> None:
    """With every comment mark before a key taken away it is still a configuration."""
    text = config_text(AUTHORITY, ())
    names = tuple(f"# {key.name} = " for key in KEYS)
    opened = "\n".join(
        line.removeprefix("# ") if line.startswith((*names, "# [[", "# bind", "# name")) else line
        for line in text.splitlines()
    )
    path = tmp_path / "bailee.toml"
    path.write_text(opened)
    settings = load(path, {})
    assert settings.egress == (EgressEntry("a", "203.0.113.7", "203.0.113.7"),)
    assert settings.decoy == (DecoyEntry("d", "198.51.100.9", "198.51.100.9"),)
    assert set(tomllib.loads(opened)) == {key.section for key in KEYS} | {"egress", "decoy"}
