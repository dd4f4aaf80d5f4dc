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
    Place,
    Placement,
    PlaceScheme,
    Provider,
    ProviderId,
    Rule,
    TokenPlace,
)
from bailee.policy.rules import parse_rule
from bailee.providers import check
from bailee.providers.table import Table
from bailee.signing.place import scheme_of

FILE_MAX_CHARS: Final = 262_144
STANDARD_MULTIPLEXED: Final = tuple(
    Rule("*", f"/**/{segment}") for segment in ("graphql", "jsonrpc", "rpc", "batch")
)
"""Doors with many meanings behind one path, where a file names none itself."""

EVIDENCE_LEVELS: Final = ("documented", "client-library", "observed", "unverified")

# No path, query, fragment or user: where a call goes within an origin is the caller's to say.
_URL = re.compile(r"https://(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9.\-]{1,253})(?::([0-9]{1,5}))?")
_SHORT_PLACES: Final = {
    "header": Place.HEADER, "query": Place.QUERY, "path": Place.PATH, "basic": Place.BASIC,
}  # fmt: skip


def parse_provider(text: str, read_ca: Callable[[str], str]) -> Provider:
    """Read a provider's file.

    Args:
        text: TOML, at most 262,144 characters.
        read_ca: Returns the PEM text of the file that a `ca_file` names; it may raise OSError,
            ValueError or BadInput.

    Raises:
        BadInput: All faults of the file at once, each with the key it is about.
    """
    if len(text) > FILE_MAX_CHARS:
        raise BadInput(f"the provider's file is longer than {FILE_MAX_CHARS} characters")
    try:
        content = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise BadInput(f"the provider's file is not TOML: {error}") from None
    faults: list[str] = []
    provider = _read_file(Table("", content, faults), faults, read_ca)
    if faults or provider is None:
        raise BadInput("the provider's file has faults: " + "; ".join(faults))
    return provider


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
        provider = msgspec.json.decode(encoded, type=Provider)
        surplus = _has_surplus(msgspec.json.decode(encoded), msgspec.to_builtins(provider))
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
    auth, caller_token, dummy_secret = _read_auth(file, faults)
    deny = _read_rules(file, "deny")
    multiplexed = (
        _read_rules(file, "multiplexed") if "multiplexed" in file else STANDARD_MULTIPLEXED
    )
    faults += check.rule_faults("deny", deny) + check.rule_faults("multiplexed", multiplexed)
    for evidence in file.tables("evidence"):
        _check_evidence(evidence)
    file.finish()
    if id is None or name is None or category is None or auth is None:
        return None
    return Provider(
        ProviderId(id), name, category, headers, origins, auth, caller_token, dummy_secret,
        deny, multiplexed,
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


def _read_auth(
    file: Table, faults: list[str]
) -> tuple[PlaceScheme | None, TokenPlace | None, str | None]:
    table = file.table("auth")
    if table is None:
        file.fault("auth", "is missing")
        return None, None, None
    if table.text("scheme") not in ("place", None):
        table.fault("scheme", 'must be "place"')
    caller = table.table("caller")
    token, dummy = _read_caller(caller, faults) if caller is not None else (None, None)
    parts = table.tables("place") if "place" in table else (table,)
    placements = tuple(p for p in map(_read_placement, parts) if p is not None)
    for part in parts:
        if part is not table:
            part.finish()
    table.finish()
    if len(placements) < len(parts):
        return None, token, dummy
    scheme_faults = check.scheme_faults(_scheme_or_bare(placements))
    faults += scheme_faults
    return (None if scheme_faults else scheme_of(placements)), token, dummy


def _scheme_or_bare(placements: tuple[Placement, ...]) -> PlaceScheme:
    try:
        return scheme_of(placements)
    except BadInput:
        return PlaceScheme(placements, ())


def _read_placement(table: Table) -> Placement | None:
    keys = [key for key in _SHORT_PLACES if key in table]
    if len(keys) != 1:
        table.fault("header, query, path, basic:", "exactly one of them must be there")
        for key in (*keys, "value"):
            table.value(key)
        return None
    place = _SHORT_PLACES[keys[0]]
    first = table.text(keys[0])
    if place in (Place.PATH, Place.BASIC):
        return None if first is None else Placement(place, "", first)
    value = table.text("value")
    return None if first is None or value is None else Placement(place, first, value)


def _read_caller(table: Table, faults: list[str]) -> tuple[TokenPlace | None, str | None]:
    token = None
    if (text := table.text("token")) is not None:
        kind, _, name = text.partition(" ")
        # An unknown kind becomes a place that `caller_token_faults` refuses.
        token = TokenPlace(_SHORT_PLACES.get(kind, Place.PATH), name)
        faults += check.caller_token_faults(token)
    dummy = table.optional_text("dummy_secret")
    if dummy is not None:
        faults += check.dummy_secret_faults(dummy)
    table.finish()
    return token, dummy


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
