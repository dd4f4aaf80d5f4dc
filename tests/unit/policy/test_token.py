"""The form of a token."""

import re

import pytest

from bailee.policy import token

RANDOM = bytes(range(32))
TEXT = token.format_token(RANDOM)


@pytest.mark.parametrize("random", [bytes(32), b"\xff" * 32, RANDOM])
def test_format_has_one_form(random: bytes) -> None:
    """Every token has the prefix, one length and letters and digits, and a digest of 32 bytes."""
    text = token.format_token(random)
    assert re.fullmatch(r"bailee_[0-9A-Za-z]{49}", text)
    digest = token.digest(text)
    assert digest is not None
    assert len(digest) == 32


def test_different_bytes_make_different_tokens() -> None:
    """Each of the 256 bits counts."""
    changed = {token.format_token((1 << bit).to_bytes(32)) for bit in range(256)}
    assert len(changed) == 256
    assert len({token.digest(text) for text in changed}) == 256


@pytest.mark.parametrize("size", [0, 31, 33])
def test_format_wants_32_bytes(size: int) -> None:
    """A token of fewer bits can't be made."""
    with pytest.raises(ValueError, match="32"):
        token.format_token(bytes(size))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "bailee_",
        TEXT[:-1],
        TEXT + "0",
        TEXT.upper(),
        " " + TEXT[1:],
        "bailey_" + TEXT[7:],
        TEXT[:20] + "é" + TEXT[21:],
        TEXT[:20] + "-" + TEXT[21:],
        TEXT[:-1] + ("0" if TEXT[-1] != "0" else "1"),
    ],
)
def test_digest_refuses_what_is_no_token(text: str) -> None:
    """Wrong length, prefix, characters or checksum never reach the database."""
    assert token.digest(text) is None


def test_every_single_typing_error_is_found() -> None:
    """The checksum finds each exchange of one character."""
    for position in range(len(token.PREFIX), len(TEXT)):
        for other in "aZ09":
            if TEXT[position] != other:
                assert token.digest(TEXT[:position] + other + TEXT[position + 1 :]) is None


@pytest.mark.parametrize(
    ("methods", "method", "admitted"),
    [
        (None, "GET", True),
        (None, "DELETE", True),
        ({"GET"}, "GET", True),
        ({"GET"}, "HEAD", True),
        ({"GET"}, "POST", False),
        ({"HEAD"}, "GET", False),
        ({"POST", "PUT"}, "PUT", True),
        ({"POST"}, "HEAD", False),
        (set(), "GET", False),
    ],
)
def test_a_token_admits_its_methods(methods: set[str] | None, method: str, admitted: bool) -> None:
    """A token bound to methods is good for them, and to none for none; unbound, for all."""
    bound = None if methods is None else frozenset(methods)
    assert token.admits_method(bound, method) is admitted
