"""The `place` scheme: what the user gave is put into a header, the query, the path or Basic.

A template is literal text with `{field}` in it. There is no escape for braces.

| place | the template is | what a value may hold |
|---|---|---|
| header | the header's value | visible ASCII and inner spaces |
| query | the parameter's value | anything but control characters; percent-encoded |
| path | a prefix, `/bot{token}` | visible ASCII but `/ \\ % ? # ;`, no dot segment; encoded |
| basic | `{user}:{password}` | anything but control characters; no `:` in the user |

The rules of the third column are checked when a credential is entered (`credential.py`, so that its
user is told) and again when it is placed: what was opened is not trusted to be what was sealed.
"""

import re
from base64 import b64encode
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote

from bailee.errors import BadInput, CredentialClosed
from bailee.model import Place, Placement, PlaceScheme
from bailee.secret import Secret
from bailee.signing.fields import ENTER_AGAIN, decode_fields, header_fault, split_names

_FIELD = re.compile(r"\{([a-z][a-z0-9_]{0,39})\}")
_PATH_FORBIDDEN = frozenset("/\\%?#;")
_PATH_SAFE = ":@!$&'()*+,="


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
    parts = split_names(template)
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
    fields = decode_fields(credential)
    if len(fields) != plan.count:
        raise CredentialClosed("the credential's fields are not those of the scheme", ENTER_AGAIN)
    try:
        for name in plan.ascii:
            value = fields[name]
            if not (value and value.isascii() and value.isprintable()):
                raise CredentialClosed("the credential can't stand in its place", ENTER_AGAIN)
        headers = (plan.headers % fields).encode("ascii") if plan.headers else b""
        if plan.basic:
            headers += _basic(plan, fields)
        query = _query(plan, fields) if plan.query else b""
        prefix = _path(plan, fields) if plan.path else b""
    except KeyError:
        # Only a field name of the provider's file could stand in the KeyError, never a value.
        raise CredentialClosed("the credential lacks a field of the scheme", ENTER_AGAIN) from None
    return Placed(headers, query, prefix)


# --- entering ------------------------------------------------------------------------------------


def place_fault(scheme: PlaceScheme, name: str, value: str) -> str | None:
    """Say why a value that a user entered can't stand where the scheme places it."""
    plan = plan_of(scheme)
    if name in plan.ascii and (fault := header_fault(value)):
        return fault
    if name in plan.path_fields and _PATH_FORBIDDEN & set(value):
        return "holds a character that can't stand in a path"
    if name in plan.user_fields and ":" in value:
        return "holds a colon, which can't stand in the user of Basic"
    return None


def path_fault(scheme: PlaceScheme, fields: dict[str, str]) -> str | None:
    """Say why all values together can't stand in the path."""
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


def _basic(plan: PlacePlan, fields: dict[str, str]) -> bytes:
    for name in plan.user_fields:
        if ":" in fields[name]:
            raise CredentialClosed("the credential can't stand in its place", ENTER_AGAIN)
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
            raise CredentialClosed("the credential can't stand in its place", ENTER_AGAIN)
        encoded[name] = quote(value, safe=_PATH_SAFE)
    prefix = plan.path % encoded
    if _has_dot_segment(prefix):
        raise CredentialClosed("the credential can't stand in its place", ENTER_AGAIN)
    return prefix.encode("ascii")


def _has_dot_segment(path: str) -> bool:
    return any(segment in (".", "..") for segment in path.split("/"))
