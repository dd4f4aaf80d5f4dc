"""Secrets that are planted, and looked for in every form in which they could leak."""

import base64
import json
import secrets
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from urllib.parse import quote, quote_plus

_FRAGMENT = 24


def new_canary() -> str:
    """A secret that is unlike everything else and that an encoding of URLs changes."""
    return f"cnry{secrets.token_hex(16)}+&='{secrets.token_hex(16)}"


def find(secret: str, places: Mapping[str, bytes]) -> list[str]:
    """Look for a secret, whole or a part of it, in all forms.

    Args:
        secret: At least 24 characters.
        places: What is searched, by name.

    Returns:
        `place: form` for all that was found.
    """
    forms = spellings(secret)
    return [
        f"{name}: {form}"
        for name, content in places.items()
        for form, spelt in forms.items()
        if spelt in content
    ]


def spellings(secret: str) -> dict[str, bytes]:
    """All forms of a secret, and of its first and last 24 bytes."""
    raw = secret.encode()
    parts = {"": raw, "begin ": raw[:_FRAGMENT], "end ": raw[-_FRAGMENT:]}
    return {f"{part}{form}": spelt for part, it in parts.items() for form, spelt in _spell(it)}


def _spell(raw: bytes) -> Iterable[tuple[str, bytes]]:
    text = raw.decode()
    yield "raw", raw
    yield "reversed", raw[::-1]
    yield "hex", raw.hex().encode()
    yield "HEX", raw.hex().upper().encode()
    yield "json", json.dumps(text)[1:-1].encode()
    yield "url", quote(text, safe="").encode()
    yield "url, small letters", quote(text, safe="").replace("%2B", "%2b").encode()
    yield "url, plus", quote_plus(text).encode()
    for shift in range(3):
        yield f"base64 +{shift}", _base64(raw, shift, base64.b64encode)
        yield f"base64url +{shift}", _base64(raw, shift, base64.urlsafe_b64encode)


def _base64(raw: bytes, shift: int, encode: Callable[[bytes], bytes]) -> bytes:
    """What of a base64 text is the same, whatever stands before and after, for one alignment."""
    encoded = encode(bytes(shift) + raw)
    whole = len(bytes(shift) + raw) * 8 // 6
    return encoded[(shift * 8 + 5) // 6 : whole]


def files(directory: Path, *, without: Iterable[str] = ()) -> dict[str, bytes]:
    """Every file below a directory, by its path there."""
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and path.name not in without
    }


def processes(pids: Iterable[int]) -> dict[str, bytes]:
    """The command lines and environments of processes, as far as this user may see them."""
    paths = [Path(f"/proc/{pid}/{name}") for pid in pids for name in ("cmdline", "environ")]
    return {str(path): path.read_bytes() for path in paths if _readable(path)}


def _readable(path: Path) -> bool:
    """Whether a file can be opened; of a process that is not dumpable, only root can."""
    try:
        path.open("rb").close()
    except PermissionError:
        return False
    return True
