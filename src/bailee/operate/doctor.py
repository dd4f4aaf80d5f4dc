"""Looking at a vault from the outside: files, keys, database, addresses, ports. No network."""

import os
import ssl
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from bailee.config import Settings
from bailee.errors import BaileeError
from bailee.manage import egress as addresses
from bailee.manage import pins as pin_sets
from bailee.manage import providers, tenants
from bailee.manage.forms import PAGE_LIMIT
from bailee.manage.providers import ProviderStanding, ProviderState
from bailee.model import EgressState
from bailee.operate.check import Check, fail, ok, warn
from bailee.operate.decoys import look_at_decoys
from bailee.operate.egress_checks import WRITER, look_at_bindings, look_at_published
from bailee.operate.parser_check import look_at_parser
from bailee.operate.running import is_free, servers
from bailee.operate.setup import OPERATOR_TOKEN
from bailee.operate.tls_check import look_at_tls
from bailee.store.engine import Store
from bailee.vault.authority import AuthorityVerifier
from bailee.vault.backends import open_root_key
from bailee.vault.backends.passphrase import PassphraseSource
from bailee.vault.keyring import Keyring

OLDEST_CLOCK = 1_767_225_600.0
"""2026-01-01: this version did not exist before."""
NEWEST_CLOCK = 4_102_444_800.0
"""2100-01-01."""


def examine(settings: Settings) -> Iterator[Check]:
    """Look at a vault whose configuration was read, one check after the other."""
    yield ok("config", f"{settings.path} is valid")
    yield from _look_at_modes(settings)
    yield from _look_at_database(settings)
    yield _look_at_journal(settings)
    yield from look_at_bindings(settings)
    yield from _look_at_ports(settings)
    yield from look_at_tls(settings.gateway.tls, time.time())
    yield _look_at_users(settings)
    yield _look_at_clock(time.time(), settings.store.path)
    yield _look_at_roots()
    yield look_at_parser()
    yield from _look_at_dangers(settings)


def _look_at_modes(settings: Settings) -> Iterator[Check]:
    allowed = 0o770 if settings.users.apart else 0o700
    yield _mode("directory", settings.base, 0o750 if settings.users.apart else 0o755)
    yield _mode("config", settings.path, 0o644)
    yield _mode("journal", settings.journal.directory, 0o770 if settings.users.apart else 0o750)
    yield _mode("database", settings.store.path, allowed & 0o666)
    token = settings.base / OPERATOR_TOKEN
    if token.exists():
        yield _mode("operator token", token, 0o600)


def _mode(about: str, path: Path, allowed: int) -> Check:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as error:
        return fail(about, f"{path}: {(error.strerror or '?').lower()}", "put it back")
    surplus = mode & ~allowed & 0o777
    if surplus:
        return fail(about, f"{path} has mode {mode:04o}", f"chmod {mode & allowed:04o} {path}")
    return ok(about, f"{path} has mode {mode:04o}")


def _look_at_database(settings: Settings) -> Iterator[Check]:
    try:
        store = Store.open(settings.store.url)
    except BaileeError as error:
        yield fail("schema", error.detail, error.hint or "look at the database's file")
        yield _look_at_root_key(settings, None)
        return
    try:
        yield ok("schema", "the database answers, and its schema is this version's")
        yield _look_at_root_key(settings, store)
        yield from _look_at_published(settings, store)
        yield from _look_at_records(settings, store)
    finally:
        store.close()


def _look_at_root_key(settings: Settings, store: Store | None) -> Check:
    try:
        source = PassphraseSource(os.environ, settings.vault.passphrase_file)
        keyring = Keyring(open_root_key(settings.vault.root_key, settings.base, source))
        if store is None:
            return warn("root key", "readable, not tried", "mend the database first")
        row = tenants.show_authority(store)
        keyring.authority(row.wrapped_private, settings.vault.authority)
    except BaileeError as error:
        return fail("root key", error.detail, error.hint or "calls answer 503 vault-closed")
    file = settings.vault.passphrase_file
    if file is not None and file.is_relative_to(settings.base):
        return warn(
            "root key",
            "it unwraps the authority, and its passphrase lies in the vault's own directory",
            "whoever copies the directory has both: keep the passphrase somewhere else",
        )
    return ok("root key", "it unwraps the authority that the config names")


def _look_at_published(settings: Settings, store: Store) -> Iterator[Check]:
    verifier = AuthorityVerifier(settings.vault.authority)
    standings = addresses.list_all(store, verifier)
    active = [each for each in standings if each.address.state is EgressState.ACTIVE]
    public = [each.address.public for each in active if not each.broken]
    yield from look_at_decoys(settings, public)
    yield from look_at_published(settings, standings)


def _look_at_records(settings: Settings, store: Store) -> Iterator[Check]:
    """What the authority did not sign, and dangers that stand in records rather than the config."""
    verifier = AuthorityVerifier(settings.vault.authority)
    after: str | None = None
    while page := providers.page(store, verifier, after=after, limit=PAGE_LIMIT):
        for standing in page:
            yield from _look_at_provider(standing)
        after = page[-1].id
    for pins in pin_sets.list_all(store, verifier):
        about = f"pins {pins.provider}"
        if pins.pins is None:
            yield fail(about, f"origin {pins.origin}: not what the authority signed", WRITER)
        elif pins.pins.danger_no_backup:
            yield warn(
                about,
                f"origin {pins.origin} has no backup pin: a new key of the provider stops calls",
                f"bailee pin learn {pins.provider} --approve sha256/... --backup sha256/...",
            )


def _look_at_provider(standing: ProviderStanding) -> Iterator[Check]:
    about = f"provider {standing.id}"
    if standing.state is ProviderState.BROKEN:
        yield fail(about, "its record is not what the authority signed", WRITER)
    elif standing.state is not ProviderState.APPROVED:
        yield warn(
            about, f"{standing.state}: a proposal waits", f"bailee provider approve {standing.id}"
        )
    for origin in standing.approved.origins if standing.approved is not None else ():
        if origin.danger_private_addresses:
            yield warn(
                about,
                f"origin {origin.name} may be on a private address (danger_private_addresses)",
                "leave it so only for an API on your own network",
            )


def _look_at_journal(settings: Settings) -> Check:
    directory = settings.journal.directory
    trial = directory / f".doctor-{os.getpid()}"
    try:
        descriptor = os.open(trial, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        os.close(descriptor)
    except OSError as error:
        reason = (error.strerror or "?").lower()
        return fail(
            "journal", f"{directory} can't be written: {reason}", "no call is made without it"
        )
    finally:
        with suppress(OSError):
            trial.unlink()
    free = os.statvfs(directory)
    megabytes = free.f_bavail * free.f_frsize // 2**20
    if megabytes < 256:
        return warn("journal", f"{megabytes} MiB are free for it", "make room: no journal, no call")
    return ok("journal", f"{directory} can be written")


def _look_at_ports(settings: Settings) -> Iterator[Check]:
    ours = servers(settings.base)
    doors = {
        "gateway": settings.gateway.listen,
        "public": settings.public.listen,
        "admin": settings.admin.listen,
    }
    for role, listen in doors.items():
        host, port = listen
        if is_free(listen):
            yield ok(f"{role} port", f"{port} of {host} is free")
        elif ours:
            pids = ", ".join(map(str, ours))
            yield ok(f"{role} port", f"{port} of {host} is in use, and process {pids} serves")
        else:
            yield fail(
                f"{role} port",
                f"{port} of {host} is in use by somebody else, or not this machine's",
                f"move it: {role}.listen in the config",
            )


def _look_at_users(settings: Settings) -> Check:
    if not settings.users.apart:
        return warn(
            "users",
            "the roles share a user: they are apart against mistakes, not against code execution",
            "set [users] and start as root, or by systemd",
        )
    if os.geteuid() != 0 and not servers(settings.base):
        return warn("users", "[users] is set", "start as root: only root can set users")
    return ok("users", f"admin runs as {settings.users.admin}, public as {settings.users.public}")


def _look_at_clock(now: float, database: Path) -> Check:
    if not OLDEST_CLOCK < now < NEWEST_CLOCK:
        return fail("clock", "it is years away from the truth", "set it; tokens expire by it")
    with suppress(OSError):
        ahead = database.stat().st_mtime - now
        if ahead > 60:
            return fail(
                "clock",
                f"the database was written {ahead:.0f} seconds from now",
                "the clock went back: set it",
            )
    return ok("clock", "plausible")


def _look_at_roots() -> Check:
    roots = ssl.create_default_context().cert_store_stats()["x509_ca"]
    paths = ssl.get_default_verify_paths()
    if not roots and not (paths.capath and any(Path(paths.capath).iterdir())):
        return warn(
            "system roots",
            "there are none: only providers with a ca_file can be called",
            "install them: apt install ca-certificates",
        )
    return ok("system roots", f"{roots} certificates" if roots else f"in {paths.capath}")


def _look_at_dangers(settings: Settings) -> Iterator[Check]:
    for danger in settings.dangers:
        yield warn("danger", f"{danger} is on", "it weakens a promise: switch it off if you can")
    if not settings.dangers:
        yield ok("danger", "no switch of the config that weakens a promise is on")
