"""Ask the reference API by hand: nothing here waits, so no event loop is needed."""

import json
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest

from bailee.reference.allowlist_middleware import Message, Scope
from bailee.reference.app import ReferenceApi


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine that never has to wait."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    coroutine.close()
    pytest.fail("it waited")


@dataclass
class Exchange:
    """One request and what was answered."""

    scope: Scope
    body: list[bytes]
    sent: list[Message] = field(default_factory=list)
    cut: bool = False

    async def receive(self) -> Message:
        if self.body:
            piece = self.body.pop(0)
            more = bool(self.body) or self.cut
            return {"type": "http.request", "body": piece, "more_body": more}
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def answer(self) -> Any:
        return json.loads(b"".join(message["body"] for message in self.sent[1:]))

    @property
    def code(self) -> Any:
        return self.answer["error"]["code"]


def make_scope(method: str, path: str, peer: str | None, headers: dict[str, str]) -> Scope:
    """A scope as uvicorn makes it."""
    path, _, query = path.partition("?")
    return {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "client": None if peer is None else (peer, 50_000),
    }


@dataclass
class Caller:
    """Asks a reference API in memory."""

    api: ReferenceApi

    def __call__(
        self,
        method: str,
        path: str,
        secret: str | None = None,
        value: object = None,
        *,
        peer: str | None = "127.0.0.2",
        body: list[bytes] | None = None,
        cut: bool = False,
        headers: dict[str, str] | None = None,
    ) -> Exchange:
        all_headers = dict(headers or {})
        if secret is not None:
            all_headers["Authorization"] = f"Bearer {secret}"
        pieces = (
            body if body is not None else [b"" if value is None else json.dumps(value).encode()]
        )
        exchange = Exchange(make_scope(method, path, peer, all_headers), pieces, cut=cut)
        run(self.api(exchange.scope, exchange.receive, exchange.send))
        return exchange

    def session(self, name: str = "ann") -> str:
        return str(self("POST", "/users", value={"name": name}).answer["session"])

    def key(self, session: str, **asked: object) -> dict[str, str]:
        whole = {"label": "k", "allow": ["127.0.0.2"], "permissions": ["read"], **asked}
        made = self("POST", "/keys", session, whole)
        assert made.status == 201
        return dict(made.answer)
