"""What the compiled parser takes, and that it leaves alone whatever could be read otherwise."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bailee.http import plain
from bailee.http.head import FIELDS, FRAMING_AND_SPECIAL, Received
from bailee.http.kinds import PASS, UNPLAIN
from bailee.http.plain import compiled_of, read_plain_answer, read_plain_request
from integration.gateway.ambiguity import REFUSED, wire
from two_parsers import ANSWERS, REQUESTS

GET = b"GET /c/p HTTP/1.1\r\n"
HOST = b"Host: a.test\r\n"
OK = b"HTTP/1.1 200 OK\r\n"
LENGTH = b"Content-Length: 2\r\n"
HEAD_LIMIT = 8192


def test_the_compiled_parser_is_there() -> None:
    """It is compiled, of the source that is here; else: `python hatch_build.py`."""
    source = Path(plain.__file__).with_name("_plain.pyx").read_bytes()
    assert compiled_of() == hashlib.sha256(source).hexdigest()


def test_request_is_split() -> None:
    """Fields of their own stand apart; the rest keeps its order and spelling."""
    data = (
        b"POST /c/p?x=1?&y=%22 HTTP/1.1\r\nHost: a.test:80\r\nX-b: 2\r\n"
        b"Authorization: Bearer  t\r\nBailee-Token:u\r\nbailee-subject: s\r\nBailee-Once: o\r\n"
        b"CONNECTION: Keep-Alive\r\n"
        b"Content-Length: 3\r\nx-B: 3\t4\r\n\r\na\r\n"
    )
    headers = [(b"x-b", b"X-b", b"2"), (b"x-b", b"x-B", b"3\t4")]
    received = Received(
        "POST", b"/c/p", b"x=1?&y=%22", b"a.test:80", headers, 3, True, True, False,
        b"Bearer  t", b"u", b"s", b"o",
    )  # fmt: skip
    assert read_plain_request(data) == (received, b"a\r\n")


def test_answer_is_split() -> None:
    """Lines that pass, in four parts; URLs apart; framing and what is dropped are gone."""
    data = (
        b"HTTP/1.1 404 Not Found\r\nX-b:2\r\nSet-Cookie: a\r\nlinK: </x>\r\nx-B:  3\r\n"
        b"Content-Length: 3\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\n\r\na\r\n"
    )
    answer = read_plain_answer(data)
    assert answer is not None
    status, head, body = answer
    assert (status, body) == (404, b"a\r\n")
    assert head.lines == [b"X-b", b": ", b"2", b"\r\n", b"x-B", b": ", b"3", b"\r\n"]
    assert (head.length, head.chunked, head.locating) == (b"3", False, [("link", "</x>")])


UNPLAIN_LINES: dict[str, bytes] = {
    "a coding": b"Transfer-Encoding: chunked\r\n",
    "a coding, shouted": b"TRANSFER-ENCODING: identity\r\n",
    "an upgrade": b"Upgrade: h2c\r\n",
    "the last of a connection": b"Connection: close\r\n",
    "a nominated header": b"Connection: keep-alive, x\r\n",
    "another word as long": b"Connection: keep-alivE1\r\n",
    "a word one bit away": b"Connection: keep\ralive\r\n",
    "two connections": b"Connection: keep-alive\r\nConnection: keep-alive\r\n",
    "what llhttp reads as Connection": b"Proxy-Connection: keep-alive\r\n",
    "two lengths": LENGTH + LENGTH,
    "two lengths, one in small letters": LENGTH + LENGTH.lower(),
    "a signed length": b"Content-Length: +2\r\n",
    "a length with a leading zero": b"Content-Length: 02\r\n",
    "a hexadecimal length": b"Content-Length: 0x2\r\n",
    "a list of lengths": b"Content-Length: 2, 2\r\n",
    "a length with a space inside": b"Content-Length: 2 2\r\n",
    "a length of 16 digits": b"Content-Length: 1000000000000002\r\n",
    "a length beyond 64 bits": b"Content-Length: 18446744073709551618\r\n",
    "an empty length": b"Content-Length:\r\n",
    "an empty value": b"X:\r\n",
    "an empty value, and a space": b"X: \r\n",
    "a space before the colon": b"X : a\r\n",
    "a space before the name": b" X: a\r\n",
    "a fold": b"X: a\r\n b\r\n",
    "a fold by tab": b"X: a\r\n\tb\r\n",
    "a tab before the value": b"X: \ta\r\n",
    "a space after the value": b"X: a \r\n",
    "a tab after the value": b"X: a\t\r\n",
    "no name": b": a\r\n",
    "no colon": b"X\r\n",
    "bare LF": b"X: a\n",
    "bare CR": b"X: a\r",
    "bare CR inside": b"X: a\rb\r\n",
    "CR CR LF": b"X: a\r\r\n",
    "NUL": b"X: a\0b\r\n",
    "a control byte": b"X: a\x01b\r\n",
    "DEL": b"X: a\x7fb\r\n",
    "a byte above ASCII": b"X: \xe9\r\n",
    "a control byte in a name": b"X\x01: a\r\n",
    "a name above ASCII": b"X\xe9: a\r\n",
    "a bracket in a name": b"X(: a\r\n",
    "two ends": b"\r\n",
    "an end by LF": b"\n",
    "an end by a space and LF": b" \n",
    "an end by CR": b"\r",
}
UNPLAIN_REQUESTS: dict[str, bytes] = {
    "an expectation": GET + HOST + b"Expect: 100-continue\r\n\r\n",
    "a body that is not here": GET + HOST + LENGTH + b"\r\n",
    "a body that is not all here": GET + HOST + LENGTH + b"\r\na",
    "more than its body": GET + HOST + LENGTH + b"\r\nabc",
    "another request behind it": (GET + HOST + b"\r\n") * 2,
    "a line end behind it": GET + HOST + b"\r\n\r\n",
    "a line end before it": b"\r\n" + GET + HOST + b"\r\n",
    "no Host": GET + b"\r\n",
    "two Hosts": GET + HOST + HOST + b"\r\n",
    "a bad Host": GET + b"Host: a b\r\n\r\n",
    "two tokens": GET + HOST + b"Authorization: a\r\nauthorization: a\r\n\r\n",
    "a bad key": GET + HOST + b"Bailee-Once: a b\r\n\r\n",
    "HTTP/1.0": b"GET /c HTTP/1.0\r\n" + HOST + b"\r\n",
    "HTTP/1.10": b"GET /c HTTP/1.10\r\n" + HOST + b"\r\n",
    "HTTP/2.0": b"GET /c HTTP/2.0\r\n" + HOST + b"\r\n",
    "no version": b"GET /c\r\n" + HOST + b"\r\n",
    "two spaces": b"GET  /c HTTP/1.1\r\n" + HOST + b"\r\n",
    "two spaces behind": b"GET /c  HTTP/1.1\r\n" + HOST + b"\r\n",
    "a tab": b"GET\t/c HTTP/1.1\r\n" + HOST + b"\r\n",
    "absolute-form": b"GET http://a.test/ HTTP/1.1\r\n" + HOST + b"\r\n",
    "asterisk": b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n",
    "a small method": b"get /c HTTP/1.1\r\n" + HOST + b"\r\n",
    "no method": b" /c HTTP/1.1\r\n" + HOST + b"\r\n",
    "CONNECT": b"CONNECT /c HTTP/1.1\r\n" + HOST + b"\r\n",
    "TRACE": b"TRACE /c HTTP/1.1\r\n" + HOST + b"\r\n",
    "what grants call a WebSocket": b"WEBSOCKET /c HTTP/1.1\r\n" + HOST + b"\r\n",
    "a bare LF": b"GET /c HTTP/1.1\n" + HOST + b"\r\n",
    "an end by LF": GET + HOST + b"\n",
    "an end by a space and LF": GET + HOST + b" \n",
    "an end by LF and CR": GET + HOST + b"\n\r",
    **{
        f"{byte:#x} in the target": b"GET /c" + bytes([byte]) + b"d HTTP/1.1\r\n" + HOST + b"\r\n"
        for byte in b'\0\t\r\n "#<>\\^`{|}\x7f\x80\xff'
    },
}
UNPLAIN_ANSWERS: dict[str, bytes] = {
    "no length": OK + b"\r\n",
    "no length, and a body": OK + b"\r\nab",
    "a body that is not here": OK + LENGTH + b"\r\n",
    "a body that is not all here": OK + LENGTH + b"\r\na",
    "more than its body": OK + LENGTH + b"\r\nabc",
    "another answer behind it": (OK + LENGTH + b"\r\nab") * 2,
    "a line end before it": b"\r\n" + OK + LENGTH + b"\r\nab",
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\n" + LENGTH + b"\r\nab",
    "HTTP/2": b"HTTP/2 200 OK\r\n" + LENGTH + b"\r\nab",
    "HTTP/1.1 in small letters": b"http/1.1 200 OK\r\n" + LENGTH + b"\r\nab",
    "ICY": b"ICY 200 OK\r\n" + LENGTH + b"\r\nab",
    "no phrase and no space": b"HTTP/1.1 200\r\n" + LENGTH + b"\r\nab",
    "four digits": b"HTTP/1.1 2000 OK\r\n" + LENGTH + b"\r\nab",
    "two digits": b"HTTP/1.1 20 OK\r\n" + LENGTH + b"\r\nab",
    "a sign": b"HTTP/1.1 +20 OK\r\n" + LENGTH + b"\r\nab",
    "a control byte in the phrase": b"HTTP/1.1 200 O\0K\r\n" + LENGTH + b"\r\nab",
    "a bare LF": b"HTTP/1.1 200 OK\n" + LENGTH + b"\r\nab",
    "an end by LF": OK + LENGTH + b"\nab",
    "an end by a space and LF": OK + LENGTH + b" \nab",
    **{
        str(status): b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status
        for status in (0, 99, 100, 101, 199, 204, 304, 600, 999)
    },
}


def test_what_the_tables_start_from_is_plain() -> None:
    """Without what each case puts in, all of them would be taken."""
    assert read_plain_request(GET + HOST + b"\r\n")
    assert read_plain_request(GET + HOST + LENGTH + b"\r\nab")
    assert read_plain_request(GET + HOST + b"Connection: keep-alive\r\nX: a\r\n\r\n")
    assert read_plain_request(b"GET /c/~!$&'()*+,;=:@%?d/?% HTTP/1.1\r\n" + HOST + b"\r\n")
    assert read_plain_answer(OK + LENGTH + b"\r\nab")
    assert read_plain_answer(OK + b"X: a\r\nConnection: KEEP-ALIVE\r\n" + LENGTH + b"\r\nab")
    for status in (200, 203, 205, 299, 302, 305, 404, 599):
        assert read_plain_answer(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status)


@pytest.mark.parametrize("case", UNPLAIN_LINES)
def test_header_that_is_not_plain(case: str) -> None:
    """A message with it is left to llhttp, wherever in the head it stands."""
    line = UNPLAIN_LINES[case]
    length = b"" if b"length" in line.lower() else LENGTH
    for lines in ((line, HOST, length), (HOST, line, length), (HOST, length, line)):
        assert read_plain_request(GET + b"".join(lines) + b"\r\nab") is None
        assert read_plain_answer(OK + b"".join(lines) + b"\r\nab") is None


@pytest.mark.parametrize("case", UNPLAIN_REQUESTS)
def test_request_that_is_not_plain(case: str) -> None:
    """It is left to llhttp."""
    assert read_plain_request(UNPLAIN_REQUESTS[case]) is None


@pytest.mark.parametrize("case", REFUSED)
def test_ambiguous_request_is_never_taken(case: str) -> None:
    """R27: none of those that the gateway refuses comes in by this way."""
    assert read_plain_request(wire(REFUSED[case][0], "c", "t")) is None


@pytest.mark.parametrize("case", UNPLAIN_ANSWERS)
def test_answer_that_is_not_plain(case: str) -> None:
    """It is left to llhttp."""
    assert read_plain_answer(UNPLAIN_ANSWERS[case]) is None


def test_message_is_taken_whole_or_not_at_all() -> None:
    """No beginning of a plain message is one, and none with a byte more."""
    for data in REQUESTS.values():
        assert all(read_plain_request(data[:end]) is None for end in range(len(data)))
        assert read_plain_request(data) and read_plain_request(data + b"\r") is None
    for data in ANSWERS.values():
        assert all(read_plain_answer(data[:end]) is None for end in range(len(data)))
        assert read_plain_answer(data) and read_plain_answer(data + b"\r") is None


def test_head_has_a_limit() -> None:
    """A head of 8 KiB is taken, and one byte more is not; a body may be larger."""
    for start, read, body in (
        (GET + HOST + b"Content-Length: 9000\r\nX: ", read_plain_request, b"a" * 9000),
        (OK + b"Content-Length: 9000\r\nX: ", read_plain_answer, b"a" * 9000),
    ):
        room = HEAD_LIMIT - len(start) - 4
        assert read(start + b"x" * room + b"\r\n\r\n" + body)
        assert read(start + b"x" * (room + 1) + b"\r\n\r\n" + body) is None


def test_names_that_share_a_slot_are_told_apart() -> None:
    """Names of equal length and equal first, middle and last byte are still two names."""
    framing = HOST.lower() + LENGTH.lower()
    for name in (b"abcd", b"aXcd", b"hxst", b"hYst", b"cabcdef-ghijkh", b"Cabcdef-ghijkh"):
        for lines in (name + b": 1\r\n" + framing, framing + name + b": 1\r\n"):
            split = read_plain_request(GET + lines + b"\r\nab")
            assert split is not None
            assert split[0].headers == [(name.lower(), name, b"1")]
            assert (split[0].host, split[0].body_length) == (b"a.test", 2)


def test_more_names_than_are_remembered() -> None:
    """A thousand names, twice: each keeps its own meaning."""
    for _ in range(2):
        for number in range(1000):
            name = b"x-%d" % number
            split = read_plain_request(GET + name + b": 1\r\n" + HOST + b"\r\n")
            assert split is not None
            assert split[0].headers == [(name, name, b"1")]
    assert read_plain_request(GET + HOST + b"Upgrade: a\r\n\r\n") is None


def test_every_special_header_is_known() -> None:
    """What `read_head` keeps apart is a field or framing here, or not plain: never passed on."""
    for name in FRAMING_AND_SPECIAL:
        assert plain._request_kind(name.upper())[1] != PASS  # the table is handed to the parser
        if name not in {*FIELDS, b"content-length", b"connection"}:
            assert plain._request_kind(name)[1] == UNPLAIN


@pytest.mark.parametrize("data", [None, "GET", bytearray(b"GET"), memoryview(b"GET")])
def test_what_is_no_bytes_is_a_fault(data: object) -> None:
    """Only bytes are read: nothing else keeps still while it is."""
    for read in (read_plain_request, read_plain_answer):
        with pytest.raises(TypeError):
            read(data)  # type: ignore[arg-type]  # that is the claim


def test_parser_is_left_alone_when_it_is_switched_off() -> None:
    """With BAILEE_PLAIN_PARSER=off nothing is plain."""
    request, answer = GET + HOST + b"\r\n", OK + LENGTH + b"\r\nab"
    code = (
        "import bailee.http.plain as plain, sys\n"
        f"assert plain.read_plain_request({request!r}) is None\n"
        f"assert plain.read_plain_answer({answer!r}) is None\n"
        "assert plain.compiled_of() is None and 'bailee.http._plain' not in sys.modules\n"
    )
    path = str(Path(plain.__file__).parents[2])
    environ = os.environ | {"PYTHONPATH": path, plain.SWITCH: "off"}
    subprocess.run([sys.executable, "-c", code], env=environ, check=True)
