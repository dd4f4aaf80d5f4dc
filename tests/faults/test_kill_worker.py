"""Workers die by kill -9 under load: no call leaves unrecorded, and what was acknowledged stays."""

import os
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from threading import Event, Lock, Thread

from integration.supervise.serving import eventually, is_running
from served import Place, call_on, run_place

KILLS = 20
AT_ONCE = 2
WORKERS = 5
"""Four deaths each: the back-off doubles with each, so that two workers would take a minute."""
CLIENTS = 8
CALLS_BETWEEN = 20
"""How many calls are acknowledged before the next kill."""


class Load:
    """Clients that call on kept connections until they are told to stop, and try again.

    Every attempt has an id of its own, which stands in its path.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._over = Event()
        self._lock = Lock()
        self.acknowledged: list[str] = []
        self.broken = 0
        self.refused: list[str] = []

    @contextmanager
    def running(self) -> Iterator["Load"]:
        """Run the clients while the block runs."""
        threads = [Thread(target=self._client, args=(number,)) for number in range(CLIENTS)]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._over.set()
            for thread in threads:
                thread.join()

    def _client(self, number: int) -> None:
        kept = HTTPConnection("127.0.0.1", self._place.served.port, timeout=30)
        attempt = 0
        while not self._over.is_set():
            attempt += 1
            path = f"/id/{number}-{attempt}"
            method, body = ("POST", b"x" * 64) if attempt % 2 else ("GET", None)
            try:
                target = f"/{self._place.connection}{path}"
                reply = call_on(kept, method, target, self._place.token, body)
            except (HTTPException, OSError):
                kept.close()
                with self._lock:
                    self.broken += 1
                continue
            with self._lock:
                if reply.status == 200:
                    self.acknowledged.append(path)
                else:
                    self.refused.append(f"{path} {reply.status} {reply.error}")
        kept.close()


def test_calls_when_workers_are_killed(tmp_path: Path) -> None:
    """20 x kill -9 of a worker under load.

    Every request that the origin saw has an intent, every acknowledged call is recorded, no write
    went out twice, the journal is sound, and each worker is replaced on the socket that it had.
    """
    with run_place(tmp_path, workers=WORKERS) as place:
        doors = listening(place.served.port)
        assert len(doors) == WORKERS
        load = Load(place)
        with load.running():
            killed = kill_pairs(place, load)
            eventually(lambda: len(place.served.running("gateway")) == WORKERS)
            wait_for_calls(load, CALLS_BETWEEN)
        assert listening(place.served.port) == doors
        ended = [line for line in place.served.lines("role ended") if line["name"] == "gateway"]
        assert sorted(line["pid"] for line in ended) == sorted(killed)
        assert len(killed) == KILLS
        assert {line["how"] for line in ended} == {"SIGKILL"}
        assert place.served.stop() == 0
        judge(place, load)


def kill_pairs(place: Place, load: Load) -> list[int]:
    """Kill the two workers that have lived longest, again and again; the ids of the killed."""
    killed: list[int] = []
    while len(killed) < KILLS:
        wait_for_calls(load, CALLS_BETWEEN)
        pair = eventually(lambda: oldest_pair(place))
        for pid in pair:
            os.kill(pid, signal.SIGKILL)
        killed += pair
        wait_until_gone(pair)
    return killed


def wait_until_gone(pids: list[int]) -> None:
    """Wait until none of the processes is there any more."""
    eventually(lambda: not any(map(is_running, pids)))


def oldest_pair(place: Place) -> list[int]:
    """The two oldest of the workers; none while there are not so many."""
    pair = place.served.running("gateway")[:AT_ONCE]
    return pair if len(pair) == AT_ONCE else []


def wait_for_calls(load: Load, count: int) -> None:
    """Wait until so many more calls were acknowledged."""
    wanted = len(load.acknowledged) + count
    eventually(lambda: len(load.acknowledged) >= wanted)


def judge(place: Place, load: Load) -> None:
    """Compare what the clients, the origin and the journal know."""
    intents = [line["path"] for line in place.served.journal() if line["type"] == "intent"]
    arrived = Counter(place.origin.targets())
    assert load.broken > 0
    assert load.refused == []
    assert set(arrived) - set(intents) == set()
    assert set(load.acknowledged) - set(intents) == set()
    assert set(load.acknowledged) - set(arrived) == set()
    assert max(Counter(intents).values()) == 1
    posts = [head.split(" ", 2)[1] for head in place.origin.heads() if head.startswith("POST ")]
    assert max(Counter(posts).values()) == 1
    place.served.verify_journal()


def listening(port: int) -> set[str]:
    """The inodes of the sockets that listen on a port."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {row[9] for row in rows if row[3] == "0A" and row[1].endswith(f":{port:04X}")}
