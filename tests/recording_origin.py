"""A TLS origin in a process of its own: it writes every head down before it answers.

    python recording_origin.py CERTIFICATE KEY RECORD

It reads strictly (`strict_http.py`). The record has one JSON value a line: a string is a head as it
came, a list holds what could be read in two ways. Answers are `{}`; to `/slow/...` after
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
from strict_http import StrictReader

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
        return [each for each in self._read() if isinstance(each, str)]

    def flags(self) -> list[str]:
        """What was ambiguous in all that came."""
        return [flag for each in self._read() if isinstance(each, list) for flag in each]

    def targets(self) -> list[str]:
        """The request targets of all heads."""
        return [head.split(" ", 2)[1] for head in self.heads()]

    def _read(self) -> list[str | list[str]]:
        return [json.loads(line) for line in self.record.read_text().splitlines()]


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
        self._strict = StrictReader()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        requests = self._strict.feed(data)
        for request in requests:
            self._write_down(request.head[:-4].decode("latin-1"))
        if self._strict.flags:
            self._write_down(self._strict.flags)
            self.transport.abort()
            return
        for request in requests:
            if " /slow/" in request.request_line:
                self.transport.write(HEAD)
                asyncio.get_running_loop().call_later(SLOW_SECONDS, self.transport.write, BODY)
            else:
                self.transport.write(HEAD + BODY)

    def _write_down(self, seen: str | list[str]) -> None:
        os.write(self._record, json.dumps(seen).encode() + b"\n")


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
