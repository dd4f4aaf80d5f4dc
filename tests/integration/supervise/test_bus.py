"""The node bus between real processes: leases, bans, and workers that misbehave."""

import os
import signal
from contextlib import suppress
from json import JSONDecodeError
from typing import Any

from bailee.policy.leases import Ask, Banned, Grant, read_supervisor_line, to_line
from integration.supervise.serving import Node, Serving, ask, eventually, is_running

SPENT = Ask("k", 20, 3600.0, 4, wanted=4)
"""All that may go at once; the next token comes after minutes."""


def say(node: Node, line: str) -> int:
    """Let one of the workers say a line; which one."""
    pid: int = ask(node.ports[0], f"say {line.rstrip()}")["pid"]
    return pid


def heard(node: Node) -> dict[int, list[Any]]:
    """What the workers that answer have heard, by process; several are asked."""
    told = {}
    for _ in range(8):
        with suppress(ConnectionError, JSONDecodeError):  # it asked one that was being killed
            each = ask(node.ports[0], "heard")
            told[each["pid"]] = [read_supervisor_line(line.encode()) for line in each["heard"]]
    return told


def grants(node: Node) -> list[int]:
    """How many tokens were granted, by message, to all workers that live."""
    messages = [each for lines in heard(node).values() for each in lines]
    return [each.granted for each in messages if isinstance(each, Grant)]


def test_leases_when_processes_share_a_ledger(node: Node) -> None:
    """Two workers get together what one would get; a line that is none ends nobody."""
    with Serving(node) as serving:
        serving.wait_for("serving")
        for line in ("nonsense", "é" * 400):
            say(node, line)
        for _ in range(8):
            say(node, to_line(SPENT).decode())
        eventually(lambda: len(grants(node)) == 8)
        assert sum(grants(node)) == 4
        assert len(heard(node)) == 2
        assert serving.lines("role ended") == []
        assert len(serving.lines("a role says what is not understood")) >= 1


def test_leases_when_a_worker_dies_and_after_a_reload(node: Node) -> None:
    """What a dead worker had is lost to all, and successors share the ledger of the old ones."""
    node.workers = 1
    node.write()
    with Serving(node) as serving:
        serving.wait_for("serving")
        say(node, to_line(SPENT).decode())
        eventually(lambda: grants(node) == [4])
        (pid,) = serving.pids("gateway")
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: len(serving.pids("gateway")) == 2)
        say(node, to_line(SPENT).decode())
        eventually(lambda: grants(node) == [0])
        serving.process.send_signal(signal.SIGHUP)
        serving.wait_for("reloaded")
        say(node, to_line(SPENT).decode())
        eventually(lambda: grants(node) == [0])


def test_bans_when_one_process_sees_one(node: Node) -> None:
    """The other worker hears of it, and so does the successor of a dead one."""
    with Serving(node) as serving:
        serving.wait_for("serving")
        teller = say(node, to_line(Banned("k", 60.0, 2.0)).decode())
        (other,) = serving.pids("gateway") - {teller}
        eventually(lambda: heard(node).get(other) == [Banned("k", 60.0, 2.0)])
        os.kill(other, signal.SIGKILL)
        eventually(lambda: len(serving.pids("gateway")) == 3)
        (after,) = serving.pids("gateway") - {teller, other}
        (told,) = eventually(lambda: heard(node).get(after))
        assert (told.key, told.length) == ("k", 2.0)
        assert 30 < told.seconds < 60


def test_worker_when_it_does_not_read(node: Node) -> None:
    """Its lines are bounded: it is killed for a successor, and nothing else of the node ends."""
    with Serving(node) as serving:
        serving.wait_for("serving")
        deaf = ask(node.ports[0], "deaf")["pid"]
        (well,) = serving.pids("gateway") - {deaf}
        eventually(lambda: ask(node.ports[0])["pid"] == well)

        eventually(lambda: ask(node.ports[0], f"flood {well} 7000")["pid"] == well)
        serving.wait_for("a role does not read")
        eventually(lambda: not is_running(deaf))
        eventually(lambda: len(serving.pids("gateway")) == 3)
        assert is_running(well)
        assert {line["pid"] for line in serving.lines("role ended")} == {deaf}
