"""`policy.pin`: a pin is written in one way, and read in that way alone."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bailee.errors import BadInput
from bailee.model import Pin
from bailee.policy.pin import format_pin, parse_pin

GOOD = "sha256/" + base64.b64encode(bytes(range(32))).decode()
REFUSED = {
    "nothing": "",
    "no prefix": GOOD.removeprefix("sha256/"),
    "another hash": GOOD.replace("sha256", "sha1"),
    "upper case": GOOD.replace("sha256", "SHA256"),
    "two slashes": GOOD.replace("/", "//", 1),
    "a space before": " " + GOOD,
    "a space behind": GOOD + " ",
    "a line end": GOOD + "\n",
    "no padding": GOOD.rstrip("="),
    "URL-safe base64": "sha256/" + base64.urlsafe_b64encode(b"\xff" * 32).decode(),
    "hex": "sha256/" + "ab" * 32,
    "31 bytes": "sha256/" + base64.b64encode(bytes(31)).decode(),
    "33 bytes": "sha256/" + base64.b64encode(bytes(33)).decode(),
    "a letter that is not ASCII": "sha256/é" + GOOD[8:],
    "bits after the end": "sha256/" + "A" * 42 + "B=",
}


@given(st.binary(min_size=32, max_size=32))
def test_formatted_pin_is_read(digest: bytes) -> None:
    """What is written is read as the same pin."""
    assert parse_pin(format_pin(Pin(digest))) == digest


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED.keys())
def test_other_forms_are_refused(text: str) -> None:
    """Anything else is refused with an example of the right form."""
    with pytest.raises(BadInput) as refused:
        parse_pin(text)
    assert "sha256/" in refused.value.hint
