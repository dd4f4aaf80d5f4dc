"""The root key from a passphrase: a file holds how it is derived, and never the key.

One line:

    bailee-kdf-1 argon2id m=262144 t=3 p=4 <salt> <check value> <checksum>

| part        | what it is                                                                      |
|-------------|---------------------------------------------------------------------------------|
| m, t, p     | memory in KiB, passes, lanes (RFC 9106); the version of Argon2 is 0x13          |
| salt        | 16 random bytes, base64                                                         |
| check value | 16 bytes derived beside the key, base64: tells a wrong passphrase from another  |
|             | vault's database, and says no more of the key than the wrapped keys do          |
| checksum    | 8 hex digits of the SHA-256 of all before it: tells a file that was cut         |

Argon2id gives 32 bytes; the root key and the check value come of them by HKDF-Expand under two
labels, so that neither says anything of the other. The bounds on m, t and p hold before a byte is
set aside: an altered file neither makes guessing cheap nor takes the machine's memory.
"""

import hmac
import os
import re
from base64 import b64decode, b64encode
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from argon2.exceptions import HashingError
from argon2.low_level import Type, hash_secret_raw
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from bailee.errors import VaultClosed
from bailee.secret import Secret
from bailee.vault.backends.private import create_private, read_private

MEMORY_KIB = (64 * 1024, 1024 * 1024)
"""At least what RFC 9106 recommends second; at most what a start may take for a moment."""
PASSES = (3, 16)
LANES = (1, 16)
_KEY_BYTES = 32
_SALT_BYTES = 16
_CHECK_BYTES = 16
_FILE_MAX_BYTES = 256
_ARGON2_VERSION = 0x13
_WHAT = "the file of the passphrase's parameters"
_LINE = re.compile(
    r"bailee-kdf-1 argon2id m=([1-9][0-9]{0,8}) t=([1-9][0-9]{0,3}) p=([1-9][0-9]{0,3}) "
    r"([A-Za-z0-9+/]{22}==) ([A-Za-z0-9+/]{22}==) ([0-9a-f]{8})",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Cost:
    """What one guess costs whoever has the file: memory in KiB, passes over it, lanes."""

    memory_kib: int = 256 * 1024
    passes: int = 3
    lanes: int = 4


@dataclass(frozen=True, slots=True)
class Derivation:
    """How the root key comes of the passphrase."""

    cost: Cost
    salt: bytes
    check: bytes

    def derive(self, passphrase: Secret) -> Secret | None:
        """Derive the root key, 32 bytes; None when it is not the right passphrase.

        Raises:
            VaultClosed: There is not enough memory.
        """
        key, check = _derive(passphrase, self.salt, self.cost)
        return key if hmac.compare_digest(check, self.check) else None

    def line(self) -> bytes:
        """Write it in its one form."""
        cost = self.cost
        text = (
            f"bailee-kdf-1 argon2id m={cost.memory_kib} t={cost.passes} p={cost.lanes} "
            f"{b64encode(self.salt).decode()} {b64encode(self.check).decode()} "
        )
        return f"{text}{sha256(text.encode()).hexdigest()[:8]}\n".encode("ascii")


def create_derivation(path: Path, passphrase: Secret, cost: Cost | None = None) -> Secret:
    """Derive a new root key and write how to a new file of mode 0600, flushed to disk.

    Raises:
        Conflict: The file is there already; it is left as it is.
        VaultClosed: It can't be written, or the cost is out of bounds.
    """
    cost = cost or Cost()
    _check_bounds(cost)
    salt = os.urandom(_SALT_BYTES)
    key, check = _derive(passphrase, salt, cost)
    create_private(path, Derivation(cost, salt, check).line(), _WHAT)
    return key


def read_derivation(path: Path) -> Derivation:
    """Read how the root key is derived. Nothing is derived, and no memory set aside.

    Raises:
        VaultClosed: The file is missing, a link, no plain file, open to group or others, owned by
            someone else than this user or root, cut, altered, or out of bounds.
    """
    text = read_private(path, _WHAT, _FILE_MAX_BYTES).decode("latin-1")
    found = _LINE.fullmatch(text.removesuffix("\n"))
    if found is not None:
        cost = Cost(int(found[1]), int(found[2]), int(found[3]))
        derivation = Derivation(cost, b64decode(found[4]), b64decode(found[5]))
        # Compared whole: the checksum, and that there is no second spelling of the base64.
        if derivation.line().rstrip(b"\n") == text.removesuffix("\n").encode("latin-1"):
            _check_bounds(cost)
            return derivation
    raise VaultClosed(
        f"{_WHAT} is cut or altered",
        "put it back from a copy: without its salt no passphrase opens the vault",
    )


def _check_bounds(cost: Cost) -> None:
    for name, value, (least, most) in (
        ("m", cost.memory_kib, MEMORY_KIB),
        ("t", cost.passes, PASSES),
        ("p", cost.lanes, LANES),
    ):
        if not least <= value <= most:
            raise VaultClosed(
                f"{_WHAT} says {name}={value}, and {least} to {most} is allowed",
                "somebody altered it: put it back from a copy",
            )


def _derive(passphrase: Secret, salt: bytes, cost: Cost) -> tuple[Secret, bytes]:
    try:
        raw = hash_secret_raw(
            secret=passphrase.reveal(),
            salt=salt,
            time_cost=cost.passes,
            memory_cost=cost.memory_kib,
            parallelism=cost.lanes,
            hash_len=_KEY_BYTES,
            type=Type.ID,
            version=_ARGON2_VERSION,
        )
    except (HashingError, MemoryError):
        raise VaultClosed(
            f"the passphrase can't be used: it takes {cost.memory_kib // 1024} MiB of memory "
            "for a moment, and there is not so much"
        ) from None
    key = HKDFExpand(SHA256(), _KEY_BYTES, b"bailee/root-key/v1").derive(raw)
    return Secret(key), HKDFExpand(SHA256(), _CHECK_BYTES, b"bailee/root-key-check/v1").derive(raw)
