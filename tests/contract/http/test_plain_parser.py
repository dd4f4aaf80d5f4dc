"""What the compiled parser takes is read exactly as llhttp reads it, and no byte more or less.

Messages are made by hypothesis and by changing real ones, at random from a fixed start. Each is
given to the gateway with the compiled parser and without; another message follows. Longer runs:
bench/plain_fuzz.py.
"""

import asyncio
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bailee.http.plain import read_plain_answer, read_plain_request
from two_parsers import (
    ANSWERS,
    ODD_PARTS,
    PROBE,
    PROBE_ANSWER,
    REQUESTS,
    Outcome,
    answer_outcome,
    llhttp_alone,
    mutated,
    request_outcome,
)

MUTATIONS = 10_000
LEAST_TAKEN = 0.1
"""Fewer plain messages than this among the changed ones would test little."""


async def both_request_outcomes(*reads: bytes) -> tuple[Outcome, Outcome]:
    """With the compiled parser, and by llhttp alone."""
    with llhttp_alone():
        expected = request_outcome(*reads)
    return request_outcome(*reads), expected


async def both_pipelined(*reads: bytes) -> tuple[Outcome, Outcome]:
    """The same, when no request is answered."""
    with llhttp_alone():
        expected = request_outcome(*reads, answered=False)
    return request_outcome(*reads, answered=False), expected


def both_answer_outcomes(method: str, *reads: bytes) -> tuple[Outcome, Outcome]:
    """With the compiled parser, and by llhttp alone."""
    with llhttp_alone():
        expected = answer_outcome(method, *reads)
    return answer_outcome(method, *reads), expected


@pytest.mark.parametrize("client", REQUESTS)
def test_request_of_a_client(client: str) -> None:
    """What clients send is taken, and read as llhttp reads it, three times on a connection."""
    data = REQUESTS[client]
    assert read_plain_request(data) is not None
    got, expected = asyncio.run(both_request_outcomes(data, data, PROBE, data))
    assert got == expected
    assert len(got[0]) == 4


@pytest.mark.parametrize("server", ANSWERS)
def test_answer_of_a_server(server: str) -> None:
    """What servers send is taken, and read as llhttp reads it, three times on a stream."""
    data = ANSWERS[server]
    assert read_plain_answer(data) is not None
    got, expected = both_answer_outcomes("GET", data, data, PROBE_ANSWER, data)
    assert got == expected
    assert len(got[0]) == 4


def test_reads_of_both_kinds_on_one_connection() -> None:
    """A plain request after one that llhttp read, and the other way round."""
    chunked = (
        b"POST /c/p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"
    )
    assert read_plain_request(chunked) is None
    reads = (PROBE, chunked, PROBE, PROBE[:20], PROBE[20:], b"\r\n", PROBE, b"\r", PROBE, chunked)
    got, expected = asyncio.run(both_request_outcomes(*reads))
    assert got == expected
    assert len(got[0]) == 7


def test_answers_of_both_kinds_on_one_stream() -> None:
    """A plain answer after one that llhttp read, and the other way round; a HEAD before it."""
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"
    assert read_plain_answer(chunked) is None
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
    for method, first in (("GET", chunked), ("HEAD", head)):
        reads = (first, PROBE_ANSWER, chunked, PROBE_ANSWER, chunked)
        got, expected = both_answer_outcomes(method, *reads)
        assert got == expected
        assert len(got[0]) == 5


def test_bytes_that_nobody_waits_for_end_the_stream() -> None:
    """Behind a plain answer as behind any other: they could be taken for the next call's."""
    for stray in (PROBE_ANSWER, b"\r", b"x"):
        with llhttp_alone():
            expected = answer_outcome("GET", PROBE_ANSWER, stray, more=False)
        assert answer_outcome("GET", PROBE_ANSWER, stray, more=False) == expected
        assert expected[1] == ["aborted True"]
        assert len(expected[0][0]) == 1


def test_answer_to_head_is_never_taken() -> None:
    """An answer to HEAD has no body, whatever its length says."""
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    for data in (whole, PROBE_ANSWER):
        got, expected = both_answer_outcomes("HEAD", data, PROBE_ANSWER)
        assert got == expected


UNFINISHED_REQUESTS = {
    "within a value": b"GET /c HTTP/1.1\r\nHost: a\r\nX: ",
    "within a request line": b"GET /c?",
    "within a body": b"POST /c HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\n",
    "within a chunk": b"POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n50\r\n",
    "within a trailer": b"POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX:",
}
UNFINISHED_ANSWERS = {
    "after an interim answer": b"HTTP/1.1 100 Continue\r\n\r\n",
    "within a value": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX: ",
    "within a status line": b"HTTP/1.1 200 O",
    "within a body": b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n",
    "within a chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n50\r\n",
    "until the end": b"HTTP/1.1 200 OK\r\n\r\n",
}


@pytest.mark.parametrize("case", UNFINISHED_REQUESTS)
def test_plain_bytes_within_a_request(case: str) -> None:
    """What would be a plain request at a boundary is none in the middle of another."""
    reads = (UNFINISHED_REQUESTS[case], PROBE, PROBE, PROBE)
    got, expected = asyncio.run(both_request_outcomes(*reads))
    assert got == expected


@pytest.mark.parametrize("case", UNFINISHED_ANSWERS)
def test_plain_bytes_within_an_answer(case: str) -> None:
    """What would be a plain answer at a boundary is none in the middle of another."""
    reads = (UNFINISHED_ANSWERS[case], PROBE_ANSWER, PROBE_ANSWER, PROBE_ANSWER)
    got, expected = both_answer_outcomes("GET", *reads)
    assert got == expected


@pytest.mark.parametrize("case", UNFINISHED_REQUESTS)
def test_request_behind_another_waits_its_turn(case: str) -> None:
    """While a call is under way a plain request behind it is llhttp's."""
    got, expected = asyncio.run(both_pipelined(PROBE, PROBE, UNFINISHED_REQUESTS[case], PROBE))
    assert got == expected
    assert len(got[0]) == 1


def test_changed_requests() -> None:
    """Thousands of changed requests: each has the same outcome both ways."""
    chance, seeds = random.Random(27), list(REQUESTS.values())
    taken = 0

    async def read_all() -> None:
        nonlocal taken
        for _ in range(MUTATIONS):
            data = mutated(chance, seeds)
            taken += read_plain_request(data) is not None
            got, expected = await both_request_outcomes(data, PROBE)
            assert got == expected, data

    asyncio.run(read_all())
    assert taken > MUTATIONS * LEAST_TAKEN


def test_changed_answers() -> None:
    """Thousands of changed answers: each has the same outcome both ways."""
    chance, seeds = random.Random(28), list(ANSWERS.values())
    taken = 0
    for _ in range(MUTATIONS):
        data = mutated(chance, seeds)
        taken += read_plain_answer(data) is not None
        got, expected = both_answer_outcomes(
            chance.choice(["GET", "POST", "HEAD"]), data, PROBE_ANSWER
        )
        assert got == expected, data
    assert taken > MUTATIONS * LEAST_TAKEN


TOKEN_BYTES = st.sampled_from(b"!#$%&'*+-.^_`|~019azAZ")
NAMES = st.one_of(
    st.lists(TOKEN_BYTES, min_size=1, max_size=12).map(bytes),
    st.sampled_from([b"Host", b"content-length", b"Connection", b"ETag", b"LINK", b"Bailee-Token"]),
)
VALUES = st.one_of(
    st.lists(st.integers(0, 255), max_size=8).map(bytes),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1).map(str.encode),
    st.sampled_from([b"keep-alive", b"a.test", b"3", b"0"]),
)
LINES = st.one_of(
    st.builds(
        lambda name, between, value: name + between + value + b"\r\n",
        NAMES,
        st.sampled_from([b": ", b": ", b":", b":  ", b" : ", b":\t"]),
        VALUES,
    ),
    st.sampled_from(ODD_PARTS),
)
HEADERS = st.lists(LINES, max_size=6).map(b"".join)
BODIES = st.sampled_from([b"", b"", b"abc", b"abcd", b"\r\n\r\n"])


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from([b"GET", b"POST", b"DELETE", b"TRACE", b"get", b"WEBSOCKET"]),
    st.lists(st.integers(33, 126), max_size=12).map(bytes),
    HEADERS,
    BODIES,
)
def test_requests_of_hypothesis(method: bytes, target: bytes, headers: bytes, body: bytes) -> None:
    """Requests made of parts that are mostly right."""
    line = method + b" /" + target + b" HTTP/1.1\r\nHost: a.test\r\n"
    data = line + headers + b"\r\n" + body
    got, expected = asyncio.run(both_request_outcomes(data, PROBE))
    assert got == expected


@settings(max_examples=400, deadline=None)
@given(st.integers(199, 600), VALUES, HEADERS, BODIES)
def test_answers_of_hypothesis(status: int, phrase: bytes, headers: bytes, body: bytes) -> None:
    """Answers made of parts that are mostly right."""
    line = b"HTTP/1.1 %d %b\r\nContent-Length: %d\r\n" % (status, phrase, len(body))
    data: Any = line + headers + b"\r\n" + body
    got, expected = both_answer_outcomes("GET", data, PROBE_ANSWER)
    assert got == expected
