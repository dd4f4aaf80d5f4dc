"""Bodies of a GiB pass a worker in both directions, and its memory stays flat."""

import hashlib
import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, Thread
from typing import Self

import pytest
from cryptography import x509

from bailee.egress.pin import compute_pin
from bailee.reference.streams import pseudo_random, pseudo_random_sha256
from house import build_house, make_provider
from reference_server import start_api
from served import Served, admit, resident_bytes

GIB = 1024**3
MIB = 1024**2
GROWTH = 64 * MIB
SAMPLE_SECONDS = 0.02
SLOW_SECONDS = 1.0
SECONDS = 90.0


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker before the reference API, and a caller's door to it."""

    pid: int
    port: int
    path: str
    token: str

    @contextmanager
    def send(self, method: str, target: str, *more: str) -> Iterator[socket.socket]:
        """A connection on which the head of a request was sent."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=SECONDS) as client:
            line = f"{method} {self.path}{target} HTTP/1.1"
            lines = [line, "Host: here", f"Authorization: Bearer {self.token}", *more]
            client.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
            yield client

    def download(self, count: int, *, slow: bool = False) -> tuple[int, str]:
        """Read so many bytes of the API: how many came, and their SHA-256."""
        digest, length, buffer = hashlib.sha256(), 0, memoryview(bytearray(MIB))
        with self.send("GET", f"/bytes?count={count}", "Connection: close") as client:
            head = read_head(client)
            assert head.startswith(b"HTTP/1.1 200 "), head
            if slow:
                time.sleep(SLOW_SECONDS)
            while got := client.recv_into(buffer):
                digest.update(buffer[:got])
                length += got
        return length, digest.hexdigest()

    def upload(self, count: int) -> tuple[str, dict[str, object]]:
        """Send so many bytes to the API: their SHA-256, and what the API says it got."""
        digest = hashlib.sha256()
        with self.send("POST", "/sink", f"Content-Length: {count}", "Connection: close") as client:
            for piece in pseudo_random(count, seed=7):
                digest.update(piece)
                client.sendall(piece)
            head = read_head(client)
            assert head.startswith(b"HTTP/1.1 200 "), head
            with client.makefile("rb") as answer:
                told: dict[str, object] = json.loads(answer.read())
        return digest.hexdigest(), told


class Watch:
    """Samples the memory of a process while its block runs."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._before = self._most = resident_bytes(pid)
        self._over = Event()
        self._thread = Thread(target=self._sample)

    @property
    def growth(self) -> int:
        """By how much it has grown at most, bytes."""
        return self._most - self._before

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._over.wait(SAMPLE_SECONDS):
            self._most = max(self._most, resident_bytes(self._pid))


def read_head(client: socket.socket) -> bytes:
    """Read an answer's head and nothing of its body."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = client.recv(1)
        assert byte, "the connection ended in the head"
        head += byte
    return head


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    """One worker, after a first small call in each direction."""
    directory = tmp_path_factory.mktemp("big")
    house = build_house(directory / "vault")
    with start_api(directory / "api") as api:
        pin = compute_pin(x509.load_pem_x509_certificate(api.files.certificate.read_bytes()))
        provider = make_provider(api.port, api.files.ca.read_text())
        connection, token = admit(house, provider, pin, api.make_key(["127.0.0.2"]))
        with Served(house) as served:
            served.wait_for("serving")
            (pid,) = served.running("gateway")
            worker = Worker(pid, served.port, f"/{connection}/v1", token)
            assert worker.download(MIB)[0] == worker.upload(MIB)[1]["length"] == MIB
            yield worker
            assert served.running("gateway") == [pid]
    house.store.close()


def test_download_when_it_is_a_gib(worker: Worker) -> None:
    """Every byte of an answer of 1 GiB comes through, and the worker grows by 64 MiB at most."""
    with Watch(worker.pid) as watch:
        assert worker.download(GIB) == (GIB, pseudo_random_sha256(GIB))
    assert watch.growth <= GROWTH


def test_upload_when_it_is_a_gib(worker: Worker) -> None:
    """Every byte of a body of 1 GiB goes through, and the worker grows by 64 MiB at most."""
    with Watch(worker.pid) as watch:
        sent, told = worker.upload(GIB)
    assert told == {"length": GIB, "sha256": sent}
    assert watch.growth <= GROWTH


def test_download_when_the_client_reads_slowly(worker: Worker) -> None:
    """A client that does not read holds the provider back; nothing piles up in the worker."""
    with Watch(worker.pid) as watch:
        assert worker.download(GIB // 4, slow=True)[0] == GIB // 4
    assert watch.growth <= GROWTH
