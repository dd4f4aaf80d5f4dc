"""Read requests as the strictest of servers would, and name all that could be read in two ways.

Written from RFC 9112 and RFC 9110 alone: it shares no line with Bailee and none with llhttp. What
an origin in a test was sent goes through here. It keeps every byte, and where a message has two
ways to end it reads no further.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

HEAD_LIMIT: Final = 128 * 1024
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})

_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n")
_LENGTH = re.compile(rb"0|[1-9][0-9]{0,17}")
_CHUNK_SIZE = re.compile(rb"0|[1-9a-f][0-9a-f]{0,7}")
_HOST = re.compile(rb"(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_BAD_IN_TARGET = re.compile(rb"[^!$-~]")
_UNRESERVED_ESCAPE = re.compile(
    rb"%(?:2[dDeE]|3[0-9]|4[1-9a-fA-F]|5[0-9aA]|5[fF]|6[1-9a-fA-F]|7[0-9aAeE])"
)
_HIDDEN_ESCAPE = re.compile(rb"%(?:2[fF]|5[cC]|00)")
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")

_HOP_BY_HOP = re.compile(
    r"connection|keep-alive|te|trailer|upgrade|http2-settings|expect|proxy-.*", re.IGNORECASE
)
_SPEAKS_OF_THE_CLIENT = re.compile(
    r"(x-)?forwarded.*|via|cookie2?|cf-.*|.*client-?ip|x-(real|remote|originating|user)-?(ip|addr)"
    r"|x-cluster-.*|x-envoy-.*|x-appengine-.*|x-host",
    re.IGNORECASE,
)
_OVERRIDES = re.compile(
    r"x-(http-)?method(-override)?|x-(original|rewrite)-(url|uri|host)|.*-override", re.IGNORECASE
)
_STANDS_ONCE = frozenset(
    {
        "authorization", "content-disposition", "content-location", "content-type",
        "idempotency-key", "if-modified-since", "if-range", "if-unmodified-since",
        "last-event-id", "range", "user-agent",
    }
)  # fmt: skip


@dataclass(slots=True)
class StrictRequest:
    """One request, and all of its bytes."""

    head: bytes
    """With the empty line at its end."""
    body: bytes = b""
    framed: bytes | None = None
    """The body as it stood on the wire, where it came in chunks."""

    @property
    def raw(self) -> bytes:
        return self.head + (self.body if self.framed is None else self.framed)

    @property
    def request_line(self) -> str:
        return self.head.partition(b"\r\n")[0].decode("latin-1")

    @property
    def method(self) -> str:
        return self.request_line.partition(" ")[0]

    @property
    def target(self) -> str:
        return self.request_line.split(" ")[1]

    @property
    def pairs(self) -> list[tuple[str, str]]:
        lines = self.head.decode("latin-1").split("\r\n")[1:-2]
        split = (line.partition(":") for line in lines)
        return [(name, value.strip(" \t")) for name, _, value in split]


@dataclass(slots=True)
class StrictReader:
    """Reads one connection. Feed it whatever comes; it never raises.

    Attributes:
        secrets: What must not stand anywhere in what was sent, such as a caller's token.
        permitted: Header names (lower case) that may be there besides Host and framing; None where
            any may that are not forbidden. Names with `_` are a fault unless they stand here.
        flags: What could be read in two ways, in the order in which it was seen.
    """

    secrets: Sequence[bytes] = ()
    permitted: frozenset[str] | None = None
    flags: list[str] = field(default_factory=list)
    lost: bool = False
    """Where the next message begins can't be known: nothing more is read."""
    rest: bytearray = field(default_factory=bytearray)
    """What has come and belongs to no whole request."""
    _chunked: bool = False
    _length: int = 0
    _head: bytes = b""
    _body: bytearray = field(default_factory=bytearray)
    _framed: bytearray = field(default_factory=bytearray)

    @property
    def in_the_middle(self) -> bool:
        """Whether a request has begun and is not whole."""
        return bool(self._head or self.rest)

    def feed(self, data: bytes) -> list[StrictRequest]:
        """Take bytes and return the requests that became whole."""
        self.rest += data
        whole: list[StrictRequest] = []
        while not self.lost:
            request = self._next()
            if request is None:
                break
            whole.append(request)
            self._look_for_secrets(request)
        if len(whole) > 1 or (whole and self.rest):
            self._flag("more came with a request than the request")
        return whole

    def _flag(self, fault: str, *, lost: bool = False) -> None:
        self.flags.append(fault)
        self.lost = self.lost or lost

    def _look_for_secrets(self, request: StrictRequest) -> None:
        for secret in self.secrets:
            if secret in request.head or secret in request.body:
                self._flag("a secret was sent")

    # --- messages ---

    def _next(self) -> StrictRequest | None:
        if not self._head and not self._read_head():
            return None
        return self._read_chunks() if self._chunked else self._read_length()

    def _read_head(self) -> bool:
        end = self.rest.find(b"\r\n\r\n")
        head = bytes(self.rest if end < 0 else self.rest[: end + 4])
        if _BARE.search(head[:-1] if head.endswith(b"\r") else head):
            self._flag("a bare CR or LF in a head", lost=True)
        elif end < 0 and len(head) > HEAD_LIMIT:
            self._flag("a head without an end", lost=True)
        if end < 0 or self.lost:
            return False
        del self.rest[: end + 4]
        self._judge_head(head)
        self._head = head
        return not self.lost

    def _read_length(self) -> StrictRequest | None:
        if len(self.rest) < self._length:
            return None
        body = bytes(self.rest[: self._length])
        del self.rest[: self._length]
        request = StrictRequest(self._head, body)
        self._head = b""
        return request

    def _read_chunks(self) -> StrictRequest | None:
        while (line_end := self.rest.find(b"\r\n")) >= 0:
            line = bytes(self.rest[:line_end])
            if not _CHUNK_SIZE.fullmatch(line):
                self._flag("a chunk size that is no plain number", lost=True)
                return None
            size = int(line, 16)
            end = line_end + 2 + size + 2
            if len(self.rest) < end:
                return None
            if self.rest[end - 2 : end] != b"\r\n":
                fault = "a chunk that ends elsewhere" if size else "a trailer"
                self._flag(fault, lost=True)
                return None
            self._framed += self.rest[:end]
            self._body += self.rest[line_end + 2 : end - 2]
            del self.rest[:end]
            if size == 0:
                request = StrictRequest(self._head, bytes(self._body), bytes(self._framed))
                self._head = b""
                self._body.clear()
                self._framed.clear()
                return request
        if _BARE.search(bytes(self.rest[:-1])) or len(self.rest) > 16:
            self._flag("a chunk size without an end", lost=True)
        return None

    # --- heads ---

    def _judge_head(self, head: bytes) -> None:
        first, *lines = head[:-4].split(b"\r\n")
        method = self._judge_request_line(first)
        names: list[str] = []
        framing: dict[str, bytes] = {}
        for line in lines:
            name, value = self._judge_field(line)
            names.append(name)
            if name in ("content-length", "transfer-encoding", "host"):
                framing[name] = value
        self._judge_names(names)
        if not _HOST.fullmatch(framing.get("host", b"")):
            self._flag("no valid Host")
        self._judge_framing(method, framing)

    def _judge_request_line(self, line: bytes) -> str:
        parts = line.split(b" ")
        if len(parts) != 3 or parts[2] != b"HTTP/1.1":
            self._flag("a request line that is not of three parts with HTTP/1.1", lost=True)
            return ""
        method, target = parts[0].decode("latin-1"), parts[1]
        if method not in METHODS:
            self._flag(f"the method {method!r}")
        if not target.startswith(b"/"):
            self._flag("a target that is no path")
        elif _BAD_IN_TARGET.search(target):
            self._flag("a target with characters that must be encoded")
        self._judge_path(target.partition(b"?")[0])
        return method

    def _judge_path(self, path: bytes) -> None:
        segments = path.split(b"/")[1:]
        if b"" in segments[:-1] or b"." in segments or b".." in segments:
            self._flag("a path with empty or dot segments")
        if b";" in path or b"\\" in path or _HIDDEN_ESCAPE.search(path):
            self._flag("a path that some cut otherwise")
        if _BAD_ESCAPE.search(path) or _UNRESERVED_ESCAPE.search(path):
            self._flag("a path that can be spelled otherwise")

    def _judge_field(self, line: bytes) -> tuple[str, bytes]:
        name, colon, value = line.partition(b":")
        if line[:1] in (b" ", b"\t"):
            self._flag("a folded line", lost=True)
        elif not colon or not _NAME.fullmatch(name):
            self._flag("a header without a clean name", lost=True)
        if _CONTROL.search(value):
            self._flag("a control byte in a value", lost=True)
        return name.decode("latin-1").lower(), value.lstrip(b" \t")

    def _judge_names(self, names: list[str]) -> None:
        count = Counter(names)
        for name, times in count.items():
            dashed = name.replace("_", "-")
            if name != dashed and name not in (self.permitted or ()):
                self._flag(f"a name with an underscore: {name}")
            if _HOP_BY_HOP.fullmatch(dashed):
                self._flag(f"a header of one hop: {name}")
            elif _SPEAKS_OF_THE_CLIENT.fullmatch(dashed) or _OVERRIDES.fullmatch(dashed):
                self._flag(f"a header that servers believe: {name}")
            elif dashed.startswith("bailee"):
                self._flag(f"a header of ours: {name}")
            elif (
                self.permitted is not None
                and name not in self.permitted
                and name not in ("host", "content-length", "transfer-encoding")
            ):
                self._flag(f"a header that is not permitted: {name}")
            if times > 1 and name in {*_STANDS_ONCE, "host", "content-length", "transfer-encoding"}:
                self._flag(f"a header that stands once, twice: {name}", lost="-len" in name)

    def _judge_framing(self, method: str, framing: dict[str, bytes]) -> None:
        length, coding = framing.get("content-length"), framing.get("transfer-encoding")
        self._chunked, self._length = coding is not None, 0
        if coding is not None and length is not None:
            self._flag("both Content-Length and Transfer-Encoding", lost=True)
        if coding is not None and coding != b"chunked":
            self._flag("a Transfer-Encoding other than chunked", lost=True)
        if length is not None:
            if not _LENGTH.fullmatch(length):
                self._flag("an odd Content-Length", lost=True)
            elif coding is None:
                self._length = int(length)
        if length is None and coding is None and method in WITH_BODY:
            self._flag(f"{method} without framing")
