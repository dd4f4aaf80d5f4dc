"""The guard: what of a credential stands in an answer does not reach the caller.

An API that repeats the key it was sent, in an error message or an account page, would show it to
whoever calls through Bailee. Each value of the credential with at least 16 bytes is looked for as
it is, as JSON and as a URL would write it, and in base64 wherever it may begin; what is found is
overwritten with asterisks, so that lengths stay. What it can't see: shorter values, compressed
bodies, and every other way to write a value down.
"""

import json
from base64 import b64encode
from collections.abc import Iterable, Sequence
from typing import Final
from urllib.parse import quote, quote_plus

LEAST_BYTES: Final = 16
"""Shorter values stand in answers by chance."""
_URLSAFE: Final = bytes.maketrans(b"+/", b"-_")
_MASK: Final = b"*"


def needles_of(values: Iterable[bytes]) -> tuple[bytes, ...]:
    """Write every form of each value that is looked for; none contains a NUL that no value has."""
    found: dict[bytes, None] = {}
    for value in values:
        if len(value) < LEAST_BYTES:
            continue
        found[value] = None
        for form in (*_escaped(value), *_in_base64(value)):
            found[form] = None
    return tuple(found)


class EchoGuard:
    """Masks needles in a body that comes in pieces.

    A piece's end that may be the beginning of a needle is held back until more has come.
    """

    __slots__ = ("_needles", "_tail", "masked")

    def __init__(self, needles: Sequence[bytes]) -> None:
        self._needles = needles
        self._tail = b""
        self.masked = False
        """Whether anything was found by now."""

    def __repr__(self) -> str:
        return f"EchoGuard(masked={self.masked})"

    def feed(self, piece: bytes, *, last: bool) -> bytes:
        """Take a piece of the body and return what may be passed on, masked.

        Args:
            piece: What has come; it may be empty.
            last: Whether nothing comes after it: then nothing is held back.
        """
        whole = self._tail + piece if self._tail else piece
        masked = mask(whole, self._needles)
        if masked is not whole:
            self.masked = True
            whole = masked
        if last:
            self._tail = b""
            return whole
        cut = self._safe_length(whole)
        self._tail = whole[cut:]
        return whole[:cut] if self._tail else whole

    def _safe_length(self, text: bytes) -> int:
        """How much of a text is not the beginning of a needle that goes on after it."""
        safe = len(text)
        for needle in self._needles:
            first = needle[:1]
            place = text.find(first, max(0, len(text) - len(needle) + 1))
            while 0 <= place < safe:
                if needle.startswith(text[place:]):
                    safe = place
                    break
                place = text.find(first, place + 1)
        return safe


def mask(text: bytes, needles: Sequence[bytes]) -> bytes:
    """Mask needles in a whole text, such as a head; the same object where none is in it."""
    for needle in needles:
        if needle in text:
            text = text.replace(needle, _MASK * len(needle))
    return text


def _escaped(value: bytes) -> Iterable[bytes]:
    """The value as JSON and URLs write it."""
    text = value.decode("utf-8", "replace")
    for ascii_only in (True, False):
        written = json.dumps(text, ensure_ascii=ascii_only)[1:-1]
        yield written.encode("utf-8", "replace")
        yield written.replace("/", "\\/").encode("utf-8", "replace")
    for encoded in (quote(value, safe=""), quote(value), quote_plus(value)):
        yield encoded.encode("ascii")
        yield _lower_escapes(encoded).encode("ascii")


def _lower_escapes(encoded: str) -> str:
    head, *rest = encoded.split("%")
    return head + "".join(f"%{part[:2].lower()}{part[2:]}" for part in rest)


def _in_base64(value: bytes) -> Iterable[bytes]:
    """The characters that only the value decides, for each place where it may begin."""
    for before in range(3):
        encoded = b64encode(bytes(before) + value)
        start = (before * 8 + 5) // 6
        inner = encoded[start : (before + len(value)) * 8 // 6]
        yield inner
        yield inner.translate(_URLSAFE)
