"""Requests with two meanings, by what is wrong with them, and beside each family its neighbours.

`{c}` is the connection's path, `{t}` the token. A refused request is answered by the problem that
stands behind it, its connection is closed, and nothing of it reaches the origin; a neighbour looks
much the same, has one meaning, and reaches the origin as one clean request.
"""

from typing import Final, NamedTuple

Code = tuple[int, str]

GET: Final = "GET {c}/p HTTP/1.1\r\n"
POST: Final = "POST {c}/p HTTP/1.1\r\n"
HOST: Final = "Host: a.test\r\n"
AUTH: Final = "Authorization: Bearer {t}\r\n"
END: Final = "\r\n"
CHUNKED: Final = "Transfer-Encoding: chunked\r\n"
ONE: Final = GET + HOST + AUTH
HEADS: Final = POST + HOST + AUTH
MALFORMED: Final = (400, "malformed-request")
METHOD: Final = (405, "method-refused")
ALL_SIGNS: Final = "!$%26'()*+,-./:;<=>?@[\\]^_`{|}~"


class Family(NamedTuple):
    """One kind of fault."""

    refused: dict[str, str | tuple[str, Code]]
    accepted: dict[str, str]


def _lengths(*values: str) -> str:
    return HEADS + "".join(f"Content-Length:{value}\r\n" for value in values) + "\r\na"


def _coded(*values: str) -> str:
    return HEADS + "".join(f"Transfer-Encoding:{value}\r\n" for value in values) + "\r\n0\r\n\r\n"


def _chunks(text: str) -> str:
    return HEADS + CHUNKED + "\r\n" + text


FAMILIES: Final[dict[str, Family]] = {
    "a length": Family(
        {
            "two CL": HEADS + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
            "two equal CL": _lengths(" 1", " 1"),
            "a list as CL": _lengths(" 1, 1"),
            "a list of fives as CL": HEADS + "Content-Length: 5,5\r\n\r\nabcde",
            "CL with a sign": _lengths(" +1"),
            "negative CL": _lengths(" -1"),
            "hexadecimal CL": _lengths(" 0x1"),
            "CL of letters": _lengths(" a"),
            "CL with a point": _lengths(" 1.0"),
            "CL with an exponent": _lengths(" 1e0"),
            "empty CL": _lengths(""),
            "CL with a space inside": _lengths(" 1 1"),
            "CL with a space behind": _lengths(" 1 "),
            "CL with a vertical tab": _lengths(" 1\x0b"),
            "CL of other digits": _lengths(" \xb9"),
            "CL over 64 bits": _lengths(" 18446744073709551617"),
            "CL of 19 digits": _lengths(" 1" + "0" * 18),
            "huge CL": _lengths(" " + "9" * 30),
        },
        {
            "one CL": _lengths(" 1"),
            "CL without a space": _lengths("1"),
            "CL after a tab": _lengths("\t1"),
            "CL of nothing": HEADS + "Content-Length: 0\r\n\r\n",
            "CL with zeros before it": _lengths(" 0001"),
            "a body of a GET": ONE + "Content-Length: 1\r\n\r\na",
        },
    ),
    "a coding": Family(
        {
            "TE and CL": HEADS + CHUNKED + "Content-Length: 5\r\n\r\n0\r\n\r\n",
            "CL and TE": HEADS + "Content-Length: 5\r\n" + CHUNKED + "\r\n0\r\n\r\n",
            "CL of nothing and TE": HEADS + "Content-Length: 0\r\n" + CHUNKED + "\r\n0\r\n\r\n",
            "TE identity": HEADS + "Transfer-Encoding: identity\r\n\r\n",
            "TE gzip, chunked": _coded(" gzip, chunked"),
            "TE chunked twice": _coded(" chunked", " chunked"),
            "TE chunked and identity": _coded(" chunked", " identity"),
            "TE chunked, identity": _coded(" chunked, identity"),
            "TE identity, chunked": _coded(" identity, chunked"),
            "TE chunked, gzip": _coded(" chunked, gzip"),
            "TE chunked, chunked": _coded(" chunked, chunked"),
            "TE xchunked": _coded(" xchunked"),
            "TE chunkedx": _coded(" chunkedx"),
            "TE in quotes": _coded(' "chunked"'),
            "TE with a parameter": _coded(" chunked;q=1"),
            "TE with a comma behind": _coded(" chunked,"),
            "TE with a comma before": _coded(" ,chunked"),
            "TE with a space behind": _coded(" chunked "),
            "TE with a vertical tab": _coded(" \x0bchunked"),
            "TE with a NUL": _coded(" chunked\x00"),
            "empty TE": _coded(""),
        },
        {
            "TE chunked": _coded(" chunked"),
            "TE Chunked": _coded(" Chunked"),
            "TE after a tab": _coded("\tchunked"),
        },
    ),
    "an end of a line": Family(
        {
            "bare LF after the request line": "GET {c}/p HTTP/1.1\n" + HOST + AUTH + END,
            "bare LF after a header": GET + HOST + "X: 1\n" + AUTH + END,
            "bare LF at the head's end": ONE + "\n",
            "bare LF everywhere": (ONE + END).replace("\r\n", "\n"),
            "bare CR everywhere": (ONE + END).replace("\r\n", "\r"),
            "bare CR in a value": ONE + "X: a\rb\r\n\r\n",
            "bare CR at a value's end": ONE + "X: a\r\r\n\r\n",
            "bare CR after the request line": "GET {c}/p HTTP/1.1\r" + HOST + AUTH + END,
            "bare CR before the head's end": ONE + "\r\r\n",
            "LF and CR": ONE + "X: a\n\r\n",
        },
        {
            "CRLF": ONE + END,
            "an empty line before the request line": END + ONE + END,
        },
    ),
    "a folded line": Family(
        {
            "obs-fold": ONE + "X: a\r\n b\r\n\r\n",
            "obs-fold with a tab": ONE + "X: a\r\n\tb\r\n\r\n",
            "obs-fold of nothing": ONE + "X: a\r\n \r\n\r\n",
            "obs-fold of TE": HEADS + "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
            "obs-fold of CL": HEADS + "Content-Length: 1\r\n 0\r\n\r\na",
            "a space before the first header": GET + " " + HOST + AUTH + END,
            "a tab before the first header": GET + "\t" + HOST + AUTH + END,
        },
        {"a tab inside of a value": ONE + "Accept: a\tb\r\n\r\n"},
    ),
    "a name": Family(
        {
            "a space before the colon": ONE + "X : a\r\n\r\n",
            "a tab before the colon": ONE + "X\t: a\r\n\r\n",
            "a space before TE's colon": HEADS + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
            "a space before CL's colon": HEADS + "Content-Length : 1\r\n\r\na",
            "a space inside": ONE + "X y: a\r\n\r\n",
            "no colon": ONE + "X\r\n\r\n",
            "an empty name": ONE + ": a\r\n\r\n",
            "a NUL in a name": ONE + "X\x00: a\r\n\r\n",
            "a control byte in a name": ONE + "X\x01: a\r\n\r\n",
            "a vertical tab in CL's name": HEADS + "Content-Length\x0b: 1\r\n\r\na",
            "DEL in a name": ONE + "X\x7f: a\r\n\r\n",
            "non-ASCII in a name": ONE + "X\xe9: a\r\n\r\n",
            "a bracket in a name": ONE + "X(y): a\r\n\r\n",
            "a quoted name": ONE + '"X": a\r\n\r\n',
        },
        {
            "every sign that a name may have": ONE + "!#$%&'*+-.^_`|~9: a\r\n\r\n",
            "framing with an underscore": ONE + "Content_Length: 5\r\nTransfer_Encoding: x\r\n\r\n",
        },
    ),
    "a value": Family(
        {
            "a NUL in a value": ONE + "Accept: a\x00b\r\n\r\n",
            "a control byte in a value": ONE + "Accept: a\x01b\r\n\r\n",
            "an escape in a value": ONE + "Accept: \x1b[2J\r\n\r\n",
            "a form feed in a value": ONE + "Accept: a\x0cb\r\n\r\n",
            "DEL in a value": ONE + "Accept: a\x7fb\r\n\r\n",
            "two tokens": ONE + AUTH + END,
            "two types of the body": HEADS + "Content-Type: a/b\r\nContent-Type: c/d\r\n\r\n",
            "two equal types": HEADS + "Content-Type: a/b\r\nContent-Type: a/b\r\n\r\n",
            "two keys of idempotency": HEADS + "Idempotency-Key: a\r\nidempotency-key: b\r\n\r\n",
            "two ranges": ONE + "Range: bytes=0-1\r\nRange: bytes=2-3\r\n\r\n",
        },
        {
            "an empty value": ONE + "Accept:\r\n\r\n",
            "Latin-1 in a value": ONE + "Accept: caf\xe9\r\n\r\n",
            "a list in two lines": ONE + "Accept: a/b\r\nAccept: c/d\r\n\r\n",
        },
    ),
    "a Host": Family(
        {
            "no Host": GET + AUTH + END,
            "two Hosts": ONE + HOST + END,
            "another second Host": ONE + "Host: b.test\r\n\r\n",
            "an empty Host": GET + "Host:\r\n" + AUTH + END,
            "a path in Host": GET + "Host: a.test/x\r\n" + AUTH + END,
            "a query in Host": GET + "Host: a.test?x\r\n" + AUTH + END,
            "a user in Host": GET + "Host: a@b.test\r\n" + AUTH + END,
            "two names in Host": GET + "Host: a.test, b.test\r\n" + AUTH + END,
            "a space in Host": GET + "Host: a.test b.test\r\n" + AUTH + END,
            "a scheme in Host": GET + "Host: http://a.test\r\n" + AUTH + END,
            "a port of letters in Host": GET + "Host: a.test:x\r\n" + AUTH + END,
            "non-ASCII in Host": GET + "Host: \xe4.test\r\n" + AUTH + END,
            "an escape in Host": GET + "Host: a%2etest\r\n" + AUTH + END,
        },
        {
            "a port in Host": GET + "Host: a.test:8700\r\n" + AUTH + END,
            "an address in Host": GET + "Host: [::1]:8700\r\n" + AUTH + END,
            "capitals in Host": GET + "HOST: A.TEST\r\n" + AUTH + END,
        },
    ),
    "a target": Family(
        {
            "absolute-form": "GET http://a.test{c}/p HTTP/1.1\r\n" + HOST + AUTH + END,
            "foreign absolute-form": "GET https://api.test/p HTTP/1.1\r\n" + HOST + AUTH + END,
            "authority-form": "GET api.test:443 HTTP/1.1\r\n" + HOST + AUTH + END,
            "asterisk-form": "OPTIONS * HTTP/1.1\r\n" + HOST + AUTH + END,
            "no slash": "GET p HTTP/1.1\r\n" + HOST + AUTH + END,
            "a space in the target": "GET {c}/p x HTTP/1.1\r\n" + HOST + AUTH + END,
            "a tab in the target": "GET {c}/p\tx HTTP/1.1\r\n" + HOST + AUTH + END,
            "a NUL in the target": "GET {c}/p\x00 HTTP/1.1\r\n" + HOST + AUTH + END,
            "a control byte in the target": "GET {c}/p\x01 HTTP/1.1\r\n" + HOST + AUTH + END,
            "DEL in the target": "GET {c}/p\x7f HTTP/1.1\r\n" + HOST + AUTH + END,
            "non-ASCII in the target": "GET {c}/caf\xe9 HTTP/1.1\r\n" + HOST + AUTH + END,
            "non-ASCII in the query": "GET {c}/p?caf\xe9 HTTP/1.1\r\n" + HOST + AUTH + END,
            "a raw quote in the query": 'GET {c}/p?a="b" HTTP/1.1\r\n' + HOST + AUTH + END,
            "a fragment after the query": "GET {c}/p?a#b HTTP/1.1\r\n" + HOST + AUTH + END,
        },
        {
            "a path": "GET {c}/a/b-c_d.e~f HTTP/1.1\r\n" + HOST + AUTH + END,
            "no path": "GET {c} HTTP/1.1\r\n" + HOST + AUTH + END,
            "signs in the query": "GET {c}/p?" + ALL_SIGNS + " HTTP/1.1\r\n" + HOST + AUTH + END,
        },
    ),
    "a request line": Family(
        {
            "CONNECT": ("CONNECT api.test:443 HTTP/1.1\r\n" + HOST + AUTH + END, METHOD),
            "TRACE": ("TRACE {c}/p HTTP/1.1\r\n" + HOST + AUTH + END, METHOD),
            "PROPFIND": ("PROPFIND {c}/p HTTP/1.1\r\n" + HOST + AUTH + END, METHOD),
            "M-SEARCH": ("M-SEARCH {c}/p HTTP/1.1\r\n" + HOST + AUTH + END, METHOD),
            "an unknown method": "FETCH {c}/p HTTP/1.1\r\n" + HOST + AUTH + END,
            "a small method": "get {c}/p HTTP/1.1\r\n" + HOST + AUTH + END,
            "a longer method": "GETS {c}/p HTTP/1.1\r\n" + HOST + AUTH + END,
            "no method": " {c}/p HTTP/1.1\r\n" + HOST + AUTH + END,
            "a space before the method": " " + ONE + END,
            "a tab after the method": "GET\t{c}/p HTTP/1.1\r\n" + HOST + AUTH + END,
            "a tab before the version": "GET {c}/p\tHTTP/1.1\r\n" + HOST + AUTH + END,
            "a space after the version": "GET {c}/p HTTP/1.1 \r\n" + HOST + AUTH + END,
            "HTTP/1.0": "GET {c}/p HTTP/1.0\r\n" + HOST + AUTH + END,
            "HTTP/1.0 that stays": "GET {c}/p HTTP/1.0\r\n" + HOST + AUTH
            + "Connection: keep-alive\r\n\r\n",
            "HTTP/0.9": "GET {c}/p\r\n",
            "HTTP/1.2": "GET {c}/p HTTP/1.2\r\n" + HOST + AUTH + END,
            "HTTP/2.0": "GET {c}/p HTTP/2.0\r\n" + HOST + AUTH + END,
            "HTTP/11": "GET {c}/p HTTP/11\r\n" + HOST + AUTH + END,
            "HTTP/01.1": "GET {c}/p HTTP/01.1\r\n" + HOST + AUTH + END,
            "HTTP/1.10": "GET {c}/p HTTP/1.10\r\n" + HOST + AUTH + END,
            "a small version": "GET {c}/p http/1.1\r\n" + HOST + AUTH + END,
            "another protocol": "GET {c}/p RTSP/1.0\r\n" + HOST + AUTH + END,
            "HTTP/2's preface": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            "TLS": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        },
        {
            **{
                method: f"{method} {{c}}/p HTTP/1.1\r\n" + HOST + AUTH + END
                for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
            },
            "two spaces before the target": "GET  {c}/p HTTP/1.1\r\n" + HOST + AUTH + END,
            "two spaces before the version": "GET {c}/p  HTTP/1.1\r\n" + HOST + AUTH + END,
        },
    ),
    "an upgrade": Family(
        {
            "a WebSocket": ONE + "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
            "HTTP/2 by upgrade": ONE + "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
            "HTTP2-Settings: AAMA\r\n\r\n",
            "an upgrade that Connection does not name": ONE + "Upgrade: h2c\r\n\r\n",
        },
        {"a connection that is kept": ONE + "Connection: keep-alive\r\n\r\n"},
    ),
    "an expectation": Family(
        {
            "another": (HEADS + "Expect: 200-ok\r\n\r\n", (417, "expectation-refused")),
            "two": HEADS + "Expect: 100-continue\r\nExpect: 100-continue\r\n\r\n",
        },
        {"100-Continue": HEADS + "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\na"},
    ),
    "a chunk": Family(
        {
            "a bad chunk size": _chunks("zz\r\nab\r\n0\r\n\r\n"),
            "a signed chunk size": _chunks("+2\r\nab\r\n0\r\n\r\n"),
            "a negative chunk size": _chunks("-2\r\nab\r\n0\r\n\r\n"),
            "a chunk size with 0x": _chunks("0x2\r\nab\r\n0\r\n\r\n"),
            "a chunk size over 64 bits": _chunks("f" * 17 + "\r\nab\r\n"),
            "a chunk size that comes round": _chunks("1" + "0" * 15 + "2\r\nab\r\n0\r\n\r\n"),
            "no chunk size": _chunks("\r\nab\r\n0\r\n\r\n"),
            "a space before a chunk size": _chunks(" 2\r\nab\r\n0\r\n\r\n"),
            "a space after a chunk size": _chunks("2 \r\nab\r\n0\r\n\r\n"),
            "a tab after a chunk size": _chunks("2\t\r\nab\r\n0\r\n\r\n"),
            "a chunk longer than it says": _chunks("1\r\nab\r\n0\r\n\r\n"),
            "a chunk shorter than it says": _chunks("3\r\nab\r\n0\r\n\r\n"),
            "bare LF after a chunk size": _chunks("2\nab\r\n0\r\n\r\n"),
            "bare CR after a chunk size": _chunks("2\rab\r\n0\r\n\r\n"),
            "bare LF after a chunk": _chunks("2\r\nab\n0\r\n\r\n"),
            "bare CR after a chunk": _chunks("2\r\nab\r0\r\n\r\n"),
            "nothing after a chunk": _chunks("2\r\nab0\r\n\r\n"),
            "bare LF after the last chunk": _chunks("2\r\nab\r\n0\n\n"),
            "LF in a chunk extension": _chunks("2;\nab\r\n0\r\n\r\n"),
            "CR in a chunk extension": _chunks("2;a\rb\r\nab\r\n0\r\n\r\n"),
            "NUL in a chunk extension": _chunks("2;a\x00\r\nab\r\n0\r\n\r\n"),
            "an empty chunk extension": _chunks("2;\r\nab\r\n0\r\n\r\n"),
            "an open quote in a chunk extension": _chunks('2;a="b\r\nab\r\n0\r\n\r\n'),
        },
        {
            "chunks": _chunks("2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n"),
            "no chunks": _chunks("0\r\n\r\n"),
            "a chunk extension": _chunks('2;a=b;c="d;e"\r\nab\r\n0\r\n\r\n'),
            "zeros before a chunk size": _chunks("0002\r\nab\r\n000\r\n\r\n"),
            "capitals in a chunk size": _chunks("A\r\n0123456789\r\n0\r\n\r\n"),
        },
    ),
    "a trailer": Family(
        {
            "bare LF in a trailer": _chunks("0\r\nX: 1\n\r\n"),
            "a folded trailer": _chunks("0\r\nX: 1\r\n 2\r\n\r\n"),
            "a space before a trailer's colon": _chunks("0\r\nX : 1\r\n\r\n"),
            "a NUL in a trailer": _chunks("0\r\nX: \x00\r\n\r\n"),
            "CL in a trailer": _chunks("0\r\nContent-Length: 5\r\n\r\n"),
            "TE in a trailer": _chunks("0\r\nTransfer-Encoding: chunked\r\n\r\n"),
        },
        {
            "a trailer": _chunks("2\r\nab\r\n0\r\nX-Sum: 1\r\n\r\n"),
            "Host and token in a trailer": _chunks("0\r\n" + HOST + AUTH + "\r\n"),
        },
    ),
}  # fmt: skip

REFUSED: Final[dict[str, tuple[str, Code]]] = {
    f"{family}: {case}": (raw, MALFORMED) if isinstance(raw, str) else raw
    for family, (refused, _) in FAMILIES.items()
    for case, raw in refused.items()
}
ACCEPTED: Final[dict[str, str]] = {
    f"{family}: {case}": raw
    for family, (_, accepted) in FAMILIES.items()
    for case, raw in accepted.items()
}
BROKEN_BODIES: Final[dict[str, str]] = {
    case: raw for case, (raw, _) in REFUSED.items() if case.startswith(("a chunk", "a trailer"))
}
"""Where the head is good: it may have gone when the fault comes."""


def wire(text: str, connection: str, token: str) -> bytes:
    """The bytes of a request in a table."""
    return text.replace("{c}", f"/{connection}").replace("{t}", token).encode("latin-1")
