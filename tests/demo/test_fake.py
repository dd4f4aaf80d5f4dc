"""The fake API's own process counts what arrives: its zeros are worth something."""

import json
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bailee.reference.pki import World
from demo_run import environment


class Fake:
    """A running fake API."""

    def __init__(self, process: subprocess.Popen[bytes], roots: Path) -> None:
        self.process, self.roots = process, roots
        self.port = int(self._line()["listening"])

    def counts(self) -> Any:
        """Ask what it counted."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()
        return self._line()

    def _line(self) -> Any:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[Fake]:
    """A fake API on a free port; it ends when its stdin does."""
    files = World.create(["api.test"]).write(tmp_path)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with subprocess.Popen(
        [sys.executable, "-m", "bailee.demo.fake", str(port), files.certificate, files.key],
        env=environment(tmp_path / "scratch"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        try:
            yield Fake(process, files.ca)
            assert process.stdin is not None
            process.stdin.close()
            assert process.wait(10) == 0
        finally:
            process.kill()


def test_fake_when_a_client_trusts_it(fake: Fake) -> None:
    """It answers, and counts the handshake and every byte that came in plain."""
    trust = ssl.create_default_context(cafile=str(fake.roots))
    request = b"GET / HTTP/1.1\r\nHost: api.test\r\n\r\n"
    with (
        socket.create_connection(("127.0.0.1", fake.port), 10) as plain,
        trust.wrap_socket(plain, server_hostname="api.test") as stream,
    ):
        stream.sendall(request)
        assert stream.recv(15) == b"HTTP/1.1 200 OK"
    counts = fake.counts()
    assert (counts["connections"], counts["open"], counts["handshakes"]) == (1, 0, 1)
    assert counts["plaintext_bytes"] == len(request)
    assert counts["raw_bytes"] > len(request)


def test_fake_when_a_client_goes_in_the_handshake(fake: Fake) -> None:
    """It counts the raw bytes, and neither a handshake nor a byte in plain."""
    trust = ssl.create_default_context(cafile=str(fake.roots))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trust.wrap_bio(incoming, outgoing, server_hostname="api.test")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    hello = outgoing.read()
    with socket.create_connection(("127.0.0.1", fake.port), 10) as plain:
        plain.sendall(hello)
        assert plain.recv(1)
    counts = fake.counts()
    assert (counts["connections"], counts["handshakes"], counts["plaintext_bytes"]) == (1, 0, 0)
    assert counts["raw_bytes"] == len(hello)


def test_fake_when_what_comes_is_no_tls(fake: Fake) -> None:
    """A request without TLS is raw bytes, and nothing in plain."""
    with socket.create_connection(("127.0.0.1", fake.port), 10) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert not plain.recv(1).startswith(b"H")
    counts = fake.counts()
    assert (counts["handshakes"], counts["plaintext_bytes"], counts["raw_bytes"]) == (0, 0, 18)
