"""Where a passphrase comes from. It is never an argument, and never the value of a variable.

The first of these that is there: the descriptor of BAILEE_PASSPHRASE_FD, the file of
BAILEE_PASSPHRASE_FILE, the file of the config, the terminal. A passphrase is UTF-8; one line feed
at its end does not count, and it is put into Unicode's form C: what looks the same is the same,
whichever keyboard typed it.
"""

import getpass
import os
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bailee.errors import BadInput, VaultClosed
from bailee.secret import Secret
from bailee.vault.backends.private import read_private

FD_VARIABLE = "BAILEE_PASSPHRASE_FD"
FILE_VARIABLE = "BAILEE_PASSPHRASE_FILE"
LEAST_CHARACTERS = 12
"""Of a new one: what is shorter is guessed in spite of Argon2."""
MOST_BYTES = 1024
TRIES = 3
_TERMINAL = "/dev/tty"
_WHAT = "the passphrase's file"


@dataclass(frozen=True, slots=True)
class PassphraseSource:
    """Where to look for the passphrase of a vault.

    `environ` holds the two variables, `file` is the one of the config. `prompt` says whether a
    person may be asked: not where nobody sits, as at a reload.
    """

    environ: Mapping[str, str] = field(repr=False)
    file: Path | None = None
    prompt: bool = True

    @property
    def tries(self) -> int:
        """How often it is worth to ask: a person may mistype."""
        return TRIES if self._named() is None and self.prompt else 1

    def read(self, *, again: bool = False) -> Secret:
        """Fetch the passphrase; `again` tells the person that the last one was wrong.

        Raises:
            VaultClosed: There is none, or it can't be read, or others could have read it.
        """
        named = self._named()
        if isinstance(named, int):
            return _checked(_read_descriptor(named))
        if named is not None:
            return _checked(read_private(named, _WHAT, MOST_BYTES + 2, links=True))
        if not self.prompt or not has_terminal():
            raise VaultClosed(
                "the root key needs a passphrase, and there is nobody to ask for it",
                f"name a file of mode 0600 in {FILE_VARIABLE} or [vault] passphrase_file, or a "
                f"descriptor in {FD_VARIABLE}",
            )
        return _checked(_typed("wrong, once more: " if again else "passphrase of the vault: "))

    def _named(self) -> Path | int | None:
        if descriptor := self.environ.get(FD_VARIABLE):
            if not descriptor.isascii() or not descriptor.isdigit():
                raise VaultClosed(f"{FD_VARIABLE} is not the number of a descriptor")
            return int(descriptor)
        if path := self.environ.get(FILE_VARIABLE):
            return Path(path)
        return self.file


def new_passphrase(text: bytes) -> Secret:
    """Check a passphrase that is about to be used for the first time.

    Raises:
        BadInput: It is shorter than 12 characters, longer than 1024 bytes, or not UTF-8.
    """
    try:
        chosen = _checked(text)
    except VaultClosed as fault:
        raise BadInput(fault.detail, fault.hint) from None
    if len(chosen.reveal().decode("utf-8")) < LEAST_CHARACTERS:
        raise BadInput(
            f"the passphrase has less than {LEAST_CHARACTERS} characters",
            "take six random words, or more",
        )
    return chosen


def ask_new_passphrase() -> Secret:
    """Ask a person for a new passphrase, twice.

    Raises:
        BadInput: There is no terminal, the two differ, or it is too short.
    """
    if not has_terminal():
        raise BadInput(
            "there is no terminal to ask for the passphrase",
            "give it on stdin, with --passphrase-file -",
        )
    first = new_passphrase(_typed("new passphrase: "))
    if _checked(_typed("the same once more: ")) != first:
        raise BadInput("the two are not the same: nothing was made")
    return first


def has_terminal() -> bool:
    """Tell whether this process has a terminal, whatever stdin and stdout are."""
    try:
        os.close(os.open(_TERMINAL, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def _typed(prompt: str) -> bytes:
    try:
        return getpass.getpass(prompt).encode("utf-8", "surrogateescape")
    except EOFError:
        raise VaultClosed("no passphrase was typed") from None


def _read_descriptor(descriptor: int) -> bytes:
    """Read a descriptor to its end and close it: no child of this process gets it."""
    text = b""
    try:
        with open(descriptor, "rb", buffering=0) as file:
            while len(text) <= MOST_BYTES and (part := file.read(MOST_BYTES + 2)):
                text += part
    except OSError as error:
        raise VaultClosed(
            f"descriptor {descriptor} of {FD_VARIABLE} can't be read: "
            f"{(error.strerror or '?').lower()}"
        ) from None
    return text


def _checked(text: bytes) -> Secret:
    text = text.removesuffix(b"\n").removesuffix(b"\r")
    try:
        formed = unicodedata.normalize("NFC", text.decode("utf-8")).encode("utf-8")
    except UnicodeDecodeError:
        raise VaultClosed("the passphrase is not UTF-8") from None
    if not formed or max(len(formed), len(text)) > MOST_BYTES:
        raise VaultClosed(
            "the passphrase is empty" if not formed else "the passphrase is longer than 1024 bytes"
        )
    return Secret(formed)
