"""The supervisor with real processes: what they inherit, and how they live and end."""

import os
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from integration.supervise.serving import Node, Serving, ask, eventually, is_running

EVERY = ("gateway", "keeper", "admin", "public")


def test_serve_when_started(node: Node) -> None:
    """Each role runs, as often as configured; gateway and keeper have the root key, others not."""
    with Serving(node) as serving:
        serving.wait_for("serving")
        assert [len(serving.pids(role)) for role in EVERY] == [2, 1, 1, 1]
        gateway, public, admin = (ask(port) for port in node.ports)
        assert gateway["key"] == 32
        assert public["key"] is None
        assert admin["key"] is None
        assert "--root-key-fd" not in admin["arguments"]
        (keeper,) = node.base.glob("[0-9]*.json")
        assert '"key": 32' in keeper.read_text()


def test_serve_when_descriptors_are_counted(node: Node) -> None:
    """A role has its three standard streams, its socket, its control line, and its own loop's."""
    with Serving(node) as serving:
        serving.wait_for("serving")
        for port in node.ports:
            told = ask(port)
            given = {int(word) for word in told["arguments"] if word.isdigit()}
            key = "--root-key-fd" in told["arguments"]
            inherited = {fd for fd in told["descriptors"] if fd in given}
            assert len(inherited) == 2
            assert len(given) == (3 if key else 2)
            # and 0, 1, 2, epoll and the loop's own pair of sockets
            assert len(told["descriptors"]) == 8


def test_serve_when_memory_is_to_be_read(node: Node) -> None:
    """Supervisor and gateway leave no core, and the gateway says that it is not dumpable (R8)."""
    with Serving(node) as serving:
        serving.wait_for("serving")
        for pid in (serving.process.pid, ask(node.ports[0])["pid"]):
            limits = Path(f"/proc/{pid}/limits").read_text()
            (core,) = [line for line in limits.splitlines() if line.startswith("Max core file")]
            assert core.split()[4:6] == ["0", "0"]
        assert ask(node.ports[0])["dumpable"] == 0
        # The arguments of a process show no secret, and its environment neither.
        key = (node.base / "root.key").read_bytes().strip()
        for pid in (*serving.pids("gateway"), *serving.pids("admin")):
            for file in ("cmdline", "environ"):
                assert key not in Path(f"/proc/{pid}/{file}").read_bytes()


def test_serve_when_a_worker_is_killed(node: Node) -> None:
    """kill -9 of workers under load: successors listen on the same sockets, no connect fails."""
    refused: list[OSError] = []
    connected = 0
    done = threading.Event()

    def connect() -> None:
        nonlocal connected
        while not done.is_set():
            try:
                socket.create_connection(("127.0.0.1", node.ports[0]), timeout=5).close()
                connected += 1
            except OSError as error:
                refused.append(error)
            time.sleep(0.002)

    with Serving(node) as serving:
        serving.wait_for("serving")
        thread = threading.Thread(target=connect)
        thread.start()
        try:
            for round_ in range(3):
                before = serving.pids("gateway")
                victim = ask(node.ports[0])["pid"]
                os.kill(victim, signal.SIGKILL)
                serving.wait_for("role ended", round_ + 1)
                eventually(lambda before=before: serving.pids("gateway") - before)
        finally:
            done.set()
            thread.join()
        assert refused == []
        assert connected > 50
        assert {line["how"] for line in serving.lines("role ended")} == {"SIGKILL"}


def test_serve_when_the_only_worker_is_away(node: Node) -> None:
    """A connection made while no worker runs waits in the socket, and the successor serves it."""
    node.workers = 1
    node.write()
    with Serving(node) as serving:
        serving.wait_for("serving")
        first = ask(node.ports[0])["pid"]
        os.kill(first, signal.SIGKILL)
        assert ask(node.ports[0])["pid"] != first


def test_serve_when_a_role_keeps_dying(node: Node) -> None:
    """Restarts come with a growing pause, and the others go on."""
    with Serving(node) as serving:
        serving.wait_for("serving")
        (node.base / "refuse").touch()
        os.kill(ask(node.ports[2])["pid"], signal.SIGKILL)
        began = time.monotonic()
        serving.wait_for("role ended", 5)
        assert time.monotonic() - began > 0.1 + 0.2 + 0.4 + 0.8
        assert ask(node.ports[0])
        (node.base / "refuse").unlink()
        assert ask(node.ports[2])["key"] is None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_when_asked_to_end(node: Node, number: int) -> None:
    """The supervisor drains: what runs is answered, newcomers are refused, all end, exit is 0."""
    with Serving(node) as serving:
        serving.wait_for("serving")
        pids = set().union(*(serving.pids(role) for role in EVERY))
        with ThreadPoolExecutor() as pool:
            call = pool.submit(ask, node.ports[0], "hold")
            eventually((node.base / "held").exists)
            serving.process.send_signal(number)
            serving.wait_for("draining")
            eventually(lambda: _refused(node.ports[0]), 5)
            (node.base / "go").touch()
            assert call.result()["pid"] in pids
        assert serving.process.wait(20) == 0
        assert not any(is_running(pid) for pid in pids)
        assert serving.lines("role ended") == []
        assert serving.lines("role killed") == []


def _refused(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionError:
        return True
    return False


def test_serve_when_a_role_does_not_drain(node: Node) -> None:
    """A second signal does not wait for a role that hangs; the exit is still 0."""
    with Serving(node) as serving:
        serving.wait_for("serving")
        (node.base / "stubborn").touch()
        serving.process.send_signal(signal.SIGTERM)
        serving.wait_for("draining")
        time.sleep(0.3)
        assert serving.process.poll() is None
        serving.process.send_signal(signal.SIGTERM)
        assert serving.process.wait(20) == 0
        assert len(serving.lines("role killed")) == 5


def test_serve_when_the_supervisor_is_killed(node: Node) -> None:
    """kill -9 of the supervisor leaves no orphan, and the next one takes the same ports."""
    with Serving(node) as serving:
        serving.wait_for("serving")
        pids = set().union(*(serving.pids(role) for role in EVERY))
        assert all(is_running(pid) for pid in pids)
        serving.process.kill()
        serving.process.wait()
        with Serving(node) as successor:
            successor.wait_for("serving")
            eventually(lambda: not any(is_running(pid) for pid in pids))
            assert ask(node.ports[0])["pid"] in successor.pids("gateway")


def test_serve_when_a_role_is_told_to_end_by_others(node: Node) -> None:
    """A role that gets SIGTERM itself, as from an init system, drains and is replaced."""
    with Serving(node) as serving:
        serving.wait_for("serving")
        pid = ask(node.ports[1])["pid"]
        os.kill(pid, signal.SIGTERM)
        (ended,) = serving.wait_for("role ended")
        assert ended["how"] == "exit 0"
        assert ask(node.ports[1])["pid"] != pid


def test_serve_when_the_root_key_is_missing(node: Node) -> None:
    """Everything starts with a closed vault, and says so; a reload brings the key back."""
    (node.base / "root.key").rename(node.base / "away")
    with Serving(node) as serving:
        serving.wait_for("serving")
        (closed,) = serving.lines("the vault is closed")
        assert closed["level"] == "critical"
        assert ask(node.ports[0])["key"] is None
        (node.base / "away").rename(node.base / "root.key")
        serving.process.send_signal(signal.SIGHUP)
        serving.wait_for("reloaded")
        eventually(lambda: ask(node.ports[0])["key"] == 32)


def test_serve_when_the_root_key_is_altered(node: Node) -> None:
    """A root key that is not one closes the vault as a missing one does."""
    (node.base / "root.key").write_bytes(b"not a key\n")
    with Serving(node) as serving:
        serving.wait_for("serving")
        assert serving.lines("the vault is closed")
        assert ask(node.ports[0])["key"] is None


def test_serve_when_a_danger_is_on(node: Node) -> None:
    """A switch that weakens a promise is logged at start."""
    with Serving(node, environ={"BAILEE_GATEWAY__DANGER_PLAIN_CALLS": "true"}) as serving:
        serving.wait_for("serving")
        (line,) = serving.lines("a switch that weakens")
        assert line["setting"] == "gateway.danger_plain_calls"
