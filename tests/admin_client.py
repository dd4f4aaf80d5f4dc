"""The admin API on a real uvicorn on loopback, and an operator who asks it."""

import asyncio
import base64
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop

from bailee.admin.api.app import create_app
from bailee.app.chains import StoreChains
from bailee.app.web import make_server
from bailee.journal.writer import Journal
from bailee.model import Signed
from house import House


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The code of a problem document, which must be one in every respect."""
        assert self.headers["content-type"] == "application/problem+json"
        told: dict[str, Any] = self.json
        assert told["status"] == self.status
        assert told["type"] == f"urn:bailee:error:{told['code']}"
        assert self.headers["bailee-error"] == told["code"]
        assert self.headers["cache-control"] == "no-store"
        return str(told["code"])


@dataclass(frozen=True, slots=True)
class Admin:
    """A running admin API and an operator's token for it."""

    house: House
    port: int
    token: str
    journal: Journal
    draining: asyncio.Event
    loop: asyncio.AbstractEventLoop

    def ask(
        self,
        method: str,
        target: str,
        document: object = None,
        *,
        token: str | None = "",
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """Send one request. `token` None sends none, "" the operator's own."""
        sent = dict(headers or {})
        if token is not None:
            sent["Authorization"] = f"Bearer {token or self.token}"
        if document is not None:
            body = json.dumps(document).encode()
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, target, body, sent)
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, found, answer.read())
        finally:
            connection.close()

    def get(self, target: str, **more: Any) -> Answer:
        return self.ask("GET", target, **more)

    def post(self, target: str, document: object, **more: Any) -> Answer:
        return self.ask("POST", target, document, **more)

    def delete(self, target: str, **more: Any) -> Answer:
        return self.ask("DELETE", target, **more)

    def events(self) -> list[dict[str, Any]]:
        """What stands in the journal, events alone."""
        (path,) = (self.house.directory / "journal").glob("admin-*.jsonl")
        lines = [json.loads(line) for line in path.read_bytes().splitlines()]
        return [line for line in lines if line["type"] == "event"]


def statement(signed: Signed) -> dict[str, str]:
    """A statement as it is sent."""
    return {
        "payload": base64.b64encode(signed.payload).decode(),
        "signature": base64.b64encode(signed.signature).decode(),
    }


@contextmanager
def run_admin(house: House, clock: Callable[[], float] = time.time) -> Iterator[Admin]:
    """Serve a house's admin API in a thread until the block ends."""
    journal = Journal.open(Path(house.directory / "journal"), "admin", StoreChains(house.store))
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    port = listener.getsockname()[1]
    draining = asyncio.Event()
    server = make_server(
        create_app(house.store, house.verifier, journal, clock=clock, draining=draining)
    )
    loop = uvloop.new_event_loop()
    thread = threading.Thread(
        target=lambda: loop.run_until_complete(server.serve(sockets=[listener]))
    )
    thread.start()
    try:
        yield Admin(house, port, house.operator_token(), journal, draining, loop)
    finally:
        loop.call_soon_threadsafe(draining.set)
        server.should_exit = True
        thread.join(20)
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
        journal.close()
