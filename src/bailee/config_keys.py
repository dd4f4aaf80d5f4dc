"""Every key of `bailee.toml`: its rule, its default, and what it means.

A rule takes the value as TOML or the environment gave it and returns what the settings hold, or
raises ValueError with the end of the sentence "<key> ...". `docs/config.md` is made of `KEYS`.
"""

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

Listen = tuple[str, int]
"""An IP address, without brackets, and a port."""
Rule = Callable[[object], object]
_DNS_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)


class Required:
    """The default of a key that has none."""


@dataclass(frozen=True, slots=True)
class Key:
    """One plain key. A default of None is computed in `config.py`."""

    section: str
    name: str
    rule: Rule
    default: object
    meaning: str

    @property
    def title(self) -> str:
        """How the file's reader calls it."""
        return f"{self.section}.{self.name}"

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return f"BAILEE_{self.section.upper()}__{self.name.upper()}"


def text(given: object) -> str:
    """A string without control characters; it may be empty."""
    if not isinstance(given, str):
        raise ValueError("must be a string")
    if any(ord(character) < 32 or ord(character) == 127 for character in given):
        raise ValueError("must not hold control characters")
    return given


def path(given: object) -> str:
    """A path, relative to the file or absolute."""
    if not text(given):
        raise ValueError("must not be empty")
    return text(given)


def root_key(given: object) -> str:
    """Where the root key is. Its value is never repeated: it may be the key itself."""
    kind, _, place = text(given).partition(":")
    if kind not in ("file", "passphrase") or not place:
        raise ValueError("must be `file:` or `passphrase:`, and the path of a file")
    return text(given)


def authority(given: object) -> str:
    """`ed25519/` and 32 bytes in base64."""
    scheme, _, encoded = text(given).partition("/")
    try:
        public = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        public = b""
    if scheme != "ed25519" or len(public) != 32:
        raise ValueError("must be `ed25519/` and 32 bytes in base64, as `bailee init` wrote it")
    return text(given)


def store_url(given: object) -> str:
    """`sqlite:///` and a path, without options."""
    place = text(given).removeprefix("sqlite:///")
    if place == given or not place or set(place) & set("?#%") or place == ":memory:":
        raise ValueError("must be `sqlite:///` and the path of a file")
    return text(given)


def listen(given: object) -> Listen:
    """`127.0.0.1:8700` or `[::1]:8700`: the address is never a name."""
    host, colon, port = text(given).rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    try:
        address = ip(host[1:-1] if bracketed else host)
    except ValueError:
        address = ""
    if not colon or not address or bracketed != (":" in address):
        raise ValueError("must be an IP address and a port, as in 127.0.0.1:8700 or [::1]:8700")
    if not re.fullmatch(r"[1-9][0-9]{0,4}", port) or int(port) > 65535:
        raise ValueError("must have a port from 1 to 65535")
    return address, int(port)


def format_listen(listen: Listen) -> str:
    """Spell an address and a port as the config does."""
    host, port = listen
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def ip(given: object) -> str:
    """An IP address in its usual form, without a zone."""
    try:
        address = ipaddress.ip_address(text(given))
    except ValueError:
        raise ValueError("must be an IP address") from None
    if "%" in str(address):
        raise ValueError("must be an IP address without a zone")
    return str(address)


def host_ip(given: object) -> str:
    """An address that one host can have: neither unspecified, nor multicast, nor broadcast."""
    address = ipaddress.ip_address(ip(given))
    if address.is_unspecified or address.is_multicast or str(address) == "255.255.255.255":
        raise ValueError("must be the address of one host")
    return str(address)


def base_url(given: object) -> str:
    """An http or https URL without query and fragment."""
    try:
        parts = urlsplit(text(given))
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or set(text(given)) & set("?#@ \\"):
        raise ValueError("must be an http or https URL without user, query and fragment")
    return text(given).rstrip("/")


def calls_domain(given: object) -> str:
    """A DNS name in lower case, without port and final dot, at most 200 characters; or empty."""
    name = text(given)
    labels = name.split(".")
    valid = all(_DNS_LABEL.fullmatch(label) for label in labels) and not labels[-1].isdigit()
    if name and (not valid or len(name) > 200):
        raise ValueError("must be a DNS name in lower case, without port and final dot")
    return name


def user(given: object) -> str:
    """The name or number of a user or group; empty for none. Never root."""
    name = str(given) if isinstance(given, int) and not isinstance(given, bool) else text(given)
    if name and not re.fullmatch(r"[0-9]{1,10}|[a-z_][a-z0-9_-]{0,31}", name):
        raise ValueError("must be the name or number of a user or group")
    if name == "root" or (name.isdigit() and int(name) == 0):
        raise ValueError("must not be root")
    return name


def switch(given: object) -> bool:
    """A boolean; in the environment `true` or `false`."""
    given = {"true": True, "false": False}.get(given) if isinstance(given, str) else given
    if not isinstance(given, bool):
        raise ValueError("must be true or false")
    return given


def whole(least: int, most: int) -> Rule:
    """A whole number within bounds."""

    def rule(given: object) -> int:
        if isinstance(given, str) and re.fullmatch(r"[0-9]{1,12}", given):
            given = int(given)
        if not isinstance(given, int) or isinstance(given, bool) or not least <= given <= most:
            raise ValueError(f"must be a whole number from {least} to {most}")
        return given

    return rule


def seconds(least: float, most: float) -> Rule:
    """A number of seconds within bounds."""

    def rule(given: object) -> float:
        if isinstance(given, str) and re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", given):
            given = float(given)
        number = isinstance(given, int | float) and not isinstance(given, bool)
        if not number or not least <= float(str(given)) <= most:
            raise ValueError(f"must be a number of seconds from {least} to {most}")
        return float(str(given))

    return rule


def sync(given: object) -> str:
    """How the journal is kept."""
    if given not in ("batched", "always"):
        raise ValueError("must be `batched` or `always`")
    return text(given)


def entry_name(given: object) -> str:
    """The name of an entry of a list."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,31}", text(given)):
        raise ValueError("must be 1 to 32 of a-z, 0-9 and -")
    return text(given)


# fmt: off
KEYS = (
    Key("vault", "root_key", root_key, "file:root.key",
        "where the root key is: `file:` and a path, or `passphrase:` and the path of a file that "
        "says how the key is derived"),
    Key("vault", "authority", authority, Required,
        "the public half of the authority, as `bailee init` wrote it"),
    Key("vault", "passphrase_file", text, "",
        "a file of mode 0600 with the passphrase, which BAILEE_PASSPHRASE_FILE and "
        "BAILEE_PASSPHRASE_FD go before; without one it is asked for on the terminal"),
    Key("store", "url", store_url, "sqlite:///bailee.db",
        "the database: `sqlite:///` and a path"),
    Key("store", "stale_seconds", seconds(0, 3600), 0.0,
        "how long a gateway may go on with what it read last while the database is away"),
    Key("journal", "directory", path, "journal",
        "where the journal is written"),
    Key("journal", "sync", sync, "batched",
        "`batched`: a written line survives kill -9; `always`: it survives a loss of power"),
    Key("journal", "keep_days", whole(0, 36_500), 0,
        "files of the journal that ended so many days ago are removed; 0 keeps them for ever"),
    Key("gateway", "listen", listen, "127.0.0.1:8700",
        "address and port for calls"),
    Key("gateway", "workers", whole(1, 256), None,
        "how many processes carry calls; by default one a core"),
    Key("gateway", "tls_certificate", text, "",
        "a file of certificates in PEM, the server's own first: calls come over TLS 1.3, and no "
        "more over plain HTTP"),
    Key("gateway", "tls_key", text, "",
        "the private key of `tls_certificate`, in PEM, a file of mode 0600"),
    Key("gateway", "tls_client_ca", text, "",
        "a file of CAs in PEM: callers must show a certificate that one of them issued, beside "
        "their token"),
    Key("gateway", "danger_plain_calls", switch, False,
        "take calls over plain HTTP from other machines: whoever is on the way reads the tokens"),
    Key("gateway", "head_seconds", seconds(0.1, 60), 5.0,
        "deadline for the head of a request"),
    Key("gateway", "connections", whole(1, 1_000_000), 10_000,
        "how many connections a worker keeps open"),
    Key("gateway", "calls", whole(1, 1_000_000), 10_000,
        "how many calls may be under way at once, in each worker"),
    Key("gateway", "provider_concurrent", whole(1, 1_000_000), 2000,
        "how many of them to one provider from one egress address"),
    Key("gateway", "call_seconds", seconds(0, 31_536_000), 3600.0,
        "deadline for a whole call, whatever moves; 0: as long as something moves"),
    Key("gateway", "first_byte_seconds", seconds(0.1, 86_400), 60.0,
        "deadline for the first byte of an answer, from when the request was sent"),
    Key("gateway", "idle_seconds", seconds(0.1, 86_400), 60.0,
        "how long a call may stand still, waiting for the provider or for the client"),
    Key("gateway", "slow_seconds", seconds(0.1, 3600), 5.0,
        "after so long a client has to have sent its body, and to have read its answer, at 1 KiB a "
        "second on average"),
    Key("gateway", "body_bytes", whole(1, 1 << 50), 5 << 30,
        "the largest body of a request"),
    Key("gateway", "connect_seconds", seconds(0.1, 60), 5.0,
        "deadline for a new connection to a provider, TLS included"),
    Key("gateway", "held_body_bytes", whole(1, 1 << 30), 1 << 20,
        "the largest body that is held until it is whole: where the provider's scheme signs it, or "
        "a grant says what must stand in it"),
    Key("gateway", "websocket_message_bytes", whole(1, 1 << 30), 1 << 20,
        "the largest message of a WebSocket, either way; a larger one closes it with 1009"),
    Key("gateway", "once_days", whole(1, 3650), 30,
        "for how many days at least a key of `Bailee-Once` can't be used again"),
    Key("gateway", "caller_calls_per_second", whole(0, 1_000_000), 0,
        "how many calls a second a caller may make that has no limit of its own, on this node; 0 "
        "is no limit"),
    Key("gateway", "caller_concurrent", whole(1, 1_000_000), 1000,
        "how many calls of a caller that has no limit of its own may be under way at once, in each "
        "worker"),
    Key("gateway", "calls_domain", calls_domain, "",
        "a domain under which calls may name their connection by the host, "
        "`{connection}[--{origin}].<calls_domain>`; empty: by the path alone"),
    Key("public", "listen", listen, "127.0.0.1:8701",
        "address and port of the public pages"),
    Key("public", "base_url", base_url, None,
        "how the world sees the public pages; by default `http://` and `public.listen`"),
    Key("admin", "listen", listen, "127.0.0.1:8702",
        "address and port of the admin API"),
    Key("admin", "danger_plain_admin", switch, False,
        "serve the admin API over plain HTTP to other machines: whoever is on the way reads the "
        "tokens"),
    Key("keeper", "poll_seconds", seconds(0.01, 60), 0.2,
        "how often the keeper looks for jobs"),
    Key("keeper", "checkpoint_seconds", seconds(1, 86_400), 60.0,
        "how often the heads of the journal are signed"),
    Key("users", "admin", user, "",
        "user of the admin role, when started as root; all three empty: the roles share a user"),
    Key("users", "public", user, "",
        "user of the public role, when started as root"),
    Key("users", "group", user, "",
        "the group of both, which may use the database"),
)
EGRESS_KEYS = (
    Key("egress", "name", entry_name, Required,
        "what commands call this address"),
    Key("egress", "bind", host_ip, Required,
        "the address of this machine that calls leave from"),
    Key("egress", "public", host_ip, None,
        "what providers see; by default the same as `bind`"),
)
DECOY_KEYS = (
    Key("decoy", "name", entry_name, Required,
        "what locks call this address"),
    Key("decoy", "bind", host_ip, Required,
        "an address of this machine that no call ever leaves from and that is never published"),
    Key("decoy", "public", host_ip, None,
        "what providers see, outside of the /24 (IPv6: /64) of every egress address; by default "
        "the same as `bind`"),
)
# fmt: on
