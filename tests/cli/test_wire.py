"""The command line's HTTP: straight to where it was told, and nowhere else."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bailee.cli.output import printable
from bailee.cli.wire import Place, Unreachable, ask, parse_place
from bailee.errors import BadInput


@contextmanager
def answering(answer: bytes) -> Iterator[tuple[Place, list[bytes]]]:
    """A server that gives one answer; what it was sent is in the list."""
    heard: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        taken, _ = listener.accept()
        with taken:
            heard.append(taken.recv(65536))
            taken.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield Place("http", "127.0.0.1", listener.getsockname()[1]), heard
    finally:
        thread.join()
        listener.close()


def test_redirects_are_not_followed() -> None:
    """The token does not go where an answer points."""
    moved = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n"
    with answering(moved) as (place, _):
        assert ask(place, "GET", "/", {}).status == 302


def test_proxies_of_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """The token does not go through whatever `http_proxy` names."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    good = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    with answering(good) as (place, heard):
        answer = ask(place, "GET", "/x?y=1", {"Authorization": "Bearer t"})
    assert answer.body == b"ok"
    assert heard[0].startswith(b"GET /x?y=1 HTTP/1.1\r\n")


BROKEN = {
    "no HTTP": b"220 mail\r\n",
    "nothing": b"",
    "cut short": b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok",
}


@pytest.mark.parametrize("answer", BROKEN.values(), ids=BROKEN)
def test_broken_answers_are_told(answer: bytes) -> None:
    """An answer that is not whole is no answer."""
    with answering(answer) as (place, _), pytest.raises(Unreachable):
        ask(place, "GET", "/", {})


def test_nobody_listens() -> None:
    """A refused connection is told as one."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(Unreachable, match="refused"):
        ask(Place("http", "127.0.0.1", port), "GET", "/", {})


@pytest.mark.parametrize("target", ["/a b", "/a\r\nX: y", "/\x00"])
def test_targets_that_would_split_a_request(target: str) -> None:
    """Nothing that a person typed becomes another line of the head."""
    with socket.create_server(("127.0.0.1", 0)) as listener, pytest.raises(BadInput):
        ask(Place("http", "127.0.0.1", listener.getsockname()[1]), "GET", target, {})


URLS = {
    "http://127.0.0.1:8702": Place("http", "127.0.0.1", 8702),
    "http://[::1]:8702/": Place("http", "::1", 8702),
    "https://bailee.example.com/admin": Place("https", "bailee.example.com", 443, "/admin"),
}


@pytest.mark.parametrize(("url", "place"), URLS.items())
def test_urls(url: str, place: Place) -> None:
    """A URL says where to."""
    assert parse_place(url, "BAILEE_URL") == place


@pytest.mark.parametrize(
    "url",
    ["", "127.0.0.1:8702", "ftp://h", "http://u:p@h", "http://h?x", "http://h#x", "http://h:x"],
)
def test_urls_that_are_refused(url: str) -> None:
    """What is no plain URL is refused, and not repeated: it may hold a password."""
    with pytest.raises(BadInput) as caught:
        parse_place(url, "BAILEE_URL")
    assert "u:p" not in caught.value.detail


def test_output_moves_no_cursor() -> None:
    """Control characters of strangers are shown, not obeyed."""
    assert printable("a\x1b[2Jb\r\nc\u202e") == "a\\x1b[2Jb\\r\\nc\\u202e"
    assert printable("Zürich: 3 €") == "Zürich: 3 €"
