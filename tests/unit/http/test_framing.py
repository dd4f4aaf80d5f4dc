"""Where an answer's body ends."""

import pytest

from bailee.http.framing import AnswerBody, answer_body, chunk, status_line

TABLE = {
    "HEAD has none": ("HEAD", 200, True, False, AnswerBody.NONE),
    "HEAD has none, chunked or not": ("HEAD", 200, False, True, AnswerBody.NONE),
    "204 has none": ("GET", 204, True, False, AnswerBody.NONE),
    "304 has none": ("GET", 304, False, True, AnswerBody.NONE),
    "chunked ends itself": ("GET", 200, False, True, AnswerBody.CHUNKED),
    "a length says it": ("POST", 500, True, False, AnswerBody.LENGTH),
    "otherwise the connection's end does": ("GET", 200, False, False, AnswerBody.UNTIL_CLOSE),
    "205 is like any other": ("GET", 205, True, False, AnswerBody.LENGTH),
}


@pytest.mark.parametrize("case", TABLE)
def test_body_ends(case: str) -> None:
    """RFC 9112, 6.3."""
    method, status, has_length, chunked, expected = TABLE[case]
    assert answer_body(method, status, has_length, chunked) is expected


def test_chunk_is_written_with_its_size() -> None:
    """In hexadecimal, with both line ends."""
    assert chunk(b"x" * 26) == b"1a\r\n" + b"x" * 26 + b"\r\n"


def test_status_line_has_the_registered_phrase_or_none() -> None:
    """A provider's phrase is never passed on."""
    assert status_line(200) == b"HTTP/1.1 200 OK\r\n"
    assert status_line(499) == b"HTTP/1.1 499 \r\n"
