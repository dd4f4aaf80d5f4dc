"""A worker is killed after it took a key and before it sent: the key stays used."""

import os
from http.client import HTTPConnection, RemoteDisconnected
from pathlib import Path

import pytest

from integration.supervise.serving import eventually
from served import Place, Reply, call_on, clean_environment, run_place

KILLING = """
import os, signal, sys

if "bailee.app.gateway" in sys.orig_argv:
    from bailee.egress.tls import PinnedStream

    write = PinnedStream.write

    def write_or_die(self, data):
        if b"/die" in data:
            os.kill(os.getpid(), signal.SIGKILL)
        write(self, data)

    PinnedStream.write = write_or_die
"""
"""Python runs this at its start: a gateway dies instead of sending what has `/die` in it."""


def send(place: Place, path: str, key: str) -> Reply:
    """Send a write with a key, on a client connection of its own."""
    client = HTTPConnection("127.0.0.1", place.served.port, timeout=30)
    try:
        target = f"/{place.connection}{path}"
        return call_on(client, "POST", target, place.token, b"{}", Bailee_Once=key)
    finally:
        client.close()


def test_key_when_the_worker_is_killed_before_it_sends(tmp_path: Path) -> None:
    """Nobody can say afterwards what had left: 409, naming a call that has no outcome.

    Nothing of either call reached the provider, and another key is served by the next worker.
    """
    (tmp_path / "start").mkdir()
    (tmp_path / "start" / "sitecustomize.py").write_text(KILLING)
    path = os.pathsep.join([str(tmp_path / "start"), clean_environment()["PYTHONPATH"]])
    with run_place(tmp_path, environ={"PYTHONPATH": path}) as place:
        with pytest.raises((RemoteDisconnected, ConnectionError)):
            send(place, "/die", "key-1")
        eventually(lambda: len(place.served.lines("role ended")) == 1)
        eventually(lambda: place.served.running("gateway"))
        again = send(place, "/other", "key-1")
        assert (again.status, again.error) == (409, "once-used")
        assert send(place, "/other", "key-2").status == 200
        assert place.origin.targets() == ["/other"]
        assert place.served.stop() == 0
        lines = place.served.journal()
        (died,) = [line for line in lines if line["type"] == "intent" and line["path"] == "/die"]
        assert again.headers["bailee-first-call"] == died["call"]
        outcomes = [line["call"] for line in lines if line["type"] == "outcome"]
        assert died["call"] not in outcomes
        assert again.headers["bailee-call"] in outcomes
        place.served.verify_journal()
