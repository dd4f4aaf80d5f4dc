"""An answer's head has one meaning, or the answer is not passed on."""

import pytest

from bailee.errors import AnswerMalformed
from bailee.http.answer import (
    AnswerHead,
    judge_interim,
    judge_status_line,
    may_stay,
    read_answer_head,
)


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


@pytest.mark.parametrize("version", ["1.1", "1.0"])
@pytest.mark.parametrize("status", [100, 200, 204, 451, 599])
def test_status_line_is_taken_when_it_is_one(version: str, status: int) -> None:
    """HTTP/1.1, or the version before it, and a status that RFC 9110 knows the class of."""
    judge_status_line(version, status)


@pytest.mark.parametrize(
    ("version", "status"),
    [("1.1", 0), ("1.1", 99), ("1.1", 600), ("1.1", 999), ("2.0", 200), ("0.9", 200), ("", 200)],
)
def test_status_line_is_refused_when_it_is_none(version: str, status: int) -> None:
    """99 is no interim answer that one waits behind, and 600 no error that a client knows."""
    with pytest.raises(AnswerMalformed):
        judge_status_line(version, status)


def test_interim_answer_is_refused_when_it_has_framing() -> None:
    """A 1xx has no body: one that says so may be followed by anything."""
    judge_interim([(b"Link", b"</x>"), (b"Connection", b"close")])
    for name in (b"Content-Length", b"Transfer-Encoding"):
        with pytest.raises(AnswerMalformed):
            judge_interim([(name, b"5")])


def test_stream_may_stay_after_an_answer_that_leaves_no_doubt() -> None:
    """Not after HTTP/1.0, and not after a 204 that a body may follow."""
    plain, five = AnswerHead([], None, False, []), AnswerHead([], b"5", False, [])
    nothing, chunked = AnswerHead([], b"0", False, []), AnswerHead([], None, True, [])
    for head in (plain, five, nothing, chunked):
        assert may_stay("1.1", 200, head) and may_stay("1.1", 304, head)
    assert may_stay("1.1", 204, plain) and may_stay("1.1", 204, nothing)
    assert not may_stay("1.1", 204, five) and not may_stay("1.1", 204, chunked)
    assert not may_stay("1.0", 200, five)
    with pytest.raises(AnswerMalformed):
        may_stay("1.0", 200, chunked)
