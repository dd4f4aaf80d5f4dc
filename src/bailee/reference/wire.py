"""Requests and answers of the reference API over bare ASGI."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from bailee.reference.allowlist_middleware import Receive, Scope, Send

MAX_JSON_BYTES = 64 * 1024
JSON_TYPE = (b"content-type", b"application/json")
_BLOCKED = b"<html><body><h1>Access denied</h1>Your request was blocked.</body></html>"
BYTES_TYPE = (b"content-type", b"application/octet-stream")


class ApiFault(Exception):
    """A request that the reference API refuses. It is answered, and nothing was changed."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(code)
        self.status, self.code, self.message = status, code, message


class Disconnected(Exception):
    """The client went away in the middle of its body. There is nobody to answer."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request, as ASGI hands it over."""

    scope: Scope
    receive: Receive
    send: Send

    @property
    def method(self) -> str:
        """The method, in capitals."""
        return str(self.scope["method"])

    @property
    def path(self) -> str:
        """The path with escapes decoded: routing looks at this."""
        return str(self.scope["path"])

    @property
    def raw_path(self) -> str:
        """The path as it arrived."""
        raw: bytes = self.scope["raw_path"]
        return raw.decode("latin-1").partition("?")[0]

    @property
    def headers(self) -> list[tuple[str, str]]:
        """The headers in the order of arrival, names in lower case."""
        return [(n.decode("latin-1"), v.decode("latin-1")) for n, v in self.scope["headers"]]

    @property
    def query_text(self) -> str:
        """The query as it arrived, without `?`."""
        return bytes(self.scope["query_string"]).decode("latin-1")

    def whole_number(self, name: str, default: int, largest: int) -> int:
        """Read a query parameter.

        Raises:
            ApiFault: It is not a whole number from 0 to `largest`.
        """
        text = dict(parse_qsl(self.query_text, keep_blank_values=True)).get(name, str(default))
        if not (text.isascii() and text.isdigit() and len(text) < 16) or int(text) > largest:
            message = f"{name} must be a whole number from 0 to {largest}"
            raise ApiFault(400, "invalid_request", message)
        return int(text)

    async def body(self) -> AsyncIterator[bytes]:
        """Yield the body in pieces as they arrive.

        Raises:
            Disconnected: The client went away before its end.
        """
        more = True
        while more:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise Disconnected
            yield message.get("body", b"")
            more = message.get("more_body", False)

    async def digest(self) -> dict[str, object]:
        """Read the whole body in flat memory and return its length and SHA-256."""
        digest, length = hashlib.sha256(), 0
        async for piece in self.body():
            digest.update(piece)
            length += len(piece)
        return {"length": length, "sha256": digest.hexdigest()}

    async def json(self) -> dict[str, object]:
        """Read a JSON object.

        Raises:
            ApiFault: It is larger than 64 KiB, or not a JSON object.
        """
        text = b""
        async for piece in self.body():
            text += piece
            if len(text) > MAX_JSON_BYTES:
                raise ApiFault(413, "body_too_large", "the body is larger than 64 KiB")
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise ApiFault(400, "invalid_request", "the body must be a JSON object")
        return value

    async def reply(self, status: int, value: Mapping[str, object]) -> None:
        """Answer with JSON."""
        body = json.dumps(value).encode()
        headers = [JSON_TYPE, (b"content-length", b"%d" % len(body))]
        await self.send({"type": "http.response.start", "status": status, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})

    async def reply_blocked(self) -> None:
        """Answer as a firewall does, which knows nothing of the API behind it."""
        headers = [(b"content-type", b"text/html"), (b"content-length", b"%d" % len(_BLOCKED))]
        await self.send({"type": "http.response.start", "status": 403, "headers": headers})
        await self.send({"type": "http.response.body", "body": _BLOCKED})

    async def stream(self, pieces: AsyncIterator[bytes], length: int | None = None) -> None:
        """Answer with pieces as they come, and stop when the client goes away.

        Args:
            pieces: The body.
            length: The whole length in bytes; chunked transfer coding where it is not known.
        """
        headers = [BYTES_TYPE]
        if length is not None:
            headers.append((b"content-length", b"%d" % length))
        async with asyncio.TaskGroup() as group:
            gone = group.create_task(self._gone())
            await self.send({"type": "http.response.start", "status": 200, "headers": headers})
            async for piece in pieces:
                if gone.done():
                    return
                await self.send({"type": "http.response.body", "body": piece, "more_body": True})
                await asyncio.sleep(0)  # a server that need not wait would starve all others
            await self.send({"type": "http.response.body", "body": b""})
            gone.cancel()

    async def _gone(self) -> None:
        while (await self.receive())["type"] != "http.disconnect":
            pass


def single_header(scope: Scope, name: str) -> str | None:
    """Read a header of a request; `None` when there is not exactly one."""
    wanted = name.lower().encode()
    values = [value for name, value in scope["headers"] if name == wanted]
    return values[0].decode("latin-1") if len(values) == 1 else None


def bearer(scope: Scope) -> str | None:
    """Read the bearer secret of a request; `None` when there is not exactly one."""
    scheme, _, secret = (single_header(scope, "authorization") or "").partition(" ")
    return secret if scheme.lower() == "bearer" and secret else None
