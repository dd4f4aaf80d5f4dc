"""Restarts under load: workers are replaced and drained, and no call is aborted."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from threading import Event, Lock, Thread

from integration.supervise.serving import eventually, is_running
from served import CALL_SECONDS, Place, run_place

RELOADS = 5
WORKERS = 2
CLIENTS = 8
SLOW_CLIENTS = 2
"""These call what takes 0.4 s, so that every drain finds calls in the middle."""
FRESH_CLIENTS = 2
"""These open a new connection for each call."""
PAUSE_SECONDS = 0.004
CALLS_BETWEEN = 50


@dataclass
class Load:
    """Clients that call on kept connections until they are told to stop.

    A drain answers also who wrote to it before he could know: no client has to call again.
    """

    place: Place
    over: Event = field(default_factory=Event)
    lock: Lock = field(default_factory=Lock)
    served: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    cut: list[str] = field(default_factory=list)
    """The answer had begun, and did not end."""
    unanswered: list[str] = field(default_factory=list)
    """The kept connection was closed without an answer."""
    turned_away: list[str] = field(default_factory=list)
    """A new connection was closed without an answer; a port that closes does so to who waits."""
    closed: list[str] = field(default_factory=list)
    """Nobody listens any more; this ends the load."""

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run the clients while the block runs."""
        threads = [Thread(target=self._client, args=(number,)) for number in range(CLIENTS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.over.set()
            for thread in threads:
                thread.join()

    def aborted(self) -> list[str]:
        """Every call that was not served."""
        return [*self.refused, *self.cut, *self.unanswered, *self.turned_away]

    def _client(self, number: int) -> None:
        client, fresh, count = self._connect(), True, 0
        kind = "slow" if number < SLOW_CLIENTS else "quick"
        may_keep = number < CLIENTS - FRESH_CLIENTS
        while not self.over.wait(PAUSE_SECONDS):
            count += 1
            path = f"/{kind}/{number}-{count}"
            outcome, kept = self._call(client, path, fresh)
            with self.lock:
                outcome.append(path)
            fresh = not (kept and may_keep)
            if fresh:
                client.close()
                client = self._connect()
        client.close()

    def _connect(self) -> HTTPConnection:
        return HTTPConnection("127.0.0.1", self.place.served.port, timeout=CALL_SECONDS)

    def _call(self, client: HTTPConnection, path: str, fresh: bool) -> tuple[list[str], bool]:
        """Call once: where it is to be counted, and whether the connection is kept."""
        headers = {"Authorization": f"Bearer {self.place.token}"}
        try:
            client.request("GET", f"/{self.place.connection}{path}", headers=headers)
            answer = client.getresponse()
        except ConnectionRefusedError:
            self.over.set()
            return self.closed, False
        except (HTTPException, OSError):
            return (self.turned_away if fresh else self.unanswered), False
        try:
            answer.read()
        except (HTTPException, OSError):
            return self.cut, False
        kept = answer.headers.get("Connection") != "close"
        return (self.served if answer.status == 200 else self.refused), kept


def test_calls_when_it_reloads(tmp_path: Path) -> None:
    """5 restarts of all workers under load abort no call, and every old process leaves."""
    with run_place(tmp_path, workers=WORKERS) as place:
        load = Load(place)
        with load.running():
            for count in range(1, RELOADS + 1):
                wait_for_calls(load)
                before = place.served.running("gateway")
                place.served.process.send_signal(signal.SIGHUP)
                place.served.wait_for("reloaded", count)
                wait_until_gone(before)
            wait_for_calls(load)
        assert len(place.served.running("gateway")) == WORKERS
        assert place.served.stop() == 0
        assert load.aborted() == []
        assert load.closed == []
        judge(place, load)


def test_calls_when_it_is_terminated(tmp_path: Path) -> None:
    """SIGTERM under load: calls under way are answered, then the port is closed and all leave."""
    with run_place(tmp_path, workers=WORKERS) as place:
        load = Load(place)
        with load.running():
            wait_for_calls(load)
            pids = place.served.processes()
            place.served.process.send_signal(signal.SIGTERM)
            assert place.served.process.wait(30) == 0
        assert [pid for pid in pids if is_running(pid)] == []
        assert (load.refused, load.cut, load.unanswered) == ([], [], [])
        judge(place, load)
        assert not place.served.lines("role killed")


def wait_until_gone(pids: list[int]) -> None:
    """Wait until none of the processes is there any more."""
    eventually(lambda: not any(map(is_running, pids)))


def wait_for_calls(load: Load) -> None:
    """Wait until so many more calls were served."""
    wanted = len(load.served) + CALLS_BETWEEN
    eventually(lambda: len(load.served) >= wanted)


def judge(place: Place, load: Load) -> None:
    """Each served call is whole in the journal, and what got no answer had not begun."""
    lines = place.served.journal()
    intents = {line["path"]: line["call"] for line in lines if line["type"] == "intent"}
    outcomes = {line["call"]: line for line in lines if line["type"] == "outcome"}
    assert sorted(intents) == sorted(load.served)
    assert {outcomes[call]["error"] for call in intents.values()} == {None}
    assert set(place.origin.targets()) == set(load.served)
    report = place.served.verify_journal()
    assert report["notices"] == []
