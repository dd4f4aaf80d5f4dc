"""A provider's file into a `Provider`, and a `Provider` into bytes and back."""

import re
import tomllib
from collections.abc import Callable
from datetime import date, datetime
from typing import Final, Literal

import msgspec

from bailee.errors import BadInput
from bailee.model import (
    Origin,
    Provider,
    ProviderId,
    Rule,
)
from bailee.policy.rules import parse_rule
from bailee.providers import check
from bailee.providers.budgets import budget_faults, read_budgets
from bailee.providers.meaning_check import meaning_faults
from bailee.providers.meaning_tables import read_meanings
from bailee.providers.scheme import read_auth
from bailee.providers.stored import provider_of
from bailee.providers.table import Table
from bailee.providers.websocket import read_websocket
from bailee.providers.websocket_check import websocket_faults

FILE_MAX_CHARS: Final = 262_144
STANDARD_MULTIPLEXED: Final = tuple(
    Rule("*", f"/**/{segment}") for segment in ("graphql", "jsonrpc", "rpc", "batch")
)
"""Doors with many meanings behind one path, where a file names none itself."""

EVIDENCE_LEVELS: Final = ("documented", "client-library", "observed", "unverified")

# No path, query, fragment or user: where a call goes within an origin is the caller's to say.
_URL = re.compile(r"https://(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9.\-]{1,253})(?::([0-9]{1,5}))?")


def parse_provider(text: str, read_ca: Callable[[str], str]) -> Provider:
    """Read a provider's file.

    Args:
        text: TOML, at most 262,144 characters.
        read_ca: Returns the PEM text of the file that a `ca_file` names; it may raise OSError,
            ValueError or BadInput.

    Raises:
        BadInput: All faults of the file at once, each with the key it is about.
    """
    provider, faults = inspect_provider(text, read_ca)
    if faults or provider is None:
        raise BadInput("the provider's file has faults: " + "; ".join(faults))
    return provider


def inspect_provider(
    text: str, read_ca: Callable[[str], str]
) -> tuple[Provider | None, tuple[str, ...]]:
    """Read a provider's file as `parse_provider` does, and return its faults one by one.

    Where there is a fault, there is no provider.
    """
    if len(text) > FILE_MAX_CHARS:
        return None, (f"it is longer than {FILE_MAX_CHARS} characters",)
    try:
        content = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        return None, (f"it is not TOML: {error}",)
    faults: list[str] = []
    provider = _read_file(Table("", content, faults), faults, read_ca)
    return (None if faults else provider), tuple(faults)


def encode_provider(provider: Provider) -> bytes:
    """Return the canonical bytes of a provider: JSON, sorted names, no spaces."""
    return msgspec.json.encode(provider, order="sorted")


def decode_provider(encoded: bytes) -> Provider:
    """Read what `encode_provider` wrote, and check it as if it were a file.

    Raises:
        BadInput: It is not JSON of a provider, has a member that this version does not know, or
            holds what no file could have held.
    """
    try:
        raw = msgspec.json.decode(encoded)
        provider = provider_of(raw)
        surplus = _has_surplus(raw, msgspec.to_builtins(provider))
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise BadInput("the stored provider is not of the form that this version knows") from None
    if surplus:
        raise BadInput("the stored provider has a member that this version does not know")
    if faults := check.provider_faults(provider):
        raise BadInput("the stored provider has faults: " + "; ".join(faults))
    return provider


def _has_surplus(raw: object, known: object) -> bool:
    """Tell whether `raw` has a member that decoding dropped: it is not in `known`."""
    if isinstance(raw, dict) and isinstance(known, dict):
        return any(k not in known or _has_surplus(v, known[k]) for k, v in raw.items())
    if isinstance(raw, list) and isinstance(known, list | tuple):
        return any(_has_surplus(a, b) for a, b in zip(raw, known, strict=True))
    return False


# --- the file, table by table --------------------------------------------------------------------


def _read_file(file: Table, faults: list[str], read_ca: Callable[[str], str]) -> Provider | None:
    id = file.text("id")
    name = file.text("name", default=id if id is not None else "?")
    category = file.text("category", default="other")
    if id is not None and name is not None and category is not None:
        faults += check.identity_faults(id, name, category)
    headers = tuple(dict.fromkeys(each.lower() for each in file.texts("headers")))
    faults += check.header_faults(headers)
    origins = _read_origins(file, faults, read_ca)
    auth, caller_token, dummy_secret = read_auth(file, faults)
    deny = _read_rules(file, "deny")
    multiplexed = (
        _read_rules(file, "multiplexed") if "multiplexed" in file else STANDARD_MULTIPLEXED
    )
    faults += check.rule_faults("deny", deny) + check.rule_faults("multiplexed", multiplexed)
    echoes, own_streams = file.flag("echoes"), file.flag("own_streams")
    meanings = read_meanings(file)
    faults += meaning_faults(meanings, origins, deny, multiplexed)
    websocket = read_websocket(file)
    faults += websocket_faults(websocket, origins, auth)
    budgets = read_budgets(file)
    faults += budget_faults(budgets)
    for evidence in file.tables("evidence"):
        _check_evidence(evidence)
    file.finish()
    if id is None or name is None or category is None or auth is None:
        return None
    return Provider(
        ProviderId(id), name, category, headers, origins, auth, caller_token, dummy_secret,
        deny, multiplexed, *meanings, echoes, websocket, budgets, own_streams,
    )  # fmt: skip


def _read_origins(
    file: Table, faults: list[str], read_ca: Callable[[str], str]
) -> tuple[Origin, ...]:
    tables = file.named_tables("origin")
    default = file.optional_text("default_origin")
    if default is not None and default not in tables:
        file.fault("default_origin", "names no origin of this file")
    names = sorted(tables, key=lambda name: name != default)
    read = [_read_origin(name, tables[name], read_ca) for name in names]
    origins = tuple(origin for origin in read if origin is not None)
    if origins or not tables:
        faults += check.origin_list_faults(origins)
    return origins


def _read_origin(name: str, table: Table, read_ca: Callable[[str], str]) -> Origin | None:
    place = _read_url(table)
    address = table.optional_text("address")
    ca_pem = _read_ca_file(table, read_ca)
    danger = table.flag("danger_private_addresses")
    tls = table.text("tls_minimum", default="1.3")
    if tls not in ("1.2", "1.3", None):
        table.fault("tls_minimum", 'must be "1.2" or "1.3"')
    table.finish()
    if place is None:
        return None
    if address is not None:
        address = check.canonical_address(address) or address
    tls_minimum: Literal["1.2", "1.3"] = "1.2" if tls == "1.2" else "1.3"
    return Origin(name, *place, address, ca_pem, danger, tls_minimum)


def _read_url(table: Table) -> tuple[str, int] | None:
    url = table.text("url")
    if url is None:
        return None
    match = _URL.fullmatch(url)
    if match is None:
        table.fault("url", "must be https://HOST or https://HOST:PORT, and nothing else")
        return None
    host = match[1].strip("[]").lower()
    return check.canonical_address(host) or host, int(match[2] or 443)


def _read_ca_file(table: Table, read_ca: Callable[[str], str]) -> str | None:
    path = table.optional_text("ca_file")
    if path is None:
        return None
    try:
        pem = read_ca(path)
    except (OSError, ValueError, BadInput):
        table.fault("ca_file", "can't be read")
        return None
    certificates = check.certificates_of(pem)
    if certificates is None:
        table.fault("ca_file", "must hold PEM certificates and nothing else, no private key")
    return certificates


def _read_rules(file: Table, key: str) -> tuple[Rule, ...]:
    rules = []
    for table in file.tables(key):
        text = table.text("rule")
        table.finish()
        if text is not None:
            try:
                rules.append(parse_rule(text))
            except BadInput as fault:
                table.fault("rule", f"is refused: {fault.detail}")
    return tuple(rules)


def _check_evidence(table: Table) -> None:
    """Evidence is for people who read the file; it is checked and not kept."""
    for key in ("of", "source"):
        if table.text(key) == "":
            table.fault(key, "must not be empty")
    seen = table.value("seen")
    if not isinstance(seen, date) or isinstance(seen, datetime):
        table.fault("seen", "must be a date such as 2026-11-24")
    if table.text("level") not in (*EVIDENCE_LEVELS, None):
        table.fault("level", "must be one of " + ", ".join(EVIDENCE_LEVELS))
    table.finish()
