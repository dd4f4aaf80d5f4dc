"""The text form of pins, as in HPKP and curl: `sha256/<base64>`."""

import base64

from bailee.errors import BadInput
from bailee.model import Pin

_PREFIX = "sha256/"


def parse_pin(text: str) -> Pin:
    """Read `sha256/<base64 of 32 bytes>`.

    Raises:
        BadInput: The prefix or the base64 is wrong, it is not 32 bytes, or it is a second spelling.
    """
    hint = f"a pin looks like {_PREFIX}{base64.b64encode(bytes(32)).decode()}"
    if not text.startswith(_PREFIX):
        raise BadInput(f"pin {text!r} does not start with {_PREFIX}", hint)
    try:
        digest = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except ValueError:
        raise BadInput(f"pin {text!r} is not base64", hint) from None
    if len(digest) != 32:
        raise BadInput(f"pin {text!r} holds {len(digest)} bytes, not 32", hint)
    pin = Pin(digest)
    if format_pin(pin) != text:
        raise BadInput(f"pin {text!r} is a second spelling of {format_pin(pin)}", hint)
    return pin


def format_pin(pin: Pin) -> str:
    """Write a pin in the form that `parse_pin` reads."""
    return _PREFIX + base64.b64encode(pin).decode()
