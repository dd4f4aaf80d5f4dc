"""What must hold for a provider, whether it comes from a file or out of the database.

Each function returns its faults as sentences, so that a file's author sees all of them at once.
"""

import binascii
import ipaddress
import re
from base64 import b64decode
from collections import Counter
from collections.abc import Iterable

from bailee.errors import BadInput
from bailee.http.hop import may_never_pass
from bailee.model import (
    AuthScheme,
    Origin,
    Place,
    Placement,
    PlaceScheme,
    Provider,
    Rule,
    Slot,
    TokenPlace,
)
from bailee.policy.rules import parse_rule
from bailee.providers.budgets import budget_faults
from bailee.providers.meaning_check import meaning_faults
from bailee.providers.meaning_tables import Meanings
from bailee.providers.template_check import template_faults
from bailee.providers.websocket_check import websocket_faults
from bailee.signing.place import scheme_of, split_template

MAX_ORIGINS = 32
MAX_PLACEMENTS = 8
MAX_HEADERS = 128
MAX_RULES = 512
CA_MAX_CHARS = 262_144

_ID = re.compile(r"[a-z][a-z0-9-]{1,40}")
_ORIGIN_NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_CATEGORY = re.compile(r"[a-z][a-z0-9-]{0,39}")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+\-.^_`|~]{1,128}")
_QUERY_NAME = re.compile(r"[A-Za-z0-9_.\-]{1,64}")
_PATH_LITERAL = re.compile(r"[A-Za-z0-9\-._~!$&'()*+,=:@/]*")
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----\s+([A-Za-z0-9+/=\s]+?)\s*-----END CERTIFICATE-----")
# A credential may stand in these two, which no caller may send.
_PLACEABLE = frozenset({b"authorization", b"cookie"})


def provider_faults(provider: Provider) -> list[str]:
    """Check a whole provider."""
    faults = identity_faults(provider.id, provider.name, provider.category)
    faults += header_faults(provider.headers)
    faults += origin_list_faults(provider.origins)
    faults += scheme_faults(provider.auth)
    if provider.caller_token is not None:
        faults += caller_token_faults(provider.caller_token)
    if provider.dummy_secret is not None:
        faults += dummy_secret_faults(provider.dummy_secret)
    faults += budget_faults(provider.budgets)
    faults += websocket_faults(provider.websocket, provider.origins, provider.auth)
    rules = rule_faults("deny", provider.deny) + rule_faults("multiplexed", provider.multiplexed)
    if not rules:
        told = Meanings(provider.allowlisting, provider.probe, provider.report, provider.refusals)
        faults += meaning_faults(told, provider.origins, provider.deny, provider.multiplexed)
    return faults + rules


def identity_faults(id: str, name: str, category: str) -> list[str]:
    """Check what a provider is called."""
    faults = []
    if not _ID.fullmatch(id):
        faults.append("id must be a small letter and 1 to 40 small letters, digits or -")
    if not 1 <= len(name) <= 100 or not name.isprintable() or name != name.strip():
        faults.append("name must be 1 to 100 printable characters")
    if not _CATEGORY.fullmatch(category):
        faults.append("category must be a word of small letters, digits and -")
    return faults


def header_faults(headers: tuple[str, ...]) -> list[str]:
    """Check the request headers that a provider lets through besides the standard list."""
    faults = [f"headers has more than {MAX_HEADERS} entries"] if len(headers) > MAX_HEADERS else []
    for pattern in headers:
        stem = pattern.removesuffix("*")
        if not _TOKEN.fullmatch(stem) or "*" in stem or pattern != pattern.lower():
            faults.append(f"headers: {pattern!r} is not a header name with * at most at its end")
        elif may_never_pass(stem.encode()):
            faults.append(f"headers: {pattern!r} is never let through")
    return faults


def origin_list_faults(origins: tuple[Origin, ...]) -> list[str]:
    """Check all origins of a provider."""
    if not 1 <= len(origins) <= MAX_ORIGINS:
        return [f"a provider has 1 to {MAX_ORIGINS} [origin.NAME] tables"]
    faults = [fault for origin in origins for fault in origin_faults(origin)]
    return faults + [
        f"origin.{name} stands there twice" for name in _twice(o.name for o in origins)
    ]


def origin_faults(origin: Origin) -> list[str]:
    """Check one origin."""
    where = f"origin.{origin.name}"
    faults = []
    if len(origin.name) > 20 or not _ORIGIN_NAME.fullmatch(origin.name):
        faults.append(f"{where}: the name must be up to 20 small letters, digits and single -")
    if not _is_host(origin.host):
        faults.append(f"{where}.url has no valid host (IDN hosts are written as xn--...)")
    if not 1 <= origin.port <= 65535:
        faults.append(f"{where}.url has no valid port")
    if origin.address is not None and canonical_address(origin.address) != origin.address:
        faults.append(f"{where}.address is not an IP address")
    if origin.ca_pem is not None and certificates_of(origin.ca_pem) != origin.ca_pem:
        faults.append(f"{where}.ca_file holds no PEM certificate, or something else besides")
    return faults


def canonical_address(text: str) -> str | None:
    """Spell an IP address in its one canonical form; None if it is none, or has a zone."""
    try:
        return None if "%" in text else str(ipaddress.ip_address(text))
    except ValueError:
        return None


def certificates_of(pem: str) -> str | None:
    """Return the certificates of a PEM file without what stands around them.

    None if there is none, one is not base64, or there is anything else, such as a private key.
    """
    blocks = _PEM.findall(pem)
    if not blocks or len(pem) > CA_MAX_CHARS or pem.count("-----BEGIN ") != len(blocks):
        return None
    lines = []
    for block in blocks:
        body = "".join(block.split())
        try:
            b64decode(body, validate=True)
        except binascii.Error:
            return None
        wrapped = "\n".join(body[i : i + 64] for i in range(0, len(body), 64))
        lines.append(f"-----BEGIN CERTIFICATE-----\n{wrapped}\n-----END CERTIFICATE-----\n")
    return "".join(lines)


def scheme_faults(scheme: AuthScheme) -> list[str]:
    """Check a scheme of either kind."""
    if isinstance(scheme, PlaceScheme):
        return _place_faults(scheme)
    faults = template_faults(scheme) + rule_faults("auth.unsigned", scheme.unsigned)
    for each in scheme.fillings:
        if each.slot is Slot.HEADER:
            faults += _header_placement_faults(each.name)
        elif not _QUERY_NAME.fullmatch(each.name):
            faults.append(f"auth.{each.slot} is not a parameter name")
    return faults


def _place_faults(scheme: PlaceScheme) -> list[str]:
    if not 1 <= len(scheme.placements) <= MAX_PLACEMENTS:
        return [f"auth has 1 to {MAX_PLACEMENTS} placements"]
    faults = [fault for each in scheme.placements for fault in placement_faults(each)]
    for name in _twice(_slot(each) for each in scheme.placements):
        faults.append(f"auth fills {name} twice")
    if not faults and scheme_of(scheme.placements).fields != scheme.fields:
        faults.append("auth.fields are not those that the templates name")
    return faults


def placement_faults(placement: Placement) -> list[str]:
    """Check one placement."""
    try:
        literals = split_template(placement.value)[::2]
    except BadInput as fault:
        return [f"auth: {fault.detail}"]
    if not (placement.value.isascii() and placement.value.isprintable()):
        return ["auth: a template holds only printable ASCII"]
    if placement.value != placement.value.strip(" "):
        return ["auth: a template neither begins nor ends with a space"]
    match placement.place:
        case Place.HEADER:
            return _header_placement_faults(placement.name)
        case Place.QUERY:
            valid = _QUERY_NAME.fullmatch(placement.name)
            return [] if valid else ["auth.query is not a parameter name"]
        case Place.PATH:
            return _path_faults(placement, literals)
        case Place.BASIC:
            named = [] if not placement.name else ["auth.basic has no name"]
            colon = any(":" in literal for literal in literals)
            return named + ([] if colon else ['auth.basic must have the form "{user}:{password}"'])


def caller_token_faults(token: TokenPlace) -> list[str]:
    """Check where an unmodified SDK puts the token."""
    match token.place:
        case Place.HEADER if _TOKEN.fullmatch(token.name):
            name = token.name.lower().encode()
            if name == b"authorization" or not may_never_pass(name):
                return []
        case Place.QUERY if _QUERY_NAME.fullmatch(token.name):
            return []
        case Place.BASIC if token.name in ("username", "password"):
            return []
    forms = '"header NAME", "query NAME", "basic username" or "basic password"'
    return [f"auth.caller.token must be {forms}"]


def dummy_secret_faults(text: str) -> list[str]:
    """Check the stand-in that some SDKs insist on."""
    plain = 1 <= len(text) <= 1024 and text.isascii() and text.isprintable()
    return (
        [] if plain else ["auth.caller.dummy_secret must be 1 to 1024 printable ASCII characters"]
    )


def rule_faults(key: str, rules: tuple[Rule, ...]) -> list[str]:
    """Check rules that were read before: each must be what `parse_rule` would read again."""
    faults = [f"{key} has more than {MAX_RULES} rules"] if len(rules) > MAX_RULES else []
    for rule in rules:
        try:
            same = parse_rule(str(rule)) == rule
        except BadInput:
            same = False
        if not same:
            faults.append(f"{key}: {str(rule)!r} is not a rule")
    return faults


def _header_placement_faults(name: str) -> list[str]:
    if not _TOKEN.fullmatch(name):
        return ["auth.header is not a header name"]
    lower = name.lower().encode()
    if may_never_pass(lower) and lower not in _PLACEABLE:
        return [f"auth.header: nothing is ever placed in {name}"]
    return []


def _path_faults(placement: Placement, literals: tuple[str, ...]) -> list[str]:
    segments = placement.value.split("/")
    # The first segment is the empty one before the leading slash.
    rooted = segments[0] == "" and all(s not in ("", ".", "..") for s in segments[1:])
    plain = all(_PATH_LITERAL.fullmatch(literal) for literal in literals)
    if placement.name or len(segments) < 2 or not rooted or not plain:
        return ['auth.path must be a prefix such as "/bot{token}", without a slash at its end']
    return []


def _slot(placement: Placement) -> str:
    """Name what can be filled only once. Basic fills the Authorization header."""
    if placement.place is Place.PATH:
        return "the path"
    if placement.place is Place.QUERY:
        return f"the query parameter {placement.name}"
    name = "authorization" if placement.place is Place.BASIC else placement.name.lower()
    return f"the header {name}"


def _is_host(host: str) -> bool:
    if canonical_address(host) == host:
        return True
    labels = host.split(".")
    # A last label that is a number makes an address of it for some resolvers: 127.1, 0x7f000001.
    return (
        len(host) <= 253
        and all(_LABEL.fullmatch(label) for label in labels)
        and not _NUMBER.fullmatch(labels[-1])
    )


def _twice(names: Iterable[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]
