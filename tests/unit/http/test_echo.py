"""The guard against answers that show a credential."""

import base64
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bailee.http.echo import LEAST_BYTES, EchoGuard, mask, needles_of

SECRET = b"canary+Zq7/credential=0123456789"
WAYS = {
    "raw": SECRET,
    "in JSON": json.dumps({"key": SECRET.decode()}).encode(),
    "in JSON with escaped slashes": SECRET.replace(b"/", b"\\/"),
    "in a URL": quote(SECRET, safe="").encode(),
    "in a URL, slashes kept": quote(SECRET).encode(),
    "in a form": quote_plus(SECRET).encode(),
    "in a URL with small escapes": quote(SECRET, safe="").lower().encode().replace(b"zq7", b"Zq7"),
    "base64": base64.b64encode(SECRET),
    "base64 after one byte": base64.b64encode(b"x" + SECRET),
    "base64 after two bytes": base64.b64encode(b"xy" + SECRET),
    "base64 before something": base64.b64encode(SECRET + b"!"),
    "Basic": base64.b64encode(b"user:" + SECRET),
    "base64 for URLs": base64.urlsafe_b64encode(b"xyz~" + SECRET),
}


def guarded(pieces: list[bytes], needles: tuple[bytes, ...]) -> tuple[bytes, bool]:
    """Feed pieces; what has passed is checked to be no longer than what came."""
    guard = EchoGuard(needles)
    out = b""
    for number, piece in enumerate(pieces):
        out += guard.feed(piece, last=number == len(pieces) - 1)
    return out, guard.masked


@pytest.mark.parametrize("form", WAYS.values(), ids=WAYS)
def test_every_form_is_masked(form: bytes) -> None:
    """At the same length, and no run of 8 of its characters is left."""
    body = b'{"echo": "' + form + b'", "other": 1}'
    masked, found = guarded([body], needles_of([SECRET]))
    assert found
    assert len(masked) == len(body)
    assert b"*" * 20 in masked
    assert b"canary" not in masked
    assert b"credential" not in masked
    assert masked.endswith(b'", "other": 1}')
    # Of base64 the characters at the ends, which its neighbours decide too, are left.
    assert masked.count(b"*") >= len(SECRET)


@pytest.mark.parametrize("form", WAYS.values(), ids=WAYS)
def test_a_form_split_over_pieces_is_masked(form: bytes) -> None:
    """Wherever it is cut, and cut into single bytes."""
    body = b"before " + form + b" after"
    whole, _ = guarded([body], needles_of([SECRET]))
    for cut in range(1, len(body)):
        assert guarded([body[:cut], body[cut:]], needles_of([SECRET])) == (whole, True)
    singles = [body[place : place + 1] for place in range(len(body))]
    assert guarded(singles, needles_of([SECRET])) == (whole, True)


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=8))
def test_what_holds_no_credential_passes_as_it_is(pieces: list[bytes]) -> None:
    """Byte for byte, whatever the pieces are."""
    assert guarded(pieces, needles_of([SECRET])) == (b"".join(pieces), False)


def test_the_beginning_of_a_credential_alone_passes_at_the_end() -> None:
    """What was held back is given out when nothing follows, or something else does."""
    guard = EchoGuard(needles_of([SECRET]))
    assert guard.feed(b"x" + SECRET[:10], last=False) == b"x"
    assert guard.feed(b"!", last=False) == SECRET[:10] + b"!"
    assert guard.feed(SECRET[:20], last=False) == b""
    assert guard.feed(b"", last=True) == SECRET[:20]
    assert not guard.masked


def test_nothing_else_is_held_back() -> None:
    """An event that ends in anything but a needle's beginning passes at once."""
    guard = EchoGuard(needles_of([SECRET]))
    assert guard.feed(b"data: 1\n\n", last=False) == b"data: 1\n\n"


@pytest.mark.parametrize(("length", "looked_for"), [(LEAST_BYTES - 1, False), (LEAST_BYTES, True)])
def test_short_values_are_not_looked_for(length: int, looked_for: bool) -> None:
    """They would stand in answers by chance."""
    assert bool(needles_of([b"k" * length])) == looked_for


def test_a_head_is_masked_whole() -> None:
    """What holds no credential is the very same object: nothing was copied."""
    head = b"X-Key: is " + SECRET + b"\r\nDate: today\r\n"
    masked = mask(head, needles_of([SECRET]))
    assert masked == b"X-Key: is " + b"*" * len(SECRET) + b"\r\nDate: today\r\n"
    assert mask(masked, needles_of([SECRET])) is masked


def test_several_values_have_forms_of_their_own() -> None:
    """An API key and its secret, of which one is too short to be looked for."""
    other = b"another-secret-of-some-length"
    masked, _ = guarded([b"short " + SECRET + other], needles_of([b"short", SECRET, other]))
    assert masked == b"short " + b"*" * (len(SECRET) + len(other))
