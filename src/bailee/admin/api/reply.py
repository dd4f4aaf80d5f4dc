"""A whole answer in memory: what a route sent, before it goes out."""

from dataclasses import dataclass, field
from typing import Self

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send


@dataclass(slots=True)
class Reply:
    """Status, headers and body. Bodies are bounded by the bound of a page."""

    status: int = 0
    raw_headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)

    @classmethod
    async def of(cls, app: ASGIApp, scope: Scope, receive: Receive) -> Self:
        """Let an application answer a request, and keep the answer."""
        reply = cls()

        async def keep(message: Message) -> None:
            if message["type"] == "http.response.start":
                reply.status = message["status"]
                reply.raw_headers = list(message["headers"])
            else:
                reply.body += message.get("body", b"")

        await app(scope, receive, keep)
        return reply

    @property
    def headers(self) -> Headers:
        """The headers, to be read."""
        return Headers(raw=self.raw_headers)

    def set_header(self, name: str, value: str) -> None:
        """Put a header in the place of one of its name."""
        MutableHeaders(raw=self.raw_headers)[name] = value

    async def send(self, send: Send) -> None:
        """Let it out."""
        start = {
            "type": "http.response.start",
            "status": self.status,
            "headers": self.raw_headers,
        }
        await send(start)
        await send({"type": "http.response.body", "body": bytes(self.body)})
