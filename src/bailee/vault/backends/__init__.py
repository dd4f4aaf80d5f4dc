"""Where the root key is kept. It is never in the database."""

from collections.abc import Mapping
from pathlib import Path

from bailee.errors import VaultClosed
from bailee.secret import Secret
from bailee.vault.backends.derived import Derivation, read_derivation
from bailee.vault.backends.file import read_root_key
from bailee.vault.backends.passphrase import PassphraseSource

FILE = "file"
PASSPHRASE = "passphrase"


def open_root_key(url: str, base: Path, passphrase: PassphraseSource | None = None) -> Secret:
    """Fetch the root key from where the config says it is.

    Args:
        url: `file:` or `passphrase:` and a path; a relative one is relative to `base`.
        base: The directory of the config file.
        passphrase: Where to look for a passphrase; without it, none is asked for.

    Returns:
        32 bytes.

    Raises:
        VaultClosed: It is not there, others could have read or written it, or the passphrase is
            wrong.
    """
    kind, place = _split(url)
    if kind == FILE:
        return read_root_key(base / place)
    return _derive(read_derivation(base / place), passphrase or PassphraseSource({}, prompt=False))


class RootKeys:
    """Opens the root key as often as a process wants it, and asks a person once.

    What came of a passphrase is kept for as long as the file of its parameters stays the same: a
    reload asks nobody, and a descriptor need be read but once. A key in a file is read each time.

    Args:
        environ: Names where the passphrase is.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._asked = False
        self._kept: tuple[Derivation, Secret] | None = None

    def __repr__(self) -> str:
        return f"RootKeys({'kept' if self._kept else 'none kept'})"

    def open(self, url: str, base: Path, passphrase_file: Path | None) -> Secret:
        """Fetch the root key, as `open_root_key` does.

        Raises:
            VaultClosed: As there.
        """
        kind, place = _split(url)
        if kind == FILE:
            return read_root_key(base / place)
        derivation = read_derivation(base / place)
        if self._kept is None or self._kept[0] != derivation:
            prompt, self._asked = not self._asked, True
            source = PassphraseSource(self._environ, passphrase_file, prompt)
            self._kept = derivation, _derive(derivation, source)
        return self._kept[1]


def _split(url: str) -> tuple[str, str]:
    kind, _, place = url.partition(":")
    if kind not in (FILE, PASSPHRASE) or not place:
        raise VaultClosed(
            "[vault] root_key names no key store that this version knows",
            'use root_key = "file:root.key" or "passphrase:root.kdf"',
        )
    return kind, place


def _derive(derivation: Derivation, passphrase: PassphraseSource) -> Secret:
    for attempt in range(passphrase.tries):
        key = derivation.derive(passphrase.read(again=attempt > 0))
        if key is not None:
            return key
    raise VaultClosed(
        "the passphrase is not the one that this vault was made with",
        "start again and type it, or mend the file that has it",
    )
