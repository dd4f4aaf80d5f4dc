"""An answer's head has one meaning, or the answer is not passed on."""

import pytest

from bailee.errors import AnswerMalformed
from bailee.http.answer import AnswerHead, read_answer_head


def lines(head: AnswerHead) -> bytes:
    """What would be passed on."""
    return b"".join(head.lines)


def test_end_to_end_headers_pass_in_their_order() -> None:
    """What is for the client passes as it came, twice if it came twice."""
    head = read_answer_head([(b"X-B", b"2"), (b"ETag", b'"a"'), (b"X-B", b"3"), (b"Date", b"now")])
    assert lines(head) == b'X-B: 2\r\nETag: "a"\r\nX-B: 3\r\nDate: now\r\n'
    assert (head.length, head.chunked, head.locating) == (None, False, [])


@pytest.mark.parametrize("name", [
    b"Connection", b"Keep-Alive", b"Proxy-Authenticate", b"TE", b"Trailer", b"Upgrade",
    b"Proxy-Connection", b"Alt-Svc", b"Set-Cookie", b"Set-Cookie2", b"Refresh", b"Bailee-Call",
    b"Bailee-Error", b"bailee-anything", b"Proxy-Status-Like", b"LOCATION", b"Content-Location",
    b"Link",
])  # fmt: skip
def test_header_does_not_pass_as_it_is(name: bytes) -> None:
    """What is for one hop, leads elsewhere or is ours stays, seen before or not."""
    for _ in range(2):
        assert lines(read_answer_head([(name, b"close"), (b"X", b"1")])) == b"X: 1\r\n"


def test_framing_is_read_and_not_passed_on() -> None:
    """Length and coding are written anew."""
    assert read_answer_head([(b"content-LENGTH", b"12")]).length == b"12"
    assert read_answer_head([(b"Transfer-Encoding", b"Chunked")]).chunked
    assert lines(read_answer_head([(b"Content-Length", b"12")])) == b""
    assert lines(read_answer_head([(b"Transfer-Encoding", b"chunked")])) == b""


DOUBTFUL: dict[str, list[tuple[bytes, bytes]]] = {
    "both": [(b"Content-Length", b"3"), (b"Transfer-Encoding", b"chunked")],
    "two equal lengths": [(b"Content-Length", b"3"), (b"content-length", b"3")],
    "two lengths": [(b"Content-Length", b"3"), (b"Content-Length", b"4")],
    "a list of lengths": [(b"Content-Length", b"3, 3")],
    "a signed length": [(b"Content-Length", b"+3")],
    "an empty length": [(b"Content-Length", b"")],
    "a length of 19 digits": [(b"Content-Length", b"1" * 19)],
    "gzip": [(b"Transfer-Encoding", b"gzip")],
    "gzip, chunked": [(b"Transfer-Encoding", b"gzip, chunked")],
    "chunked twice": [(b"Transfer-Encoding", b"chunked"), (b"Transfer-Encoding", b"chunked")],
}


@pytest.mark.parametrize("case", DOUBTFUL)
def test_answer_is_refused_when_its_framing_is_in_doubt(case: str) -> None:
    """An answer that ends in two places is no answer."""
    with pytest.raises(AnswerMalformed):
        read_answer_head(DOUBTFUL[case])


def test_nominated_headers_are_dropped() -> None:
    """What `Connection` names does not pass, from as many lines as there are."""
    head = read_answer_head(
        [
            (b"X-A", b"1"),
            (b"X-B", b"2"),
            (b"X-C", b"3"),
            (b"Connection", b"close, X-a"),
            (b"Connection", b"x-C"),
        ]
    )
    assert lines(head) == b"X-B: 2\r\n"
    assert lines(read_answer_head([(b"Close", b"1"), (b"Connection", b"close")])) == b"Close: 1\r\n"


def test_urls_are_kept_for_rewriting() -> None:
    """Headers with URLs stand apart, lower case, as Latin-1."""
    head = read_answer_head([(b"LOCATION", b"/a\xe9"), (b"Link", b"</b>"), (b"link", b"</c>")])
    assert head.locating == [("location", "/aé"), ("link", "</b>"), ("link", "</c>")]
