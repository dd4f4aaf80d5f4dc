"""The forms of what people name and choose, read once at the edge."""

import re

from bailee.errors import BadInput

PAGE_LIMIT = 1000
SUBJECT_CHARACTERS = 256
NAME_CHARACTERS = 64
LABEL_CHARACTERS = 128

_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{NAME_CHARACTERS - 1}}}", re.ASCII)
_TENANT = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)


def parse_name(text: str, what: str) -> str:
    """Read the name of a caller and the like; `what` says which in the error.

    Raises:
        BadInput: It is not 1 to 64 letters, digits, dots, hyphens and underscores.
    """
    if not _NAME.fullmatch(text):
        raise BadInput(
            f"the name of {what} is not of the right form",
            f"1 to {NAME_CHARACTERS} letters, digits, '.', '-', '_'; the first a letter or digit",
        )
    return text


def parse_tenant(text: str) -> str:
    """Read a tenant's id.

    Raises:
        BadInput: It is not a DNS label.
    """
    if not _TENANT.fullmatch(text):
        raise BadInput(
            "the id of a tenant is not of the right form",
            "1 to 63 lower-case letters, digits and hyphens",
        )
    return text


def parse_subject(text: str) -> str:
    """Read a subject, which the application chooses freely.

    Raises:
        BadInput: It is not 1 to 256 printable characters.
    """
    if not 1 <= len(text) <= SUBJECT_CHARACTERS or not text.isprintable():
        raise BadInput(f"a subject is 1 to {SUBJECT_CHARACTERS} printable characters")
    return text


def parse_label(text: str) -> str:
    """Read a label for people, which may be empty.

    Raises:
        BadInput: It is longer than 128 characters or has unprintable ones.
    """
    if len(text) > LABEL_CHARACTERS or not text.isprintable():
        raise BadInput(f"a label is at most {LABEL_CHARACTERS} printable characters")
    return text


def parse_limit(limit: int) -> int:
    """Read how many rows a page may have.

    Raises:
        BadInput: It is not 1 to 1000.
    """
    if not 1 <= limit <= PAGE_LIMIT:
        raise BadInput(f"a page has 1 to {PAGE_LIMIT} rows")
    return limit
