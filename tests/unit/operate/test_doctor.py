"""Each check of the doctor is seen to pass on a good vault, and to fail on a bad one."""

import os
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bailee.config import EgressEntry, Settings, UsersSettings, load
from bailee.manage import pins as pin_sets
from bailee.manage import providers, tenants
from bailee.model import Pin, PinSet, Provider
from bailee.operate.check import Check, Level
from bailee.operate.doctor import examine
from bailee.operate.setup import create_vault, parse_egress
from bailee.providers.load import parse_provider
from bailee.secret import Secret
from bailee.store.engine import Store
from bailee.vault.authority import AuthorityVerifier
from bailee.vault.backends import open_root_key
from bailee.vault.backends.derived import Cost
from bailee.vault.backends.file import create_root_key
from bailee.vault.keyring import Keyring
from bailee.vault.statements import sign_pin_set, sign_provider

Break = Callable[[Settings], Settings]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A new vault with one egress address and one provider, whose pins have a backup."""
    settings = load(create_vault(tmp_path / "d", parse_egress(["127.0.0.2"], [])).config, {})
    approve(settings, make_provider("https://api.test", ""), pins=2)
    return settings


def make_provider(url: str, more: str) -> Provider:
    """A provider `api`."""
    return parse_provider(
        f'id = "api"\n[origin.rest]\nurl = "{url}"\n{more}\n[auth]\nscheme = "place"\n'
        'header = "Authorization"\nvalue = "Bearer {api_key}"\n',
        lambda path: path,
    )


def approve(settings: Settings, provider: Provider, pins: int) -> None:
    """Approve a provider and so many pins of it."""
    store = Store.open(settings.store.url)
    try:
        verifier = AuthorityVerifier(settings.vault.authority)
        wrapped = tenants.show_authority(store).wrapped_private
        keyring = Keyring(open_root_key(settings.vault.root_key, settings.base))
        authority = keyring.authority(wrapped, verifier.public)
        serial = providers.next_serial(store, provider.id)
        providers.approve(store, verifier, sign_provider(authority, provider, serial), 1.0)
        serial = pin_sets.next_serial(store, provider.id, "rest")
        values = tuple(Pin(bytes([number]) * 32) for number in range(pins))
        pin_set = PinSet(provider.id, "rest", serial, values, pins < 2)
        pin_sets.approve(store, verifier, sign_pin_set(authority, pin_set), 1.0)
    finally:
        store.close()


def found(settings: Settings) -> list[Check]:
    """All but what is the machine's: its ports, its system roots."""
    machine = ("gateway port", "public port", "admin port", "system roots")
    return [check for check in examine(settings) if check.about not in machine]


def test_new_vault_is_in_order(settings: Settings) -> None:
    """Nothing fails; that the roles share a user is said."""
    worrying = [check for check in found(settings) if check.level is not Level.OK]
    assert [(check.level, check.about) for check in worrying] == [(Level.WARN, "users")]


def chmod(name: str, mode: int) -> Break:
    """Open a file to others."""

    def change(settings: Settings) -> Settings:
        (settings.base / name).chmod(mode)
        return settings

    return change


def remove(name: str) -> Break:
    """Take a file away."""

    def change(settings: Settings) -> Settings:
        (settings.base / name).unlink()
        return settings

    return change


def other_root_key(settings: Settings) -> Settings:
    """Put the root key of another vault in place."""
    (settings.base / "root.key").unlink()
    create_root_key(settings.base / "root.key")
    return settings


def run_sql(statement: str) -> Break:
    """Write to the database past everybody."""

    def change(settings: Settings) -> Settings:
        with sqlite3.connect(settings.store.path) as connection:
            connection.execute(statement)
        connection.close()
        return settings

    return change


def no_journal(settings: Settings) -> Settings:
    """Take the journal's directory away."""
    settings.journal.directory.rmdir()
    return settings


def time_travel(settings: Settings) -> Settings:
    """Let the database come from tomorrow."""
    ahead = settings.store.path.stat().st_mtime + 86_400
    os.utime(settings.store.path, (ahead, ahead))
    return settings


def egress(entry: EgressEntry | None) -> Break:
    """Change the config's only egress address."""
    return lambda settings: replace(settings, egress=() if entry is None else (entry,))


BROKEN: dict[str, tuple[Break, Level, str]] = {
    "the directory is writable by others": (chmod(".", 0o777), Level.FAIL, "directory"),
    "the config is writable by others": (chmod("bailee.toml", 0o666), Level.FAIL, "config"),
    "the journal is readable by others": (chmod("journal", 0o755), Level.FAIL, "journal"),
    "the database is readable by others": (chmod("bailee.db", 0o644), Level.FAIL, "database"),
    "the token is readable by others": (
        chmod("operator.token", 0o640), Level.FAIL, "operator token",
    ),
    "the root key is readable by others": (chmod("root.key", 0o640), Level.FAIL, "root key"),
    "the root key is gone": (remove("root.key"), Level.FAIL, "root key"),
    "the root key is another vault's": (other_root_key, Level.FAIL, "root key"),
    "the database is gone": (remove("bailee.db"), Level.FAIL, "schema"),
    "the schema is older": (
        run_sql("UPDATE alembic_version SET version_num = '0000'"), Level.FAIL, "schema",
    ),
    "the journal's directory is gone": (no_journal, Level.FAIL, "journal"),
    "the egress address was altered": (
        run_sql("UPDATE egress_addresses SET serial = 7"), Level.FAIL, "egress a",
    ),
    "the provider was altered": (
        run_sql("UPDATE providers SET serial = 7"), Level.FAIL, "provider api",
    ),
    "the pins were altered": (run_sql("UPDATE pin_sets SET serial = 7"), Level.FAIL, "pins api"),
    "a proposal waits": (
        run_sql("INSERT INTO provider_proposals VALUES ('other', x'7b7d', 1.0)"),
        Level.WARN, "provider other",
    ),
    "the egress address is not here": (
        egress(EgressEntry("a", "192.0.2.1", "127.0.0.2")), Level.FAIL, "egress a",
    ),
    "the public address is another": (
        egress(EgressEntry("a", "127.0.0.2", "127.0.0.9")), Level.FAIL, "egress a",
    ),
    "the egress address is not published": (
        egress(EgressEntry("z", "127.0.0.2", "127.0.0.2")), Level.WARN, "egress z",
    ),
    "there is no egress address": (egress(None), Level.WARN, "egress"),
    "the clock went back": (time_travel, Level.FAIL, "clock"),
    "a danger is switched on": (
        lambda s: replace(s, gateway=replace(s.gateway, danger_plain_calls=True)),
        Level.WARN, "danger",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("change", "level", "about"), BROKEN.values(), ids=BROKEN)
def test_what_is_broken_is_told(
    settings: Settings, change: Break, level: Level, about: str
) -> None:
    """The fault is named at its level, and what to do stands beside it."""
    told = [check for check in found(change(settings)) if check.level is level]
    assert about in [check.about for check in told]
    assert all(check.advice for check in told)


PASSPHRASES = {
    "elsewhere": ("../passphrase", b"correct horse battery", Level.OK),
    "beside the vault": ("passphrase", b"correct horse battery", Level.WARN),
    "wrong": ("../passphrase", b"incorrect horse battery", Level.FAIL),
}


@pytest.mark.parametrize(("place", "text", "level"), PASSPHRASES.values(), ids=PASSPHRASES)
def test_passphrase(tmp_path: Path, place: str, text: bytes, level: Level) -> None:
    """It is tried; that it lies beside what it protects is a warning."""
    passphrase = Secret(b"correct horse battery")
    made = create_vault(tmp_path / "d", (), passphrase, Cost(64 * 1024, 3, 2))
    settings = load(made.config, {"BAILEE_VAULT__PASSPHRASE_FILE": place})
    (settings.base / place).write_bytes(text)
    (settings.base / place).chmod(0o600)
    (check,) = [check for check in examine(settings) if check.about == "root key"]
    assert check.level is level


def test_dangers_of_records_are_told(settings: Settings) -> None:
    """A private address that a provider may have, and a missing backup pin, are warnings."""
    danger = 'address = "127.0.0.1"\ndanger_private_addresses = true'
    approve(settings, make_provider("https://api.test", danger), pins=1)
    told = [check.about for check in found(settings) if check.level is Level.WARN]
    assert told == ["provider api", "pins api", "users"]


def test_users_of_their_own(settings: Settings) -> None:
    """With users set, a group may use the database and the journal."""
    apart = replace(settings, users=UsersSettings("bailee-admin", "bailee-public", "bailee"))
    settings.base.chmod(0o750)
    settings.store.path.chmod(0o660)
    settings.journal.directory.chmod(0o770)
    assert [check for check in found(apart) if check.level is Level.FAIL] == []


def test_looking_changes_nothing(settings: Settings) -> None:
    """The doctor leaves no file behind."""
    before = sorted(settings.base.rglob("*"))
    list(examine(settings))
    after = sorted(path for path in settings.base.rglob("*") if path.suffix != ".db-shm")
    assert [path for path in after if not path.name.startswith("bailee.db-")] == before
