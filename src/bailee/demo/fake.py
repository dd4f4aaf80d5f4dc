"""A fake API: a process of its own that answers anybody, and counts what it got.

    python -m bailee.demo.fake PORT CERTIFICATES KEY

It counts bytes as they come from its sockets, finished handshakes, and bytes that came out of TLS
in plain. When it accepts connections it prints {"listening": PORT}. Each line on stdin is answered
with the counts, once no connection is open. It ends when stdin ends.
"""

import asyncio
import json
import ssl
import sys
from dataclasses import asdict, dataclass
from typing import cast

HOST = "127.0.0.1"
SETTLE_SECONDS = 0.03
"""What was sent before the counts were asked for has arrived by then: it is the same machine."""
SETTLE_TURNS = 100
READ_SIZE = 16 * 1024
BODY = b'{"user": "user_0000000000000000", "balances": {"EUR": "1000.00"}}'
ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\nConnection: close\r\n\r\n%b" % (len(BODY), BODY)
)


@dataclass(slots=True)
class Counts:
    """What arrived since the start; `open` is how many connections there are now."""

    connections: int = 0
    open: int = 0
    raw_bytes: int = 0
    handshakes: int = 0
    plaintext_bytes: int = 0


class FakeApi(asyncio.Protocol):
    """One connection: TLS by hand, so that every byte is counted before anything reads it."""

    transport: asyncio.Transport

    def __init__(self, trust: ssl.SSLContext, counts: Counts) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = trust.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._counts = counts
        self._finished = False
        self._got = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody came."""
        self.transport = cast(asyncio.Transport, transport)
        self._counts.connections += 1
        self._counts.open += 1

    def connection_lost(self, exc: Exception | None) -> None:
        """Somebody left."""
        self._counts.open -= 1

    def data_received(self, data: bytes) -> None:
        """Count, decrypt, count again, and answer whatever was asked."""
        self._counts.raw_bytes += len(data)
        self._incoming.write(data)
        try:
            self._read()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            self.transport.abort()
            return
        if b"\r\n\r\n" in self._got:
            self._got = b""
            self._tls.write(ANSWER)
        self.transport.write(self._outgoing.read())

    def _read(self) -> None:
        if not self._finished:
            self._tls.do_handshake()
            self._finished = True
            self._counts.handshakes += 1
        while plain := self._tls.read(READ_SIZE):
            self._counts.plaintext_bytes += len(plain)
            self._got += plain
        self.transport.close()


async def serve(port: int, certificates: str, key: str) -> None:
    """Serve until stdin ends."""
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trust.minimum_version = ssl.TLSVersion.TLSv1_3
    trust.set_alpn_protocols(["http/1.1"])
    trust.load_cert_chain(certificates, key)
    counts, loop = Counts(), asyncio.get_running_loop()
    asked = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(asked), sys.stdin)
    async with await loop.create_server(lambda: FakeApi(trust, counts), HOST, port):
        _say({"listening": port})
        while await asked.readline():
            await _settle(counts)
            _say(asdict(counts))


async def _settle(counts: Counts) -> None:
    await asyncio.sleep(SETTLE_SECONDS)
    for _ in range(SETTLE_TURNS):
        if not counts.open:
            return
        await asyncio.sleep(SETTLE_SECONDS)


def _say(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2], sys.argv[3]))
