"""Entries are one line of printable ASCII, whatever their strings hold."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bailee.journal.entry import (
    End,
    Event,
    IntentForm,
    Start,
    decode,
    encode,
    encode_lines,
    subject_hash,
)
from bailee.model import TenantId
from journal_support import intent, outcome

NASTY = {
    "a line end": "/a\nb",
    "a carriage return": "/a\r\nb",
    "quotes and a backslash": '/a"},{"type":"end"}\\',
    "a line separator": "/a\u2028b\u2029c\u0085d",
    "a terminal's escape": "/a\x1b[2Jb\x9b1m",
    "a delete character": "/a\x7fb",
    "beyond the basic plane": "/a\U0001f600b",
    "a right-to-left override": "/a\u202eb",
}


@pytest.mark.parametrize("path", NASTY.values(), ids=NASTY.keys())
def test_a_path_that_would_inject_stays_one_line_and_comes_back(path: str) -> None:
    """R44: a path can't begin another line, and reads back as it was."""
    text = encode(intent(1, path=path))
    assert _is_plain(text)
    assert json.loads(text)["path"] == path
    assert decode(text) == intent(1, path=path)


def test_bytes_that_are_not_utf8_become_visible_text() -> None:
    """R44: invalid UTF-8 neither fails nor gets lost; it is shown with a backslash."""
    text = encode(intent(1, path=b"/a\xff\xfeb".decode("utf-8", "surrogateescape")))
    assert _is_plain(text)
    assert json.loads(text)["path"] == "/a\\udcff\\udcfeb"


@given(st.text(st.characters(exclude_categories=())))
def test_any_string_stays_one_line_of_printable_ascii(path: str) -> None:
    """R44 for every string that Python can hold."""
    assert _is_plain(encode(intent(1, path=path)))


@given(st.lists(st.text(st.characters(exclude_categories=())), max_size=4))
def test_lines_are_what_each_entry_is_alone(paths: list[str]) -> None:
    """R44 for several at once: encode_lines() gives the lines that encode() gives, whatever one
    of them holds."""
    entries = [intent(number, path=path) for number, path in enumerate(paths)]
    lines = encode_lines(entries)
    assert lines == b"".join(encode(entry) + b"\n" for entry in entries)
    assert all(_is_plain(line) for line in lines.splitlines())
    assert lines.count(b"\n") == len(entries)


@pytest.mark.parametrize("path", NASTY.values(), ids=NASTY.keys())
def test_one_nasty_entry_leaves_its_neighbours_alone(path: str) -> None:
    """R44: what one entry holds is escaped in its own line."""
    before, nasty, after = encode_lines([intent(1), intent(2, path=path), outcome(1)]).splitlines()
    assert (before, after) == (encode(intent(1)), encode(outcome(1)))
    assert _is_plain(nasty)
    assert decode(nasty) == intent(2, path=path)


def test_every_entry_reads_back() -> None:
    """decode() is the inverse of encode()."""
    for entry in (
        intent(1),
        outcome(1),
        Event("pin-learned", 1.0, "keeper", TenantId("default"), "exchange", {"pin": "x\u2028"}),
        Start("gateway-1", 1.0, "gateway", "host", "0.1.0"),
        End(1.0, "closed"),
    ):
        assert decode(encode(entry)) == entry


def test_what_is_no_entry_is_refused() -> None:
    """decode() refuses an unknown type and a member of the wrong type."""
    for text in (b"{}", b'{"type":"other"}', b'{"type":"end","at":"x","reason":"closed"}', b"\xff"):
        with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)):
            decode(text)


def test_a_subject_is_hashed_with_its_own_key() -> None:
    """The hash is HMAC-SHA256 cut to 128 bits, and differs with the key and with the subject."""
    known = subject_hash(b"k" * 32, "user-1")
    assert known == "82e362bc8631b2521c392323bcb1da39"  # made with: openssl dgst -sha256 -hmac
    assert known != subject_hash(b"l" * 32, "user-1")
    assert known != subject_hash(b"k" * 32, "user-2")


def _is_plain(text: bytes) -> bool:
    return all(0x20 <= byte < 0x7F for byte in text) and len(text.decode().splitlines()) == 1


@pytest.mark.parametrize("path", ["/v1/orders", *NASTY.values()])
@pytest.mark.parametrize("at", [0.0, 1.5, 1795560151.8836873, 1795560151.000001, 2.0**40])
def test_a_form_fills_in_to_what_the_encoder_writes(path: str, at: float) -> None:
    """A line made of a form is the very line that the whole intent would be."""
    whole = intent(7, path=path)
    form = IntentForm(msgspec.structs.replace(whole, call="other", at=9.0))
    line = form.line(whole.call, repr(at))
    assert decode(line) == msgspec.structs.replace(whole, at=at)
    assert line == encode_lines([msgspec.structs.replace(whole, at=at)])
