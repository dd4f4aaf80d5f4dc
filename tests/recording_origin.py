"""A TLS origin in a process of its own: it writes every head down before it answers.

    python recording_origin.py CERTIFICATE KEY RECORD

The record has one JSON string a line: a head as it came. Answers are `{}`; to `/slow/...` after
`SLOW_SECONDS`, the head at once and the body then.
"""

import asyncio
import json
import os
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import uvloop

from bailee.reference.pki import Issued
from reference_server import environment

SLOW_SECONDS = 0.4
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n"
BODY = b"{}"


@dataclass(frozen=True, slots=True)
class RecordingOrigin:
    """A running origin, and its record."""

    port: int
    record: Path

    def heads(self) -> list[str]:
        """Every head that came, in the order of arrival."""
        return [json.loads(line) for line in self.record.read_text().splitlines()]

    def targets(self) -> list[str]:
        """The request targets of all heads."""
        return [head.split(" ", 2)[1] for head in self.heads()]


@contextmanager
def run_recording_origin(directory: Path, issued: Issued) -> Iterator[RecordingOrigin]:
    """Run an origin with a certificate until the block ends."""
    directory.mkdir(parents=True, exist_ok=True)
    certificate, key = issued.write(directory, "origin")
    record = directory / "record"
    record.touch()
    command = [sys.executable, __file__, str(certificate), str(key), str(record)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, env=environment()
    ) as process:
        try:
            assert process.stdout is not None
            yield RecordingOrigin(int(process.stdout.readline()), record)
        finally:
            process.terminate()


class _Recording(asyncio.Protocol):
    """One connection; requests come one after another."""

    transport: asyncio.Transport

    def __init__(self, record: int) -> None:
        self._record = record
        self._waiting = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._waiting += data
        while (length := self._whole()) is not None:
            request, self._waiting = self._waiting[:length], self._waiting[length:]
            head = request.partition(b"\r\n\r\n")[0].decode("latin-1")
            os.write(self._record, json.dumps(head).encode() + b"\n")
            if " /slow/" in head.partition("\r\n")[0]:
                self.transport.write(HEAD)
                asyncio.get_running_loop().call_later(SLOW_SECONDS, self.transport.write, BODY)
            else:
                self.transport.write(HEAD + BODY)

    def _whole(self) -> int | None:
        """How long the first request is, once it is whole."""
        head, end, _ = self._waiting.partition(b"\r\n\r\n")
        if not end:
            return None
        lower = head.lower()
        length = len(head) + 4
        if b"\r\ncontent-length:" in lower:
            length += int(lower.partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0])
        return length if len(self._waiting) >= length else None


async def _serve(certificate: str, key: str, record: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    written = os.open(record, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    loop, leave = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, leave.set)
    server = await loop.create_server(
        lambda: _Recording(written), "127.0.0.1", 0, ssl=context, backlog=1024
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await leave.wait()


if __name__ == "__main__":
    uvloop.run(_serve(*sys.argv[1:]))
