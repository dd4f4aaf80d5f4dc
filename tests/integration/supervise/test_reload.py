"""SIGHUP: a valid configuration takes over on the same sockets, an invalid one changes nothing."""

import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

from integration.supervise.serving import Node, Serving, ask, eventually, free_ports, is_running


def test_reload_when_the_config_is_valid(node: Node) -> None:
    """Successors serve on the same sockets, the old processes end, and no connect is refused."""
    failures: list[OSError] = []
    done = threading.Event()

    def connect() -> None:
        while not done.wait(0.002):
            try:
                socket.create_connection(("127.0.0.1", node.ports[0]), timeout=5).close()
            except OSError as error:
                failures.append(error)

    with Serving(node) as serving:
        serving.wait_for("serving")
        before = {role: serving.pids(role) for role in ("gateway", "keeper", "admin", "public")}
        thread = threading.Thread(target=connect)
        thread.start()
        node.write("the second")
        serving.process.send_signal(signal.SIGHUP)
        serving.wait_for("reloaded")
        old = set().union(*before.values())
        eventually(lambda: not any(is_running(pid) for pid in old))
        done.set()
        thread.join()
        assert failures == []
        assert "# the second" in ask(node.ports[0])["config"]
        assert [len(serving.pids(role)) for role in before] == [4, 2, 2, 2]
        assert serving.lines("role ended") == []


def test_reload_when_a_call_runs(node: Node) -> None:
    """An old process ends what it has before it goes."""
    with Serving(node) as serving:
        serving.wait_for("serving")
        old = serving.pids("admin")
        with ThreadPoolExecutor() as pool:
            call = pool.submit(ask, node.ports[2], "hold")
            eventually((node.base / "held").exists)
            serving.process.send_signal(signal.SIGHUP)
            serving.wait_for("reloaded")
            (node.base / "go").touch()
            assert {call.result()["pid"]} == old


def test_reload_when_the_config_is_invalid(node: Node) -> None:
    """The old settings and processes stay, and the log says what is wrong."""
    with Serving(node) as serving:
        serving.wait_for("serving")
        pid = ask(node.ports[2])["pid"]
        node.config.write_text("[gateway]\nlisten = 3\n")
        serving.process.send_signal(signal.SIGHUP)
        (refused,) = serving.wait_for("reload refused")
        assert "gateway.listen must be a string" in refused["reason"]
        assert ask(node.ports[2])["pid"] == pid
        node.write()
        serving.process.send_signal(signal.SIGHUP)
        serving.wait_for("reloaded")


def test_reload_when_a_successor_does_not_start(node: Node) -> None:
    """Where one successor fails, none takes over."""
    with Serving(node) as serving:
        serving.wait_for("serving")
        pid = ask(node.ports[2])["pid"]
        (node.base / "refuse").touch()
        serving.process.send_signal(signal.SIGHUP)
        serving.wait_for("reload refused")
        assert ask(node.ports[2])["pid"] == pid
        assert len(serving.pids("admin")) == 1


def test_reload_when_ports_move(node: Node) -> None:
    """A listener that moved is opened at its new place and closed at the old one."""
    with Serving(node) as serving:
        serving.wait_for("serving")
        before = list(node.ports)
        node.ports[2] = free_ports(1)[0]
        node.write()
        serving.process.send_signal(signal.SIGHUP)
        serving.wait_for("reloaded")
        assert ask(node.ports[2])
        eventually(lambda: _closed(before[2]))
        assert ask(node.ports[0])


def test_reload_when_the_new_port_is_in_use(node: Node) -> None:
    """A listener that can't move stays where it is."""
    with Serving(node) as serving, socket.create_server(("127.0.0.1", 0)) as taken:
        serving.wait_for("serving")
        before = list(node.ports)
        node.ports[2] = taken.getsockname()[1]
        node.write()
        serving.process.send_signal(signal.SIGHUP)
        (refused,) = serving.wait_for("reload refused")
        assert "admin.listen" in refused["reason"]
        assert ask(before[2])


def test_reload_when_workers_change(node: Node) -> None:
    """More workers join at once; fewer need a restart, since a socket is not given up."""
    with Serving(node) as serving:
        serving.wait_for("serving")
        node.workers = 3
        node.write()
        serving.process.send_signal(signal.SIGHUP)
        (line,) = serving.wait_for("reloaded")
        assert line["processes"] == 6
        eventually(lambda: len({ask(node.ports[0])["pid"] for _ in range(20)}) == 3)
        node.workers = 1
        node.write()
        serving.process.send_signal(signal.SIGHUP)
        lines = serving.wait_for("reloaded", 2)
        assert lines[1]["processes"] == 6
        assert serving.lines("fewer workers need a restart")


def _closed(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionError:
        return True
    return False
