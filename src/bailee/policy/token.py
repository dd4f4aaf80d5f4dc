"""The form of a token: `bailee_`, 256 random bits in base 62, a checksum that scanners can test.

    bailee_ | 43 characters, the random bits | 6 characters, CRC-32 of all before, base 62

The checksum keeps typing errors and random noise away from the database; it is no secret. What is
stored is the SHA-256 of the whole text: 256 random bits need no slow digest.
"""

from hashlib import sha256
from zlib import crc32

PREFIX = "bailee_"
RANDOM_BYTES = 32

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_RANDOM_DIGITS = 43
_CHECKSUM_DIGITS = 6
_BODY = len(PREFIX) + _RANDOM_DIGITS
LENGTH = _BODY + _CHECKSUM_DIGITS


def format_token(random: bytes) -> str:
    """Write 32 random bytes as a token."""
    if len(random) != RANDOM_BYTES:
        raise ValueError("a token has 32 random bytes")
    body = PREFIX + _base62(int.from_bytes(random), _RANDOM_DIGITS)
    return body + _checksum(body.encode("ascii"))


def digest(text: str) -> bytes | None:
    """Compute under what a token is stored: SHA-256, 32 bytes.

    Returns:
        None when the text can't be a token: wrong prefix, length, characters or checksum.
    """
    if len(text) != LENGTH or not text.startswith(PREFIX) or not text.isascii():
        return None
    encoded = text.encode("ascii")
    if not encoded[len(PREFIX) :].isalnum() or text[_BODY:] != _checksum(encoded[:_BODY]):
        return None
    return sha256(encoded).digest()


def admits_method(methods: frozenset[str] | None, method: str) -> bool:
    """Say whether a token that is bound to some methods is good for one.

    As in a grant's rules, `GET` covers `HEAD`. Bound to None, it is good for all.
    """
    return methods is None or method in methods or (method == "HEAD" and "GET" in methods)


def _checksum(body: bytes) -> str:
    return _base62(crc32(body), _CHECKSUM_DIGITS)


def _base62(number: int, digits: int) -> str:
    text = ""
    for _ in range(digits):
        number, digit = divmod(number, 62)
        text = _ALPHABET[digit] + text
    return text
