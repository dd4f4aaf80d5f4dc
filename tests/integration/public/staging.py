"""The public application on a real server on loopback, and feeds signed by hand."""

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import uvloop

from bailee.app.web import make_server
from bailee.model import EgressId, EgressState, Feed, FeedAddress, Signed
from bailee.public.app import create_app
from bailee.public.feed import PublishedFeed
from bailee.store import feeds
from bailee.vault.statements import sign_feed
from house import House

START = 1_795_560_508.0
DAY = 86_400.0
FOUR = FeedAddress(EgressId("egr_a"), "203.0.113.7", EgressState.ACTIVE, 1, START)
SIX = FeedAddress(EgressId("egr_b"), "2001:db8::7", EgressState.ACTIVE, 1, START)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(slots=True)
class Stage:
    """A running public application. `now` is its clock."""

    house: House
    port: int
    now: float = START + 60

    def get(self, target: str, method: str = "GET", **headers: str) -> Answer:
        """Ask, with headers whose names have hyphens for underscores."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(method, target, headers=sent)
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, found, answer.read())
        finally:
            connection.close()

    def refusal(self, target: str = "/egress/ranges.json") -> str:
        """The code of the problem that is answered, which shows no address."""
        answer = self.get(target)
        assert answer.status == 503
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["bailee-error"] == answer.json["code"]
        assert "retry-after" in answer.headers
        assert b"203.0.113" not in answer.body
        return str(answer.json["code"])

    def sign(self, *addresses: FeedAddress, serial: int = 1, days: float = 30) -> Signed:
        """Sign a feed that was made when the clock began."""
        return sign_feed(
            self.house.authority, Feed(serial, START, START + days * DAY, addresses or (FOUR, SIX))
        )

    def put(self, signed: Signed, serial: int = 1) -> None:
        """Store a row, as the keeper does or as somebody else would."""
        with self.house.store.write() as conn:
            feeds.insert(conn, serial, signed, START)

    def execute(self, statement: str, *values: object) -> None:
        """Alter rows as somebody who can write the database."""
        with self.house.store.write() as conn:
            conn.exec_driver_sql(statement, values)


@contextmanager
def run_public(house: House) -> Iterator[Stage]:
    """Serve the public application in a thread until the block ends."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    stage = Stage(house, listener.getsockname()[1])
    published = PublishedFeed(house.store, house.verifier, lambda: stage.now)
    server = make_server(create_app(published))
    loop = uvloop.new_event_loop()
    serving = server.serve(sockets=[listener])
    thread = threading.Thread(target=lambda: loop.run_until_complete(serving))
    thread.start()
    try:
        yield stage
    finally:
        server.should_exit = True
        thread.join(20)
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
