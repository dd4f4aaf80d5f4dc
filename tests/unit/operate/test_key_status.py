"""`key status` tells where keys are and what they open, and nothing secret."""

import os
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from bailee.config import Settings, load
from bailee.manage import tenants
from bailee.model import TenantId
from bailee.operate.key_status import KeyStatus, key_status
from bailee.operate.setup import create_vault, parse_egress
from bailee.store.engine import Store
from bailee.store.keys import count_sealed
from bailee.vault.authority import AuthorityVerifier
from bailee.vault.backends import open_root_key
from bailee.vault.backends.file import create_root_key
from bailee.vault.backends.passphrase import PassphraseSource
from bailee.vault.keyring import Keyring
from bailee.vault.statements import sign_tenant_key

NOBODY = PassphraseSource({}, None, prompt=False)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A new vault with two tenants; three versions are sealed to the key of the second."""
    settings = load(create_vault(tmp_path / "d", parse_egress(["127.0.0.2"], [])).config, {})
    store = Store.open(settings.store.url)
    try:
        keyring = Keyring(open_root_key("file:root.key", settings.base))
        wrapped = tenants.show_authority(store).wrapped_private
        authority = keyring.authority(wrapped, settings.vault.authority)
        key, private = keyring.new_tenant_key(TenantId("shop"))
        signed = sign_tenant_key(authority, key)
        verifier = AuthorityVerifier(authority.public)
        tenants.add(store, verifier, TenantId("shop"), "Shop", signed, private, time.time())
        seal_three(store, key.id)
    finally:
        store.close()
    return settings


def seal_three(store: Store, key: str) -> None:
    """Store three versions of connections of the tenant."""
    now = time.time()
    with store.write() as conn:
        conn.exec_driver_sql("INSERT INTO subjects VALUES ('shop', 'u1', zeroblob(32))")
        for name in ("a" * 26, "b" * 26):
            conn.exec_driver_sql(
                "INSERT INTO connections (id, tenant_id, provider_id, subject, state, version, "
                "egress_id, created_at) SELECT ?, 'shop', 'api', 'u1', 'active', 1, id, ? "
                "FROM egress_addresses",
                (name, now),
            )
        for name, version in (("a" * 26, 1), ("a" * 26, 2), ("b" * 26, 1)):
            conn.exec_driver_sql(
                "INSERT INTO sealed_versions VALUES (?, ?, ?, zeroblob(32), x'00', ?)",
                (name, version, key, now),
            )


def told(status: KeyStatus) -> list[tuple[str, bool, int, bool | None]]:
    return [(key.tenant, key.current, key.sealed_versions, key.opens) for key in status.keys]


def test_open_vault(settings: Settings) -> None:
    """Every tenant's key, how much is sealed to it, and that the root key unwraps it."""
    status = key_status(settings, NOBODY)
    assert status.root_key == f"file:{settings.base}/root.key"
    assert status.authority == settings.vault.authority
    assert (status.closed, status.reason, status.hint) == (False, "", "")
    assert told(status) == [("default", True, 0, True), ("shop", True, 3, True)]
    assert all(0 < time.time() - key.created_at < 600 for key in status.keys)


def test_closed_vault(settings: Settings) -> None:
    """What stands in the database is told all the same, and why the vault is closed."""
    os.rename(settings.base / "root.key", settings.base / "away")
    status = key_status(settings, NOBODY)
    assert status.closed
    assert "missing" in status.reason
    assert status.hint
    assert told(status) == [("default", True, 0, None), ("shop", True, 3, None)]


def test_root_key_of_another_vault(settings: Settings) -> None:
    """A key that is one, and not this vault's, closes it too."""
    (settings.base / "root.key").unlink()
    create_root_key(settings.base / "root.key")
    status = key_status(settings, NOBODY)
    assert status.closed
    assert "unwrap" in status.reason


def test_authority_of_another_vault(settings: Settings) -> None:
    """So does a config that names another authority."""
    other = "ed25519/" + "A" * 43 + "="
    vault = replace(settings.vault, authority=other)
    assert key_status(replace(settings, vault=vault), NOBODY).closed


@pytest.mark.parametrize("column", ["wrapped_private", "signature"])
def test_tenant_key_that_was_altered(settings: Settings, column: str) -> None:
    """One tenant's key that does not open says so; the vault and the other's stay open."""
    store = Store.open(settings.store.url)
    try:
        with store.write() as conn:
            conn.exec_driver_sql(
                f"UPDATE tenant_keys SET {column} = zeroblob(64) WHERE tenant_id = 'shop'"
            )
    finally:
        store.close()
    status = key_status(settings, NOBODY)
    assert not status.closed
    assert told(status) == [("default", True, 0, True), ("shop", True, 3, False)]


def test_nothing_secret_is_told(settings: Settings) -> None:
    """Neither the root key nor a wrapped key, in whatever form."""
    text = (settings.base / "root.key").read_text().split()[1]
    shown = repr(asdict(key_status(settings, NOBODY)))
    assert text not in shown
    assert "wrapped" not in shown


def test_keys_without_versions_are_absent(settings: Settings) -> None:
    """`count_sealed` lists what is used."""
    store = Store.open(settings.store.url)
    try:
        with store.read() as conn:
            counted = count_sealed(conn)
    finally:
        store.close()
    assert list(counted.values()) == [3]
