"""Requests nobody thought of: none makes the origin see two meanings, however packets are cut.

The gateway runs in a thread of its own, so that hypothesis can call it again and again.
"""

import re
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from anyio.lowlevel import checkpoint
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bailee.reference.pki import World
from gate import request
from integration.gateway.ambiguity import ACCEPTED, AUTH, END, HOST, REFUSED, wire
from integration.gateway.conftest import Stage
from integration.gateway.staging import echo, staged

PERMITTED = frozenset(
    {
        "accept", "accept-encoding", "accept-language", "authorization", "cache-control",
        "content-digest", "content-disposition", "content-encoding", "content-language",
        "content-type", "idempotency-key", "if-match", "if-modified-since", "if-none-match",
        "if-range", "if-unmodified-since", "last-event-id", "pragma", "prefer", "range",
        "repr-digest", "user-agent",
    }
)  # fmt: skip
"""R29, written down once more: what an origin of a provider without `headers` may be sent."""
_QUIET = 0.15
"""Seconds after which nothing more is expected of a request that has no end."""
_STATUS = re.compile(rb"HTTP/1\.1 ([0-9]{3}) ")


@dataclass(slots=True)
class Running:
    """A stage in a thread."""

    portal: BlockingPortal
    stage: Stage

    def talk(self, parts: Sequence[bytes]) -> tuple[bytes, bool]:
        """Send packets one after another.

        Returns:
            All that is answered, and whether the gateway said itself that it is all.
        """
        with socket.create_connection(("127.0.0.1", self.stage.port), timeout=5) as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for part in parts:
                try:
                    client.sendall(part)
                except ConnectionError:  # it was refused at an earlier part
                    break
                self.portal.call(_let_it_read)
            said = bytearray()
            told = _read(client, said, _QUIET)
            if not told:
                client.shutdown(socket.SHUT_WR)
                _read(client, said, 5)
            return bytes(said), told


def _read(client: socket.socket, said: bytearray, seconds: float) -> bool:
    """Read until the end, and tell whether it was told before nothing came for so long."""
    client.settimeout(seconds)
    try:
        while data := client.recv(65536):
            said += data
            if _is_last(said):
                return True
    except TimeoutError:
        return False
    except ConnectionError:
        pass
    return True


def _is_last(said: bytearray) -> bool:
    """Whether an answer that says that it is the last is whole."""
    head, closed, body = bytes(said).partition(b"Connection: close\r\n\r\n")
    if not closed:
        return False
    return len(body) >= int(head.rpartition(b"Content-Length: ")[2].partition(b"\r\n")[0])


async def _let_it_read() -> None:
    for _ in range(3):
        await checkpoint()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, world: World) -> Iterator[Running]:
    """A gateway for all examples of this file."""
    directory = tmp_path_factory.mktemp("generated")
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(staged(directory, world, respond=echo)) as stage,
    ):
        stage.origin.permitted = PERMITTED
        yield Running(portal, stage)


# --- packets ---

SMALL, LARGE = 3, 70_000


def _stream(stage: Stage, refused: str) -> bytes:
    """Requests of many sizes on one connection; the last one but one can be refused."""
    base = f"/{stage.connection}"
    chunked = request("POST", f"{base}/4", stage.token, Transfer_Encoding="chunked")
    return b"".join(
        [
            request("GET", f"{base}/0", stage.token),
            request("POST", f"{base}/1", stage.token, b"x" * SMALL),
            request("GET", f"/{'a' * 26}/2", stage.token),
            request("PUT", f"{base}/3", stage.token, b"y" * LARGE),
            chunked + b"2;a=b\r\nhi\r\n1\r\n!\r\n0\r\nX-Sum: 1\r\n\r\n",
            request("HEAD", f"{base}/5", stage.token),
            request("POST", f"{base}/6", stage.token, b"", Expect="100-continue"),
            wire(refused, stage.connection, stage.token),
            request("GET", f"{base}/8", stage.token, Connection="close"),
        ]
    )


def _said(answers: bytes) -> list[bytes]:
    """Answers without what differs each time; interim ones are no part of them."""
    same = re.sub(rb"(Bailee-Call: |\"call\":\")[0-9a-f-]+", rb"\1", answers)
    same = re.sub(rb"(HTTP/1.1 40[04] .*\r\n(?:.*\r\n)*?Content-Length: )[0-9]+", rb"\1", same)
    return [part for part in same.split(b"HTTP/1.1 ") if not part.startswith(b"100 ")]


@pytest.mark.parametrize("middle", ["GET {c}/7 HTTP/1.1\r\n" + HOST + AUTH + END,
                                    REFUSED["a name: a space before the colon"][0],
                                    REFUSED["a chunk: a bad chunk size"][0]],
                         ids=["all good", "a bad head", "a bad chunk"])  # fmt: skip
def test_pipelined_requests_when_packets_are_cut_anywhere(running: Running, middle: str) -> None:
    """The same answers in the same order as when all comes at once."""
    stage = running.stage
    raw = _stream(stage, middle)
    whole, ended = running.talk([raw])
    assert ended and b"/0|" in whole and b"/4|hi!" in whole
    assert (b"/8|" in whole) == (middle.startswith("GET {c}/7"))
    expected = _said(whole)

    @settings(max_examples=25, deadline=None, database=None, derandomize=True)
    @given(st.lists(st.integers(1, len(raw) - 1), max_size=12, unique=True))
    def cut(places: list[int]) -> None:
        edges = [0, *sorted(places), len(raw)]
        answers, ended = running.talk([raw[start:end] for start, end in pairwise(edges)])
        assert ended and _said(answers) == expected

    cut()
    assert stage.origin.flags == []


# --- requests ---

NAMES = [
    "Accept", "accept", "Content-Type", "X-A", "X_Forwarded_For", "X-Forwarded-For", "Forwarded",
    "Via", "Cookie", "Host", "host", "Authorization", "Bailee-Token", "Bailee-Subject", "TE",
    "Trailer", "Upgrade", "Connection", "Keep-Alive", "Proxy-Connection", "X-HTTP-Method-Override",
    "X-Original-URL", "Content-Length", "Transfer-Encoding", "Content_Length", "Expect", "Range",
]  # fmt: skip
VALUES = [
    "", "a", "chunked", "5", "0", "close", "keep-alive", "upgrade, host", "a\tb", "caf\xe9",
    "127.0.0.1", "DELETE", "/admin", "100-continue", "identity", "x" * 300, "a, b;q=1",
]  # fmt: skip
SOUND = st.characters(min_codepoint=0x21, max_codepoint=255, exclude_characters="\x7f")
TOKEN = st.sampled_from("abcXYZ019-_.!#$%&'*+^`|~")
FRAMINGS = [
    ("", ""), ("Content-Length: 2\r\n", "hi"), ("Content-Length: 0\r\n", ""),
    ("Transfer-Encoding: chunked\r\n", "2\r\nhi\r\n0\r\n\r\n"),
    ("transfer-encoding: Chunked\r\n", "1;a=b\r\nh\r\n1\r\ni\r\n0\r\nX: y\r\n\r\n"),
    ("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", "2\r\nhi\r\n0\r\n\r\n"),
    ("Content-Length: 02\r\n", "hi"), ("Content-Length: 1\r\n", "hi"),
    ("Transfer-Encoding: chunked\r\n", "3\r\nhi\r\n0\r\n\r\n"),
]  # fmt: skip


@st.composite
def _requests(draw: st.DrawFn) -> str:
    """A request that is good, nearly good, or hurt in a few bytes."""
    method = draw(st.sampled_from(["GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD", "TRACE"]))
    path = draw(st.sampled_from(["/p", "/a/b", "", "/%41%7e", "/a%2fb", "/a/../b", "//", "/a;b"]))
    query = draw(st.sampled_from(["", "?a=b", "?", "?a[]=%20|{}", "?a#b", "?x=\xe9"]))
    headers = draw(
        st.lists(
            st.tuples(
                st.sampled_from(NAMES) | st.text(TOKEN, min_size=1, max_size=4),
                st.sampled_from([*[": "] * 20, ":", ":\t", " : "]),
                st.sampled_from(VALUES) | st.text(SOUND, max_size=4),
                st.sampled_from([*["\r\n"] * 20, "\n", "\r\n "]),
            ),
            max_size=4,
        )
    )
    framing, body = draw(st.sampled_from(FRAMINGS))
    lines = "".join("".join(each) for each in headers)
    return f"{method} {{c}}{path}{query} HTTP/1.1\r\n{HOST}{AUTH}{lines}{framing}\r\n{body}"


@st.composite
def _hurt(draw: st.DrawFn) -> str:
    """One of the tables' requests, or a made one, with some bytes changed, put in or taken out."""
    text = draw(
        _requests() | st.sampled_from([*ACCEPTED.values(), *(r for r, _ in REFUSED.values())])
    )
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        at = draw(st.integers(0, len(text)))
        byte = draw(
            st.sampled_from(
                ["\r", "\n", "\0", " ", "\t", ":", ",", "0", "a", "\r\n", "", "\x7f", "\xff"]
            )
        )
        text = text[:at] + byte + text[at + draw(st.integers(0, 2)) :]
    return text


def test_generated_request_when_it_is_relayed(running: Running) -> None:
    """R28: whatever comes, a strict origin sees nothing ambiguous, nor more than was answered."""
    stage = running.stage
    relayed = refused = 0

    @settings(
        max_examples=500,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(_hurt())
    def send(text: str) -> None:
        nonlocal relayed, refused
        before = len(stage.origin.arrived)
        last = "GET {c}/last HTTP/1.1\r\nConnection: close\r\n" + HOST + AUTH + END
        said, _ = running.talk([wire(text + last, stage.connection, stage.token)])
        arrived = stage.origin.arrived[before:]
        statuses = [status for status in _STATUS.findall(said) if status != b"100"]
        assert stage.origin.flags == []
        assert len(arrived) == statuses.count(b"200"), (arrived, said)
        assert all(b"/last" not in each.head for each in arrived[:-1])
        relayed += bool(arrived)
        refused += b"400" in statuses

    send()
    assert relayed > 25 and refused > 25
