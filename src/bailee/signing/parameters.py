"""Take what an SDK signed with out of a query, a form or a JSON body, and put ours in.

What is not ours keeps its bytes and its order: APIs sign what is sent, not what is meant. A name is
compared as it is decoded, so that an escape in it makes no second parameter of the same name. A
parameter of ours that stands there twice is refused, for nobody knows which one the API reads.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote_from_bytes, unquote_to_bytes

from bailee.errors import UnsignableRequest

FORM: Final = b"application/x-www-form-urlencoded"
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_decoder: Final = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Edited:
    """Parameters after the caller's own were replaced or taken out."""

    encoded: bytes
    seen: frozenset[bytes]
    """Which of ours the caller had sent."""


NOTHING_SEEN: Final[frozenset[bytes]] = frozenset()


def edit_parameters(encoded: bytes, own: Mapping[bytes, bytes | None]) -> Edited:
    """Edit `a=b&c=d`.

    Args:
        encoded: A query without its question mark, or a form.
        own: By name the encoded value that takes the place of the caller's; None takes it out.

    Raises:
        UnsignableRequest: One of ours stands there twice.
    """
    if not encoded:
        return Edited(b"", NOTHING_SEEN)
    kept = []
    seen = set()
    for pair in encoded.split(b"&"):
        name = pair.partition(b"=")[0]
        if b"%" in name or b"+" in name:
            name = unquote_to_bytes(name.replace(b"+", b" "))
        if name not in own:
            kept.append(pair)
            continue
        if name in seen:
            raise _twice(name)
        seen.add(name)
        value = own[name]
        if value is not None:
            kept.append(name + b"=" + value)
    return Edited(b"&".join(kept), frozenset(seen)) if seen else Edited(encoded, NOTHING_SEEN)


def append_parameter(encoded: bytes, name: bytes, value: bytes) -> bytes:
    """Append `name=value` to a query or a form; `value` is encoded already."""
    pair = name + b"=" + value
    return encoded + b"&" + pair if encoded else pair


def percent_encoded(value: bytes) -> bytes:
    """Encode everything but letters, digits and `-._~`."""
    return value if value.isalnum() else quote_from_bytes(value, safe="").encode("ascii")


def is_form(content_type: bytes) -> bool:
    """Tell whether a `Content-Type` is that of a form."""
    return _media_type(content_type) == FORM


def is_json(content_type: bytes) -> bool:
    """Tell whether a `Content-Type` is JSON's, or that of a format made of it."""
    media = _media_type(content_type)
    return media == b"application/json" or media.endswith(b"+json")


def edit_json(body: bytes, own: Mapping[str, str | None]) -> bytes:
    """Edit the members of a JSON object.

    A value of ours is a text, or a number where the caller's was one. Members keep their bytes and
    order; new ones come last. White space between members goes.

    Args:
        body: One JSON object in UTF-8; empty stands for one without members.
        own: By name what takes the place of the caller's; None takes it out.

    Raises:
        UnsignableRequest: It is no JSON object, or one of ours stands there twice.
    """
    kept = []
    seen = set()
    for name, value, text in members(body):
        if name not in own:
            kept.append(text)
            continue
        if name in seen:
            raise _twice(name.encode())
        seen.add(name)
        ours = own[name]
        if ours is not None:
            kept.append(_member(name, ours, number=type(value) is int))
    kept += [_member(n, v) for n, v in own.items() if v is not None and n not in seen]
    return ("{" + ",".join(kept) + "}").encode("utf-8")


def members(body: bytes) -> list[tuple[str, object, str]]:
    """Split a JSON object into (name, value, the member as it is written).

    Raises:
        UnsignableRequest: It is no JSON object in UTF-8.
    """
    try:
        return _walk(body.decode("utf-8")) if body else []
    except (ValueError, IndexError, RecursionError):
        pass
    raise UnsignableRequest(
        "the body is not one JSON object", "the signature's parts stand in its members"
    )


def json_text(value: str) -> str:
    """Write a text as JSON."""
    return json.dumps(value, ensure_ascii=False)


def _member(name: str, value: str, *, number: bool = False) -> str:
    return f"{json_text(name)}:{value if number and value.isdigit() else json_text(value)}"


def _walk(text: str) -> list[tuple[str, object, str]]:
    """Read one object. What is not one raises ValueError or IndexError."""
    found = []
    at = _after(text, _skip(text, 0), "{")
    while text[at] != "}":
        start = at
        name, at = _decoder.raw_decode(text, at)
        if not isinstance(name, str):
            raise ValueError("a member without a name")
        at = _after(text, _skip(text, at), ":")
        value, at = _decoder.raw_decode(text, at)
        found.append((name, value, text[start:at]))
        at = _skip(text, at)
        if text[at] == ",":
            at = _skip(text, at + 1)
            if text[at] == "}":
                raise ValueError("a comma before the end")
        elif text[at] != "}":
            raise ValueError("neither a comma nor the end")
    if _skip(text, at + 1) != len(text):
        raise ValueError("something after the end")
    return found


def _after(text: str, at: int, expected: str) -> int:
    if text[at] != expected:
        raise ValueError("not an object")
    return _skip(text, at + 1)


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _media_type(content_type: bytes) -> bytes:
    return content_type.partition(b";")[0].strip().lower()


def _twice(name: bytes) -> UnsignableRequest:
    return UnsignableRequest(
        f"{name.decode('ascii')} stands there twice", "leave it out: Bailee fills it"
    )
