"""`bailee init`: everything that a vault needs, or nothing at all."""

import os
import shutil
import string
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bailee.config import EgressEntry, load
from bailee.config_keys import host_ip
from bailee.errors import BadInput, Conflict, StartRefused
from bailee.manage import egress, tenants, tokens
from bailee.manage.ids import new_id
from bailee.model import DEFAULT_TENANT, EgressAddress, EgressId, EgressState
from bailee.operate.template import config_text
from bailee.secret import Secret
from bailee.store.engine import Store, migrate
from bailee.vault.authority import Authority, AuthorityVerifier
from bailee.vault.backends.derived import Cost, create_derivation
from bailee.vault.backends.file import create_root_key
from bailee.vault.keyring import Keyring
from bailee.vault.statements import sign_egress_address, sign_tenant_key

CONFIG = "bailee.toml"
ROOT_KEY = "root.key"
DERIVATION = "root.kdf"
DATABASE = "bailee.db"
JOURNAL = "journal"
OPERATOR_TOKEN = "operator.token"
EGRESS_LIMIT = len(string.ascii_lowercase)


@dataclass(frozen=True, slots=True)
class Made:
    """A new vault. All paths are absolute."""

    directory: Path
    config: Path
    authority: str
    """The public half."""
    operator_token: Path
    egress: tuple[EgressEntry, ...]
    root_key: Path
    """The root key, or how it is derived from a passphrase."""


def parse_egress(binds: Sequence[str], publics: Sequence[str]) -> tuple[EgressEntry, ...]:
    """Read the addresses of a new vault; they are named a, b, c in their order.

    Args:
        binds: Addresses of this machine.
        publics: What the outside sees of each, in the same order; empty when it is the same.

    Raises:
        BadInput: One is no address of a host, one comes twice, or the numbers differ.
    """
    if publics and len(publics) != len(binds):
        raise BadInput(
            f"there are {len(binds)} egress addresses and {len(publics)} public ones",
            "give --public once for each --egress, or not at all",
        )
    if len(binds) > EGRESS_LIMIT:
        raise BadInput(f"a new vault has at most {EGRESS_LIMIT} egress addresses")
    read = [_address(bind, "--egress") for bind in binds]
    seen = [_address(public, "--public") for public in publics] or read
    for one, other in zip(read, seen, strict=True):
        if (":" in one) != (":" in other):
            raise BadInput(f"{one} and {other} are of different families")
    for values in (read, seen):
        if len(set(values)) != len(values):
            raise BadInput("an egress address is given twice")
    return tuple(map(EgressEntry, string.ascii_lowercase, read, seen))


def create_vault(
    directory: Path,
    entries: Sequence[EgressEntry],
    passphrase: Secret | None = None,
    cost: Cost | None = None,
) -> Made:
    """Make a vault in a directory that is empty or absent.

    Args:
        directory: Made with mode 0700 if it is absent; its parent must exist.
        entries: Of `parse_egress`; each is published as this vault's first statements.
        passphrase: What the root key is derived from; without one it is drawn and kept in a file.
        cost: Of a guess at the passphrase.

    Raises:
        Conflict: The directory is not empty.
        StartRefused: Something can't be written. Nothing of the vault is left.
    """
    directory = Path(os.path.abspath(directory))
    with _all_or_nothing(directory):
        file = directory / (ROOT_KEY if passphrase is None else DERIVATION)
        root = _create_root(file, passphrase, cost)
        with _cleared_on_failure(directory):
            keyring = Keyring(root)
            authority, wrapped = keyring.new_authority()
            place = f"{'file' if passphrase is None else 'passphrase'}:{file.name}"
            text = config_text(authority.public, entries, place)
            _write(directory / CONFIG, text.encode("utf-8"))
            (directory / JOURNAL).mkdir(mode=0o700)
            _fill_database(directory, keyring, authority, wrapped, entries)
            settings = load(directory / CONFIG, {})
    token = directory / OPERATOR_TOKEN
    return Made(directory, settings.path, authority.public, token, settings.egress, file)


def _create_root(file: Path, passphrase: Secret | None, cost: Cost | None) -> Secret:
    """Make the root key's file; whoever made one at the same time, of either kind, is noticed."""
    if passphrase is None:
        root = create_root_key(file)
    else:
        root = create_derivation(file, passphrase, cost)
    if any(entry.name != file.name for entry in file.parent.iterdir()):
        file.unlink()
        raise Conflict(f"{file.parent} is not empty", "name a new directory, or empty this one")
    return root


def _address(text: str, option: str) -> str:
    try:
        return host_ip(text)
    except ValueError as error:
        raise BadInput(f"{option} {text} {error}") from None


@contextmanager
def _all_or_nothing(directory: Path) -> Iterator[None]:
    """Make the directory, or see that it is empty; take it away again on a failure."""
    made = False
    try:
        try:
            directory.mkdir(mode=0o700)
            made = True
        except FileExistsError:
            _require_empty(directory)
        yield
    except OSError as error:
        _remove_if(made, directory)
        raise StartRefused(
            f"{error.filename or directory} can't be written: {(error.strerror or '?').lower()}",
            "make a vault in a directory that this user may write to",
        ) from error
    except BaseException:
        _remove_if(made, directory)
        raise


def _require_empty(directory: Path) -> None:
    if not directory.is_dir():
        raise Conflict(f"{directory} is not a directory", "name a new one")
    names = sorted(entry.name for entry in directory.iterdir())
    if CONFIG in names:
        raise Conflict(
            f"there is a vault in {directory} already",
            f"run it with 'bailee serve --config {directory / CONFIG}', or name a new directory",
        )
    if names:
        raise Conflict(f"{directory} is not empty", "name a new directory, or empty this one")


def _remove_if(made: bool, directory: Path) -> None:
    if made:
        with suppress(OSError):
            directory.rmdir()


@contextmanager
def _cleared_on_failure(directory: Path) -> Iterator[None]:
    """Remove what was made.

    The directory was empty but for the root key, which can be made only once: all in it is this
    process's.
    """
    try:
        yield
    except BaseException:
        for entry in directory.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink(missing_ok=True)
        raise


def _fill_database(
    directory: Path,
    keyring: Keyring,
    authority: Authority,
    wrapped: bytes,
    entries: Sequence[EgressEntry],
) -> None:
    url = f"sqlite:///{directory / DATABASE}"
    migrate(url)
    verifier, now = AuthorityVerifier(authority.public), time.time()
    store = Store.open(url)
    try:
        tenants.install_authority(store, authority.public, wrapped)
        key, private = keyring.new_tenant_key(DEFAULT_TENANT)
        signed = sign_tenant_key(authority, key)
        tenants.add(store, verifier, DEFAULT_TENANT, "Default", signed, private, now)
        for entry in entries:
            address = EgressAddress(
                EgressId(new_id("egr")), entry.name, entry.public, EgressState.ACTIVE, 1
            )
            egress.add(store, verifier, sign_egress_address(authority, address), time.time())
        issued = tokens.issue_operator(store, DEFAULT_TENANT, "made by init", now)
        _write(directory / OPERATOR_TOKEN, issued.text.reveal() + b"\n")
    finally:
        store.close()


def _write(path: Path, content: bytes) -> None:
    """Write a new file of mode 0600, flushed to disk."""
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(path, flags, 0o600), "wb") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
