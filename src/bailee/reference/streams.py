"""Bodies that are made while they are sent."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES128
from cryptography.hazmat.primitives.ciphers.modes import CTR

PIECE_BYTES = 64 * 1024


def pseudo_random(count: int, seed: int = 0) -> Iterator[bytes]:
    """Yield `count` bytes that look random and are the same for each `seed`, in pieces of 64 KiB.

    It is AES in counter mode under a known key, for speed: a body to compare, and no secret.
    """
    stream = Cipher(AES128(seed.to_bytes(16, "big")), CTR(bytes(16))).encryptor()
    zeros = bytes(PIECE_BYTES)
    for start in range(0, count, PIECE_BYTES):
        yield stream.update(zeros[: count - start])


def pseudo_random_sha256(count: int, seed: int = 0) -> str:
    """Compute the SHA-256, in hex, of what `pseudo_random` yields."""
    digest = hashlib.sha256()
    for piece in pseudo_random(count, seed):
        digest.update(piece)
    return digest.hexdigest()


async def pseudo_random_pieces(count: int, seed: int = 0) -> AsyncIterator[bytes]:
    """`pseudo_random`, for an answer."""
    for piece in pseudo_random(count, seed):
        yield piece


async def slow_pieces(count: int, size: int, delay_seconds: float) -> AsyncIterator[bytes]:
    """Yield `count` numbered pieces of `size` bytes, and wait before each but the first."""
    for number in range(count):
        if number and delay_seconds:
            await asyncio.sleep(delay_seconds)
        yield f"{number:08d} ".encode().ljust(size, b".")[:size]
