"""Read what a user entered as a credential, and check that its provider's scheme can use it."""

import json
from typing import Any

import msgspec

from bailee.errors import BadInput
from bailee.model import AuthScheme, PlaceScheme, TemplateScheme
from bailee.secret import Secret
from bailee.signing.fields import (
    CREDENTIAL_MAX_BYTES,
    FIELD_NAME,
    VALUE_MAX_CHARS,
    header_fault,
)
from bailee.signing.key import UnfitSecret
from bailee.signing.place import path_fault, place_fault
from bailee.signing.template import template_signer


def parse_credential(scheme: AuthScheme, text: bytes) -> Secret:
    """Read what a user entered, and check that the scheme can place it or sign with it.

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
    if not faults and isinstance(scheme, PlaceScheme) and (fault := path_fault(scheme, fields)):
        faults.append(fault)
    if faults:
        raise BadInput(
            "the credential does not fit: " + "; ".join(faults),
            "it is a JSON object with exactly these fields: " + ", ".join(scheme.fields),
        )
    return Secret(msgspec.json.encode(fields, order="sorted"))


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


def _name_faults(scheme: AuthScheme, names: list[str]) -> list[str]:
    surplus = sorted(set(names) - set(scheme.fields))
    sayable = [name for name in surplus if FIELD_NAME.fullmatch(name)]
    faults = [f"{name} is missing" for name in scheme.fields if name not in names]
    faults += [f"{name} is not a field of this provider" for name in sayable]
    if len(sayable) < len(surplus):
        # Whoever pastes a key where its name belongs should not find it in a log.
        faults.append(f"{len(surplus) - len(sayable)} surplus fields whose names are not repeated")
    faults += [f"{name} stands there twice" for name in scheme.fields if names.count(name) > 1]
    return faults


def _value_fault(scheme: AuthScheme, name: str, value: object) -> str | None:
    if not isinstance(value, str):
        return "is not a string"
    if not 1 <= len(value) <= VALUE_MAX_CHARS:
        return f"is empty or longer than {VALUE_MAX_CHARS} characters"
    if _has_control(value, lines=_is_pem(scheme, name, value)):
        return "holds a control character, perhaps a line break at its end"
    if isinstance(scheme, PlaceScheme):
        return place_fault(scheme, name, value)
    return _template_fault(scheme, name, value)


def _template_fault(scheme: TemplateScheme, name: str, value: str) -> str | None:
    signer = template_signer(scheme)
    if name == scheme.secret:
        try:
            signer.check_secret(value)
        except UnfitSecret as fault:
            return str(fault)
    if name.encode() in signer.header_fields:
        return header_fault(value)
    return None


def _is_pem(scheme: AuthScheme, name: str, value: str) -> bool:
    return (
        isinstance(scheme, TemplateScheme)
        and name == scheme.secret
        and template_signer(scheme).may_hold_lines(value)
    )


def _has_control(value: str, *, lines: bool) -> bool:
    return any(
        (ord(char) < 32 and not (lines and char in "\r\n"))
        or 127 <= ord(char) < 160
        or 0xD800 <= ord(char) < 0xE000
        for char in value
    )
