"""The reference API's WebSocket, `GET /v1/socket`: a protocol for uvicorn, as strict as RFC 6455.

The key stands on the handshake, as on every request, or in the first message:

    {"op": "login", "args": ["KEY"]}                           a bearer key
    {"op": "login", "args": ["ID", "TIMESTAMP", "SIGNATURE"]}  an HMAC key; the signature is that of
                                                               a request whose method is LOGIN,
                                                               with nothing else

Then `{"op": "ping"}`, `{"op": "subscribe", "args": ["ticker"]}`, which three ticks answer, and,
with a key, `{"op": "key"}`. Everything else is an error; what could be read in two ways, in frames
or in JSON, closes the connection.
"""

import asyncio
import json
from typing import Any, Final, cast

from bailee.errors import MalformedRequest
from bailee.http.framing import status_line
from bailee.http.upgrade import Opening, read_opening
from bailee.http.websocket import (
    CLOSE,
    GOING_AWAY,
    PING,
    POLICY,
    TEXT,
    Frame,
    FrameReader,
    close_payload,
    write_frame,
)
from bailee.reference.accounts import ApiKey
from bailee.reference.allowlist_middleware import Scope
from bailee.reference.wire import ApiFault

PATH: Final = "/v1/socket"
MESSAGE_BYTES: Final = 64 * 1024
TICKS: Final = 3
_SPECIAL: Final = frozenset(
    {b"host", b"upgrade", b"connection", b"content-length", b"transfer-encoding", b"expect"}
)


class SocketDoor(asyncio.Protocol):
    """One WebSocket, from its handshake on.

    Args:
        config: uvicorn's; its application is the reference API.
        server_state: uvicorn's list of connections.
        app_state: Not used.
    """

    transport: asyncio.Transport

    def __init__(self, config: Any, server_state: Any, app_state: object) -> None:
        self._api = config.app
        self._connections = server_state.connections
        self._frames = FrameReader(masked=True, message_bytes=MESSAGE_BYTES)
        self._pieces = bytearray()
        self._open = False
        self._first = True
        self._key: ApiKey | None = None
        self._scope: Scope = {}

    def __repr__(self) -> str:
        return f"SocketDoor(open={self._open}, key={self._key is not None})"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take over from uvicorn."""
        self.transport = cast(asyncio.Transport, transport)
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._connections.discard(self)

    def shutdown(self) -> None:
        """The server is about to leave."""
        self._close(GOING_AWAY, b"")

    def data_received(self, data: bytes) -> None:
        """Read the handshake, then frames."""
        if not self._open:
            self._shake_hands(data)
            return
        for frame in self._frames.feed(data):
            self._take(frame)
        fault = self._frames.fault
        if fault is not None:
            self._api.note_ambiguous()
            self._close(fault.code, fault.reason.encode())

    # --- the handshake ---

    def _shake_hands(self, head: bytes) -> None:
        """Answer the handshake; uvicorn has written it anew, line by line."""
        try:
            opening = self._opening(head)
            self._key = self._api.admit_socket(self._scope)
        except MalformedRequest as fault:
            self._api.note_ambiguous()
            self._refuse(400, "invalid_request", fault.detail)
        except ApiFault as fault:
            self._refuse(fault.status, fault.code, fault.message)
        else:
            self._open = True
            self.transport.write(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: " + opening.accept + b"\r\n\r\n"
            )

    def _opening(self, head: bytes) -> Opening:
        request, *lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
        method, target, _ = request.split(b" ")
        path, _, query = target.partition(b"?")
        headers = [(name.lower(), value) for name, _, value in (x.partition(b": ") for x in lines)]
        self._scope = {
            "type": "http",
            "method": method.decode("latin-1"),
            "path": path.decode("latin-1"),
            "raw_path": path,
            "query_string": query,
            "headers": headers,
            "client": self.transport.get_extra_info("peername")[:2],
        }
        special = {name: value for name, value in headers if name in _SPECIAL}
        if sum(name in _SPECIAL for name, _ in headers) > len(special):
            raise MalformedRequest("a header stands there twice")
        others = [(name, name, value) for name, value in headers if name not in _SPECIAL]
        opening, _ = read_opening(self._scope["method"], special, others)
        if self._scope["path"] != PATH:
            raise ApiFault(404, "not_found", "no such route")
        return opening

    def _refuse(self, status: int, code: str, message: str) -> None:
        body = json.dumps({"error": {"code": code, "message": message}}).encode()
        head = b"Content-Type: application/json\r\nContent-Length: %d\r\n" % len(body)
        self.transport.write(status_line(status) + head + b"Connection: close\r\n\r\n" + body)
        self.transport.close()

    # --- messages ---

    def _take(self, frame: Frame) -> None:
        if frame.opcode == CLOSE:
            self._close(frame.code, b"")
        elif frame.opcode == PING:
            self.transport.write(write_frame(PING + 1, frame.payload))
        elif frame.opcode < CLOSE:
            self._pieces += frame.payload
            if frame.fin:
                message, self._pieces = bytes(self._pieces), bytearray()
                self._answer(frame.opcode, message)

    def _answer(self, opcode: int, message: bytes) -> None:
        first, self._first = self._first, False
        asked = _read(message) if opcode == TEXT else None
        if asked is None:
            self._api.note_ambiguous()
            self._close(POLICY, b"a message is one JSON object that can be read in one way")
            return
        try:
            for told in self._told(asked, first=first):
                self._send(told)
        except ApiFault as fault:
            self._send({"error": {"code": fault.code, "message": fault.message}})

    def _told(self, asked: dict[str, object], *, first: bool) -> list[dict[str, object]]:
        match asked.get("op"), asked.get("args"):
            case "ping", None:
                return [{"op": "pong"}]
            case "subscribe", ["ticker"]:
                subscribed: dict[str, object] = {"op": "subscribed", "args": ["ticker"]}
                return [subscribed, *({"ticker": "BTC-EUR", "n": n} for n in range(TICKS))]
            case "login", [*args] if first and self._key is None:
                self._key = self._api.login_socket(self._scope, args)
                return [{"op": "logged-in", "key": self._key.id, "id": asked.get("id")}]
            case "key", None:
                if self._key is None:
                    raise ApiFault(401, "invalid_key", "log in first")
                return [{"op": "key", "key": self._key.id}]
        raise ApiFault(400, "invalid_request", "no such message")

    def _send(self, told: dict[str, object]) -> None:
        self.transport.write(write_frame(TEXT, json.dumps(told).encode()))

    def _close(self, code: int, reason: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(write_frame(CLOSE, close_payload(code, reason)))
            self.transport.close()


def _read(message: bytes) -> dict[str, object] | None:
    """Read an object in which no name stands twice, anywhere."""

    def members(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ValueError
        return found

    try:
        read = json.loads(message, object_pairs_hook=members)
    except (ValueError, RecursionError):
        return None
    return read if isinstance(read, dict) else None
