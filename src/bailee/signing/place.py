"""The `place` scheme: what the user gave is put into a header, the query, the path or Basic.

A template is literal text with `{field}` in it. There is no escape for braces.

| place | the template is | what a value may hold |
|---|---|---|
| header | the header's value | visible ASCII and inner spaces |
| query | the parameter's value | anything but control characters; percent-encoded |
| path | a prefix, `/bot{token}` | visible ASCII but `/ \\ % ? # ;`, no dot segment; encoded |
| basic | `{user}:{password}` | anything but control characters; no `:` in the user |

The rules of the third column are checked when a credential is entered (`parse_credential`, so that
its user is told) and again when it is placed: what was opened is not trusted to be what was sealed.
"""

import json
import re
from base64 import b64encode
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import quote

import msgspec

from bailee.errors import BadInput, CredentialClosed
from bailee.model import Place, Placement, PlaceScheme
from bailee.secret import Secret

CREDENTIAL_MAX_BYTES = 65_536
VALUE_MAX_CHARS = 16_384
FIELD_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")

_FIELD = re.compile(r"\{([a-z][a-z0-9_]{0,39})\}")
_PATH_FORBIDDEN = frozenset("/\\%?#;")
_PATH_SAFE = ":@!$&'()*+,="
_AGAIN = "enter the credential again"


class Placed(NamedTuple):
    """What has to be put into a request. It holds the credential: it is never logged or kept."""

    headers: bytes
    """Complete lines, `Name: value` and CRLF each; empty when nothing goes there."""
    query: bytes
    """`a=b&c=d`, percent-encoded, without `?` or `&` around it."""
    path_prefix: bytes
    """Empty, or what goes before the provider's path, as in `/bot123`."""

    def __repr__(self) -> str:
        return "Placed(...)"


def split_template(template: str) -> tuple[str, ...]:
    """Split a template into literals and field names: even places are literals, odd ones fields.

    Raises:
        BadInput: A brace that is not part of a `{field}`, or no field at all.
    """
    parts = tuple(_FIELD.split(template))
    if any("{" in literal or "}" in literal for literal in parts[::2]):
        raise BadInput(
            "braces stand only around a field name, as in {api_key}",
            "a field name is a small letter, then up to 39 small letters, digits and _",
        )
    if len(parts) == 1:
        raise BadInput("a template names at least one field of the credential, as in {api_key}")
    return parts


def scheme_of(placements: tuple[Placement, ...]) -> PlaceScheme:
    """Make a scheme of placements: its fields are those that the templates name, sorted.

    Raises:
        BadInput: A template is malformed.
    """
    names = {name for each in placements for name in split_template(each.value)[1::2]}
    return PlaceScheme(placements, tuple(sorted(names)))


def parse_credential(scheme: PlaceScheme, text: bytes) -> Secret:
    """Read what a user entered, and check that the scheme can place it.

    Args:
        scheme: The provider's scheme; it says which fields there are.
        text: One JSON object of strings, UTF-8, at most 64 KiB: exactly `scheme.fields`, each
            1 to 16,384 characters.

    Returns:
        The same object as canonical JSON (sorted names, no spaces).

    Raises:
        BadInput: All faults at once, by field name. No value is ever repeated.
    """
    pairs = _read_object(text)
    names = [name for name, _ in pairs]
    fields = dict(pairs)
    faults = _name_faults(scheme, names)
    for name in scheme.fields:
        if name in fields and (fault := _value_fault(scheme, name, fields[name])):
            faults.append(f"{name} {fault}")
    if not faults and (fault := _path_fault(scheme, fields)):
        faults.append(fault)
    if faults:
        raise BadInput(
            "the credential does not fit: " + "; ".join(faults),
            "it is a JSON object with exactly these fields: " + ", ".join(scheme.fields),
        )
    return Secret(msgspec.json.encode(fields, order="sorted"))


def place(scheme: PlaceScheme, credential: Secret) -> Placed:
    """Put a credential into the places that the scheme names.

    Args:
        scheme: The provider's scheme.
        credential: What `parse_credential` returned.

    Raises:
        CredentialClosed: The credential is not one of this scheme, or holds what can't stand in
            its place (control characters, non-ASCII in a header).
    """
    return plan_of(scheme).place(credential)


def _place(plan: "PlacePlan", credential: Secret) -> Placed:
    fields = _decode(credential)
    if len(fields) != plan.count:
        raise CredentialClosed("the credential's fields are not those of the scheme", _AGAIN)
    try:
        for name in plan.ascii:
            value = fields[name]
            if not (value and value.isascii() and value.isprintable()):
                raise CredentialClosed("the credential can't stand in its place", _AGAIN)
        headers = (plan.headers % fields).encode("ascii") if plan.headers else b""
        if plan.basic:
            headers += _basic(plan, fields)
        query = _query(plan, fields) if plan.query else b""
        prefix = _path(plan, fields) if plan.path else b""
    except KeyError:
        # Only a field name of the provider's file could stand in the KeyError, never a value.
        raise CredentialClosed("the credential lacks a field of the scheme", _AGAIN) from None
    return Placed(headers, query, prefix)


# --- entering ------------------------------------------------------------------------------------


def _read_object(text: bytes) -> list[tuple[str, Any]]:
    """Parse one JSON object. The parser's own error quotes its document, so it is not chained."""
    if len(text) > CREDENTIAL_MAX_BYTES:
        raise BadInput(f"the credential is larger than {CREDENTIAL_MAX_BYTES} bytes")
    value: object = None
    try:
        value = json.loads(text.decode("utf-8"), object_pairs_hook=_Pairs)
    except (ValueError, RecursionError):
        pass
    if not isinstance(value, _Pairs):
        raise BadInput("the credential is not one JSON object in UTF-8")
    return list(value)


class _Pairs(list[tuple[str, Any]]):
    """A JSON object as it was written: a name that stands in it twice is not lost."""


def _name_faults(scheme: PlaceScheme, names: list[str]) -> list[str]:
    surplus = sorted(set(names) - set(scheme.fields))
    sayable = [name for name in surplus if FIELD_NAME.fullmatch(name)]
    faults = [f"{name} is missing" for name in scheme.fields if name not in names]
    faults += [f"{name} is not a field of this provider" for name in sayable]
    if len(sayable) < len(surplus):
        # Whoever pastes a key where its name belongs should not find it in a log.
        faults.append(f"{len(surplus) - len(sayable)} surplus fields whose names are not repeated")
    faults += [f"{name} stands there twice" for name in scheme.fields if names.count(name) > 1]
    return faults


def _value_fault(scheme: PlaceScheme, name: str, value: object) -> str | None:
    if not isinstance(value, str):
        return "is not a string"
    if not 1 <= len(value) <= VALUE_MAX_CHARS:
        return f"is empty or longer than {VALUE_MAX_CHARS} characters"
    if any(
        ord(char) < 32 or 127 <= ord(char) < 160 or 0xD800 <= ord(char) < 0xE000 for char in value
    ):
        return "holds a control character, perhaps a line break at its end"
    plan = plan_of(scheme)
    if name in plan.ascii and not (value.isascii() and value.isprintable()):
        return "holds a character that is not ASCII"
    if name in plan.ascii and value != value.strip(" "):
        return "begins or ends with a space"
    if name in plan.path_fields and _PATH_FORBIDDEN & set(value):
        return "holds a character that can't stand in a path"
    if name in plan.user_fields and ":" in value:
        return "holds a colon, which can't stand in the user of Basic"
    return None


def _path_fault(scheme: PlaceScheme, fields: dict[str, str]) -> str | None:
    plan = plan_of(scheme)
    if plan.path and _has_dot_segment(plan.path % fields):
        return "a dot segment would stand in the path"
    return None


# --- placing -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PlacePlan:
    """A scheme made ready: templates in `%(name)s` form, which `str` fills from a dict in C."""

    count: int
    ascii: tuple[str, ...]
    """Fields of header and path."""
    headers: str
    basic: str
    user_fields: tuple[str, ...]
    query: tuple[tuple[str, str], ...]
    path: str
    path_fields: tuple[str, ...]

    def place(self, credential: Secret) -> Placed:
        """Put a credential into its places; see the function `place`."""
        return _place(self, credential)


@lru_cache(maxsize=4096)
def plan_of(scheme: PlaceScheme) -> PlacePlan:
    """Make a scheme ready, once."""
    of = {each: [p for p in scheme.placements if p.place is each] for each in Place}
    basic = of[Place.BASIC][0].value if of[Place.BASIC] else ""
    path = of[Place.PATH][0].value if of[Place.PATH] else ""
    ascii_fields = {
        name
        for each in of[Place.HEADER] + of[Place.PATH]
        for name in split_template(each.value)[1::2]
    }
    return PlacePlan(
        count=len(scheme.fields),
        ascii=tuple(sorted(ascii_fields)),
        headers="".join(f"{p.name}: {_percent(p.value)}\r\n" for p in of[Place.HEADER]),
        basic=_percent(basic) if basic else "",
        user_fields=tuple(_FIELD.findall(basic.partition(":")[0])),
        query=tuple((p.name, _percent(p.value)) for p in of[Place.QUERY]),
        path=_percent(path) if path else "",
        path_fields=tuple(_FIELD.findall(path)),
    )


def _percent(template: str) -> str:
    parts = split_template(template)
    return "".join(
        f"%({part})s" if index % 2 else part.replace("%", "%%") for index, part in enumerate(parts)
    )


_fields_decoder = msgspec.json.Decoder(dict[str, str])


def _decode(credential: Secret) -> dict[str, str]:
    try:
        return _fields_decoder.decode(credential.reveal())
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    raise CredentialClosed("the credential is not an object of strings", _AGAIN)


def _basic(plan: PlacePlan, fields: dict[str, str]) -> bytes:
    for name in plan.user_fields:
        if ":" in fields[name]:
            raise CredentialClosed("the credential can't stand in its place", _AGAIN)
    pair = plan.basic % fields
    return b"Authorization: Basic " + b64encode(pair.encode("utf-8")) + b"\r\n"


def _query(plan: PlacePlan, fields: dict[str, str]) -> bytes:
    pairs = [f"{name}={quote(value % fields, safe='')}" for name, value in plan.query]
    return "&".join(pairs).encode("ascii")


def _path(plan: PlacePlan, fields: dict[str, str]) -> bytes:
    encoded = {}
    for name in plan.path_fields:
        value = fields[name]
        if _PATH_FORBIDDEN.intersection(value):
            raise CredentialClosed("the credential can't stand in its place", _AGAIN)
        encoded[name] = quote(value, safe=_PATH_SAFE)
    prefix = plan.path % encoded
    if _has_dot_segment(prefix):
        raise CredentialClosed("the credential can't stand in its place", _AGAIN)
    return prefix.encode("ascii")


def _has_dot_segment(path: str) -> bool:
    return any(segment in (".", "..") for segment in path.split("/"))
