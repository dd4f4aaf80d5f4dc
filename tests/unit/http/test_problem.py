"""Errors become RFC 9457 documents."""

import json

import pytest

from bailee.errors import (
    Denied,
    OnceUsed,
    OutcomeUnknown,
    Overloaded,
    TrustBroken,
    Unauthenticated,
)
from bailee.http.problem import problem, problem_answer


def split(raw: bytes) -> tuple[str, dict[str, str], bytes]:
    """Split an answer into status line, headers and body."""
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *rest = head.decode().split("\r\n")
    return first, dict(line.split(": ", 1) for line in rest), body


def test_caller_is_told_what_happened_and_what_to_do() -> None:
    """Code, fault, what had reached the provider, whether to try again, and the hint."""
    described = problem(OutcomeUnknown("sent and not answered", "look first"), "call-1")
    assert described == {
        "type": "urn:bailee:error:outcome-unknown",
        "title": "the write was sent and its outcome is unknown",
        "status": 502,
        "code": "outcome-unknown",
        "detail": "sent and not answered",
        "fault": "provider",
        "reached": "maybe",
        "retryable": False,
        "hint": "look first",
        "call": "call-1",
    }
    assert "hint" not in problem(Denied("no"))
    assert "call" not in problem(Denied("no"))


def test_stranger_is_told_nothing_more() -> None:
    """All failures to authenticate have one document."""
    revoked, unknown = problem(Unauthenticated("revoked")), problem(Unauthenticated("no such"))
    assert revoked == unknown
    assert set(revoked) == {"type", "title", "status", "code"}


def test_answer_is_whole() -> None:
    """Length, type, our headers, and nobody keeps it."""
    first, headers, body = split(problem_answer(Denied("no"), "c1", close=False, more=b"X: 1\r\n"))
    assert first == "HTTP/1.1 403 Forbidden"
    assert headers["Content-Length"] == str(len(body))
    assert headers["Content-Type"] == "application/problem+json"
    assert headers["Cache-Control"] == "no-store"
    assert (headers["Bailee-Error"], headers["Bailee-Call"]) == ("denied", "c1")
    assert headers["X"] == "1" and "Connection" not in headers
    assert json.loads(body)["code"] == "denied"


def test_second_use_of_a_key_names_the_first() -> None:
    """In the detail for people, in a member for programs, in a header for a HEAD."""
    raw = problem_answer(OnceUsed("a-1", "look"), "a-2", close=False)
    first, headers, body = split(raw)
    assert first == "HTTP/1.1 409 Conflict"
    assert headers["Bailee-First-Call"] == "a-1"
    told = json.loads(body)
    assert (told["first_call"], told["call"]) == ("a-1", "a-2")
    assert "a-1" in told["detail"]
    assert "Bailee-First-Call" not in split(problem_answer(Denied(), "a-2", close=False))[1]


def test_members_of_an_instance_are_its_own() -> None:
    """What one error says besides is not said by the next, and never to strangers."""
    error = OutcomeUnknown()
    error.members = {"method": "POST", "sent_at": 1.5}
    assert problem(error)["sent_at"] == 1.5
    assert "sent_at" not in problem(OutcomeUnknown())
    stranger = Unauthenticated()
    stranger.members = {"method": "POST"}
    assert "method" not in problem(stranger)


def test_head_has_no_body_but_its_length() -> None:
    """The answer to a HEAD ends with its head."""
    _, headers, body = split(problem_answer(Denied("no"), close=True, head_only=True))
    assert body == b"" and int(headers["Content-Length"]) > 0
    assert headers["Connection"] == "close" and "Bailee-Call" not in headers


@pytest.mark.parametrize(
    ("error", "name", "there"),
    [
        (Unauthenticated(), "WWW-Authenticate", True),
        (Denied(), "WWW-Authenticate", False),
        (Overloaded(), "Retry-After", True),
        (TrustBroken(), "Retry-After", False),
    ],
)
def test_header_that_belongs_to_a_status(
    error: Unauthenticated | Denied | Overloaded | TrustBroken, name: str, there: bool
) -> None:
    """401 says how to authenticate; a 503 that may pass says when to come again."""
    assert (name in split(problem_answer(error, close=True))[1]) is there
