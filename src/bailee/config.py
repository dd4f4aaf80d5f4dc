"""`bailee.toml` and `BAILEE_SECTION__KEY` -> frozen settings.

Every plain key can also be set in the environment, which wins over the file; lists stand in the
file alone. Unknown keys are refused, and all faults are told at once. Relative paths are relative
to the file. The table of keys and the rules of their values stand in `config_keys.py`.
"""

import ipaddress
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bailee.config_keys import DECOY_KEYS, EGRESS_KEYS, KEYS, Key, Listen, Required, format_listen
from bailee.errors import ConfigInvalid
from bailee.lock.neighbours import are_neighbours

_LISTS = ("BAILEE_EGRESS__", "BAILEE_DECOY__")


@dataclass(frozen=True, slots=True)
class VaultSettings:
    """Where the root key is (`file:PATH` or `passphrase:PATH`), and the authority's public half
    (`ed25519/<base64>`). The path of the passphrase's file is absolute."""

    root_key: str
    authority: str
    passphrase_file: Path | None = None


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """The database's absolute SQLAlchemy URL, and for how many seconds old rows may be used."""

    url: str
    stale_seconds: float

    @property
    def path(self) -> Path:
        """The database's file, absolute."""
        return Path(self.url.removeprefix("sqlite:///"))


@dataclass(frozen=True, slots=True)
class JournalSettings:
    """Where the journal is written (absolute), what a written line survives, and for how many
    days a chain that has ended is kept (0: for ever)."""

    directory: Path
    sync: Literal["batched", "always"]
    keep_days: int = 0


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """What our own TLS is made of; all paths are absolute. With `client_ca` callers need a
    certificate too."""

    certificate: Path
    key: Path
    client_ca: Path | None = None


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """The door for calls. `connections` is counted for each worker; without `tls` it is plain."""

    listen: Listen
    workers: int
    danger_plain_calls: bool
    head_seconds: float
    connections: int
    call_seconds: float
    """0: a call may last for ever, as long as something moves."""
    idle_seconds: float
    first_byte_seconds: float
    slow_seconds: float
    connect_seconds: float
    body_bytes: int
    held_body_bytes: int
    calls: int
    provider_concurrent: int
    websocket_message_bytes: int
    calls_domain: str = ""
    """Under it host names name doors; empty: only paths do."""
    once_days: int = 30
    caller_calls_per_second: int = 0
    """Of a caller without a limit of its own; 0: as many as it likes."""
    caller_concurrent: int = 1000
    """Likewise, calls under way in one worker."""
    tls: TlsFiles | None = None


@dataclass(frozen=True, slots=True)
class PublicSettings:
    """The door for everyone. `base_url` is how the world sees it, without a trailing slash."""

    listen: Listen
    base_url: str


@dataclass(frozen=True, slots=True)
class AdminSettings:
    """The door for operators."""

    listen: Listen
    danger_plain_admin: bool = False


@dataclass(frozen=True, slots=True)
class KeeperSettings:
    """How often the keeper looks for jobs and signs a checkpoint of the journal."""

    poll_seconds: float
    checkpoint_seconds: float


@dataclass(frozen=True, slots=True)
class UsersSettings:
    """Users of admin and public, and their group: names or numbers; all empty means shared."""

    admin: str
    public: str
    group: str

    @property
    def apart(self) -> bool:
        """Whether admin and public are to run as users of their own."""
        return bool(self.admin)


@dataclass(frozen=True, slots=True)
class EgressEntry:
    """An address that this node can dial from (`bind`), and what the outside sees (`public`)."""

    name: str
    bind: str
    public: str


@dataclass(frozen=True, slots=True)
class DecoyEntry:
    """An address that is never published; locks are measured from it. As in `EgressEntry`."""

    name: str
    bind: str
    public: str


@dataclass(frozen=True, slots=True)
class Settings:
    """A checked configuration. `base` is the directory of the file; both are absolute."""

    path: Path
    base: Path
    vault: VaultSettings
    store: StoreSettings
    journal: JournalSettings
    gateway: GatewaySettings
    public: PublicSettings
    admin: AdminSettings
    keeper: KeeperSettings
    users: UsersSettings
    egress: tuple[EgressEntry, ...]
    decoy: tuple[DecoyEntry, ...] = ()

    @property
    def dangers(self) -> tuple[str, ...]:
        """The switches that are on and weaken a promise; each is logged at start."""
        switches = {
            "gateway.danger_plain_calls": self.gateway.danger_plain_calls,
            "admin.danger_plain_admin": self.admin.danger_plain_admin,
        }
        return tuple(name for name, is_on in switches.items() if is_on)


def load(path: Path, environ: Mapping[str, str]) -> Settings:
    """Read and check a configuration.

    Args:
        path: The file, in TOML. A relative path is relative to the working directory.
        environ: The environment; only names that start with `BAILEE_` and hold `__` are read.

    Returns:
        Settings with every default filled in and every path absolute.

    Raises:
        ConfigInvalid: The file can't be read, is not TOML, or has faults: all are in the detail,
            one a line.
    """
    path = Path(os.path.abspath(path))
    document = _read(path)
    faults: list[str] = []
    plain = _plain_values(document, environ, faults)
    egress = tuple(
        EgressEntry(*taken) for taken in _entries("egress", EGRESS_KEYS, document, faults)
    )
    decoy = tuple(DecoyEntry(*taken) for taken in _entries("decoy", DECOY_KEYS, document, faults))
    faults.extend(f"{name} is not a known section" for name in document)
    if not faults:
        faults.extend(_contradictions(plain, egress))
        faults.extend(_decoy_contradictions(decoy, egress))
    if faults:
        listed = "".join(f"\n  {fault}" for fault in faults)
        raise ConfigInvalid(f"{path} is not valid:{listed}", "mend these, nothing was started")
    return _settings(path, plain, egress, decoy)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        hint = "make one with `bailee init DIR`, or name it with --config or BAILEE_CONFIG"
        raise ConfigInvalid(f"there is no configuration at {path}", hint) from None
    except OSError as error:
        raise ConfigInvalid(f"{path} can't be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigInvalid(f"{path} is not TOML: {str(error).lower()}") from error


def _plain_values(
    document: dict[str, Any], environ: Mapping[str, str], faults: list[str]
) -> dict[str, Any]:
    """Take every plain key out of the document and the environment; title -> value."""
    found: dict[str, tuple[str, object]] = {}
    for section in {key.section: None for key in KEYS}:
        table = document.pop(section, {})
        if not isinstance(table, dict):
            faults.append(f"{section} must be a section, written [{section}]")
            continue
        found |= {f"{section}.{name}": (f"{section}.{name}", it) for name, it in table.items()}
    titles = {key.variable: key.title for key in KEYS}
    for variable in sorted(environ):
        if variable.startswith("BAILEE_") and "__" in variable:
            title = titles.get(variable, variable)
            found[title] = (variable, environ[variable])
    plain = {key.title: _value(key, found.pop(key.title, None), faults) for key in KEYS}
    faults.extend(f"{place} is not a known setting{_lists(place)}" for place, _ in found.values())
    return plain


def _lists(place: str) -> str:
    return ": lists stand in the file alone" if place.startswith(_LISTS) else ""


def _value(key: Key, given: tuple[str, object] | None, faults: list[str]) -> object:
    if given is None:
        if key.default is Required:
            faults.append(f"{key.title} is missing: {key.meaning}")
        return key.rule(key.default) if isinstance(key.default, str) else key.default
    place, it = given
    try:
        return key.rule(it)
    except ValueError as error:
        faults.append(f"{place} {error}")
        return None


def _entries(
    section: str, keys: tuple[Key, ...], document: dict[str, Any], faults: list[str]
) -> list[tuple[str, str, str]]:
    """Take a list of addresses out of the document, as (name, bind, public)."""
    entries: object = document.pop(section, [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        faults.append(f"{section} must be a list of sections, each written [[{section}]]")
        return []
    read = []
    before = len(faults)
    for number, entry in enumerate(entries, start=1):
        place = f"{section}[{number}]"
        given = {name: (f"{place}.{name}", it) for name, it in entry.items()}
        taken = {key.name: _value(key, given.pop(key.name, None), faults) for key in keys}
        faults.extend(f"{unknown} is not a known setting" for unknown, _ in given.values())
        name, bind, public = (taken[key.name] for key in keys)
        read.append((str(name), str(bind), str(public or bind)))
    return read if len(faults) == before else []


def _contradictions(plain: dict[str, Any], egress: tuple[EgressEntry, ...]) -> Iterator[str]:
    """Faults of values that are each right alone."""
    yield from _plain_doors(plain)
    yield from _half_tls(plain)
    doors = ("gateway.listen", "public.listen", "admin.listen")
    for place, door in enumerate(doors):
        for other in doors[place + 1 :]:
            if plain[door] == plain[other]:
                yield f"{door} and {other} are the same: each needs a port of its own"
    users = [plain[f"users.{name}"] for name in ("admin", "public", "group")]
    if any(users) and not all(users):
        yield "users needs admin, public and group, or none of them"
    yield from _entry_contradictions("egress", egress)


def _plain_doors(plain: dict[str, Any]) -> Iterator[str]:
    """Doors that would show tokens to the network."""
    calls = ("gateway.listen", "gateway.danger_plain_calls", "calls over plain HTTP")
    admin = ("admin.listen", "admin.danger_plain_admin", "requests over plain HTTP")
    for door, switch, what in (admin,) if plain["gateway.tls_certificate"] else (calls, admin):
        host, _ = plain[door]
        if not ipaddress.ip_address(host).is_loopback and not plain[switch]:
            own = "set gateway.tls_certificate and tls_key, " if door == "gateway.listen" else ""
            yield (
                f"{door} is not a loopback address: {what} would show tokens to the network; "
                f"{own}put a TLS proxy on this machine, or set {switch} = true"
            )


def _half_tls(plain: dict[str, Any]) -> Iterator[str]:
    certificate, key = plain["gateway.tls_certificate"], plain["gateway.tls_key"]
    if bool(certificate) != bool(key):
        yield "gateway needs both tls_certificate and tls_key, or none of them"
    elif plain["gateway.tls_client_ca"] and not certificate:
        yield "gateway.tls_client_ca needs tls_certificate and tls_key"


def _entry_contradictions(
    section: str, entries: tuple[EgressEntry | DecoyEntry, ...]
) -> Iterator[str]:
    for what in ("name", "bind", "public"):
        values = [getattr(entry, what) for entry in entries]
        for value in sorted({value for value in values if values.count(value) > 1}):
            yield f"{section} has more than one entry with {what} = {value}"
    for entry in entries:
        if (":" in entry.bind) != (":" in entry.public):
            yield f"{section} {entry.name} has bind and public of different families"


def _decoy_contradictions(
    decoys: tuple[DecoyEntry, ...], egress: tuple[EgressEntry, ...]
) -> Iterator[str]:
    """A decoy that an allowlist could let in with an egress address would prove nothing."""
    yield from _entry_contradictions("decoy", decoys)
    for decoy in decoys:
        for entry in egress:
            if decoy.name == entry.name:
                yield f"decoy {decoy.name} and an egress address have the same name"
            if decoy.bind == entry.bind:
                yield f"decoy {decoy.name} has the same bind as egress {entry.name}"
            if are_neighbours(decoy.public, entry.public):
                yield (
                    f"decoy {decoy.name} ({decoy.public}) is in the same "
                    f"{'/64' if ':' in entry.public else '/24'} as egress {entry.name} "
                    f"({entry.public}): take an address of another network"
                )


def _path(base: Path, given: str) -> Path | None:
    return Path(os.path.abspath(base / given)) if given else None


def _tls(base: Path, plain: dict[str, Any]) -> TlsFiles | None:
    names = ("tls_certificate", "tls_key", "tls_client_ca")
    certificate, key, client_ca = (_path(base, plain[f"gateway.{name}"]) for name in names)
    return TlsFiles(certificate, key, client_ca) if certificate and key else None


def _settings(
    path: Path,
    plain: dict[str, Any],
    egress: tuple[EgressEntry, ...],
    decoy: tuple[DecoyEntry, ...],
) -> Settings:
    base = path.parent

    def section(name: str) -> dict[str, Any]:
        keys = [key for key in KEYS if key.section == name and not key.name.startswith("tls_")]
        return {key.name: plain[key.title] for key in keys}

    database = os.path.abspath(base / plain["store.url"].removeprefix("sqlite:///"))
    address = format_listen(plain["public.listen"])
    return Settings(
        path=path,
        base=base,
        vault=VaultSettings(
            **section("vault") | {"passphrase_file": _path(base, plain["vault.passphrase_file"])}
        ),
        store=StoreSettings(**section("store") | {"url": f"sqlite:///{database}"}),
        journal=JournalSettings(
            directory=Path(os.path.abspath(base / plain["journal.directory"])),
            sync=plain["journal.sync"],
            keep_days=plain["journal.keep_days"],
        ),
        gateway=GatewaySettings(
            **section("gateway")
            | {"workers": plain["gateway.workers"] or len(os.sched_getaffinity(0))},
            tls=_tls(base, plain),
        ),
        public=PublicSettings(
            **section("public") | {"base_url": plain["public.base_url"] or f"http://{address}"}
        ),
        admin=AdminSettings(**section("admin")),
        keeper=KeeperSettings(**section("keeper")),
        users=UsersSettings(**section("users")),
        egress=egress,
        decoy=decoy,
    )
