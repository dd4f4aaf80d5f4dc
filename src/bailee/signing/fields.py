"""What all schemes share: templates with `{names}`, and a credential as an object of strings."""

import re
from typing import Final

import msgspec

from bailee.errors import BadInput, CredentialClosed
from bailee.secret import Secret

CREDENTIAL_MAX_BYTES: Final = 65_536
VALUE_MAX_CHARS: Final = 16_384
FIELD_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
ENTER_AGAIN: Final = "enter the credential again"

_NAMED: Final = re.compile(r"\{([a-z][a-z0-9_]{0,39})\}")
_decoder: Final = msgspec.json.Decoder(dict[str, str])


def split_names(template: str) -> tuple[str, ...]:
    """Split a template into literals and names: even places are literals, odd ones names.

    Raises:
        BadInput: A brace that is not part of a `{name}`.
    """
    parts = tuple(_NAMED.split(template))
    if any("{" in literal or "}" in literal for literal in parts[::2]):
        raise BadInput(
            "braces stand only around a name, as in {api_key}",
            "a name is a small letter, then up to 39 small letters, digits and _",
        )
    return parts


def decode_fields(credential: Secret) -> dict[str, str]:
    """Read what `parse_credential` returned.

    Raises:
        CredentialClosed: It is not a JSON object of strings.
    """
    try:
        return _decoder.decode(credential.reveal())
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    # Raised here, so that the parser's error, which quotes its document, is not its context.
    raise CredentialClosed("the credential is not an object of strings", ENTER_AGAIN)


def header_fault(value: str) -> str | None:
    """Say why a value can't stand in a header or a path; None where it can."""
    if not (value.isascii() and value.isprintable()):
        return "holds a character that is not ASCII"
    if value != value.strip(" "):
        return "begins or ends with a space"
    return None
