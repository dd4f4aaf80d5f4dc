"""`init` makes all of a vault or nothing."""

import stat
from pathlib import Path

import pytest

from bailee.config import load
from bailee.errors import BadInput, BaileeError, Conflict, StartRefused
from bailee.manage import egress, tenants, tokens
from bailee.model import DEFAULT_TENANT, EgressState
from bailee.operate import setup
from bailee.operate.setup import create_vault, parse_egress
from bailee.secret import Secret
from bailee.store.engine import Store
from bailee.vault.authority import AuthorityVerifier
from bailee.vault.backends import open_root_key
from bailee.vault.backends.derived import Cost
from bailee.vault.backends.file import create_root_key
from bailee.vault.backends.passphrase import PassphraseSource
from bailee.vault.keyring import Keyring
from bailee.vault.statements import verified_tenant_key

LEAST = Cost(64 * 1024, 3, 2)


def test_vault_holds_together(tmp_path: Path) -> None:
    """The root key unwraps the config's authority, which signed the tenant's key and the egress."""
    made = create_vault(tmp_path / "d", parse_egress(["127.0.0.2", "::1"], []))
    settings = load(made.config, {})
    verifier = AuthorityVerifier(settings.vault.authority)
    store = Store.open(settings.store.url)
    try:
        row = tenants.show_authority(store)
        keyring = Keyring(open_root_key(settings.vault.root_key, settings.base))
        authority = keyring.authority(row.wrapped_private, made.authority)
        assert authority.public == settings.vault.authority
        key = verified_tenant_key(verifier, tenants.current_key(store, DEFAULT_TENANT))
        assert key.tenant == DEFAULT_TENANT
        standings = egress.list_all(store, verifier)
        assert [
            (each.address.name, each.address.public, each.address.state, each.broken)
            for each in standings
        ] == [
            ("a", "127.0.0.2", EgressState.ACTIVE, False),
            ("b", "::1", EgressState.ACTIVE, False),
        ]
        token = made.operator_token.read_text().strip()
        assert tokens.authenticate(store, token, row_time(store)).tenant == DEFAULT_TENANT
    finally:
        store.close()


def row_time(store: Store) -> float:
    """A moment at which the operator's token is good."""
    return tokens.page(store, DEFAULT_TENANT)[0].created_at + 1.0


def test_files_belong_to_one_user(tmp_path: Path) -> None:
    """Nothing of a new vault can be read by others."""
    directory = create_vault(tmp_path / "d", ()).directory
    modes = {
        str(path.relative_to(directory)): stat.S_IMODE(path.stat().st_mode)
        for path in (directory, *directory.rglob("*"))
    }
    assert modes == {
        ".": 0o700,
        "root.key": 0o600,
        "bailee.toml": 0o600,
        "bailee.db": 0o600,
        "operator.token": 0o600,
        "journal": 0o700,
    }


def test_vault_with_a_passphrase(tmp_path: Path) -> None:
    """The passphrase opens it, the config says how, and no key lies in a file."""
    made = create_vault(tmp_path / "d", (), Secret(b"correct horse battery"), LEAST)
    settings = load(made.config, {})
    assert settings.vault.root_key == "passphrase:root.kdf"
    assert made.root_key == tmp_path / "d" / "root.kdf"
    assert stat.S_IMODE(made.root_key.stat().st_mode) == 0o600
    assert not (tmp_path / "d" / "root.key").exists()
    passphrase = tmp_path / "passphrase"
    passphrase.write_bytes(b"correct horse battery\n")
    passphrase.chmod(0o600)
    source = PassphraseSource({}, passphrase)
    root = open_root_key(settings.vault.root_key, settings.base, source)
    store = Store.open(settings.store.url)
    try:
        wrapped = tenants.show_authority(store).wrapped_private
    finally:
        store.close()
    assert Keyring(root).authority(wrapped, made.authority).public == made.authority


def test_two_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever finds another's key beside its own goes, and leaves the other's vault alone."""
    made = create_root_key

    def late(path: Path) -> Secret:
        (path.parent / "root.kdf").write_text("another's")
        return made(path)

    monkeypatch.setattr(setup, "create_root_key", late)
    with pytest.raises(Conflict, match="not empty"):
        create_vault(tmp_path / "d", ())
    assert [path.name for path in (tmp_path / "d").iterdir()] == ["root.kdf"]


def test_empty_directory_is_taken(tmp_path: Path) -> None:
    """A directory that is there and empty is used as it is."""
    assert create_vault(tmp_path, ()).directory == tmp_path


@pytest.mark.parametrize("name", ["bailee.toml", "notes.txt"])
def test_directory_with_something_in_it(tmp_path: Path, name: str) -> None:
    """What is there is left as it is, and nothing is added."""
    (tmp_path / name).write_text("mine")
    with pytest.raises(Conflict):
        create_vault(tmp_path, ())
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "mine"


def test_file_in_the_place_of_the_directory(tmp_path: Path) -> None:
    """A file is not a directory."""
    (tmp_path / "d").write_text("mine")
    with pytest.raises(Conflict, match="not a directory"):
        create_vault(tmp_path / "d", ())


def test_parent_that_is_absent(tmp_path: Path) -> None:
    """Parents are not made: a mistyped path is told."""
    with pytest.raises(StartRefused, match="no such file"):
        create_vault(tmp_path / "absent" / "d", ())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("existed", [True, False])
@pytest.mark.parametrize("step", ["config_text", "migrate", "sign_tenant_key", "load"])
def test_failure_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, existed: bool
) -> None:
    """Whichever step fails, nothing of the vault is left, and a directory that was there stays."""

    def fail(*given: object) -> None:
        raise OSError(28, "No space left on device")

    directory = tmp_path / "d"
    if existed:
        directory.mkdir()
    monkeypatch.setattr(setup, step, fail)
    with pytest.raises(StartRefused, match="no space left"):
        create_vault(directory, parse_egress(["127.0.0.2"], []))
    assert list(tmp_path.rglob("*")) == ([directory] if existed else [])


GOOD = {
    "one address": (["127.0.0.2"], [], [("a", "127.0.0.2", "127.0.0.2")]),
    "behind a NAT": (["10.0.0.5"], ["203.0.113.7"], [("a", "10.0.0.5", "203.0.113.7")]),
    "two families": (
        ["127.0.0.2", "::1"],
        [],
        [("a", "127.0.0.2", "127.0.0.2"), ("b", "::1", "::1")],
    ),
    "none": ([], [], []),
}


@pytest.mark.parametrize(("binds", "publics", "expected"), GOOD.values(), ids=GOOD)
def test_egress_addresses_are_named(
    binds: list[str], publics: list[str], expected: list[tuple[str, str, str]]
) -> None:
    """They are called a, b, c in their order."""
    read = parse_egress(binds, publics)
    assert [(entry.name, entry.bind, entry.public) for entry in read] == expected


BAD = {
    "no address": (["127.0.0.300"], []),
    "a name": (["localhost"], []),
    "unspecified": (["0.0.0.0"], []),
    "twice": (["127.0.0.2", "127.0.0.2"], []),
    "public twice": (["127.0.0.2", "127.0.0.3"], ["203.0.113.7", "203.0.113.7"]),
    "fewer public ones": (["127.0.0.2", "127.0.0.3"], ["203.0.113.7"]),
    "public ones alone": ([], ["203.0.113.7"]),
    "another family": (["127.0.0.2"], ["2001:db8::1"]),
    "more than letters": ([f"10.0.0.{last}" for last in range(1, 28)], []),
}


@pytest.mark.parametrize(("binds", "publics"), BAD.values(), ids=BAD)
def test_egress_addresses_that_are_refused(binds: list[str], publics: list[str]) -> None:
    """Bad addresses are refused before anything is made."""
    with pytest.raises(BadInput):
        parse_egress(binds, publics)


def test_errors_never_hold_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure after the root key was drawn does not tell it."""
    seen = {}

    def fail(*given: object) -> None:
        seen["key"] = (tmp_path / "d" / "root.key").read_text().split()[1]
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(setup, "migrate", fail)
    with pytest.raises(BaileeError) as caught:
        create_vault(tmp_path / "d", ())
    assert seen["key"] not in f"{caught.value.detail} {caught.value.hint}"
