"""What stands in a compressed body, as far as it has to be known."""

import zlib
from typing import Final

_GZIP_BITS: Final = 31
_ZLIB_BITS: Final = 15


def decode_start(body: bytes, coding: bytes, limit: int) -> bytes | None:
    """Decode the first `limit` bytes that a body stands for.

    Args:
        body: The body, or its beginning.
        coding: The value of `Content-Encoding`, lower case; empty for none.
        limit: A bomb is not unpacked further than this.

    Returns:
        None when the coding is none of identity, gzip and deflate, or the body is not of it.
    """
    if coding in (b"", b"identity"):
        return body[:limit]
    bits = {b"gzip": _GZIP_BITS, b"x-gzip": _GZIP_BITS, b"deflate": _ZLIB_BITS}.get(coding)
    if bits is None:
        return None
    try:
        return zlib.decompressobj(bits).decompress(body, limit)
    except zlib.error:
        return None
