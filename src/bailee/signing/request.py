"""A request before and after signing."""

from typing import NamedTuple


class Unsigned(NamedTuple):
    """What of a request a scheme may sign or change."""

    method: str
    path: bytes
    """The provider's canonical path, with its leading slash."""
    query: bytes
    """As it will be sent, without the question mark."""
    body: bytes
    """Empty when there is none, or when the scheme does not cover it."""
    content_type: bytes
    """The value of `Content-Type`; empty when there is none."""


class SignedRequest(NamedTuple):
    """What is sent. It holds the credential, or what was made with it: it is never logged."""

    headers: bytes
    """Complete lines, `Name: value` and CRLF each, for the headers that the scheme fills."""
    path: bytes
    query: bytes
    body: bytes
    """What to send when the scheme covers the body; otherwise what was given."""
    content_type: bytes | None
    """What `Content-Type` has to be; None where it stays as it is."""

    def __repr__(self) -> str:
        return "SignedRequest(...)"
