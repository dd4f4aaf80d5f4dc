"""`egress.threads`: few threads, and none that the end of the process waits for."""

import asyncio
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from bailee.egress.threads import DaemonThreads

pytestmark = pytest.mark.anyio
SOURCE = Path(__file__).parents[3] / "src"
WAITS = """
import asyncio, threading
from bailee.egress.threads import DaemonThreads

async def main():
    threads = DaemonThreads(1, "stuck")
    threads.run(threading.Event().wait)
    threads.close()

asyncio.run(main())
"""


async def test_result_and_failure_come_back() -> None:
    """What the work returns or raises is had by who waits."""
    threads: DaemonThreads[int] = DaemonThreads(2, "test")
    assert await threads.run(lambda: 6 * 7) == 42
    with pytest.raises(ZeroDivisionError):
        await threads.run(lambda: 1 // 0)
    assert await threads.run(lambda: 1) == 1
    threads.close()


async def test_close_begins_nothing_more() -> None:
    """What waits in the queue is cancelled; the threads end when their work does."""
    threads: DaemonThreads[bool] = DaemonThreads(1, "closing")
    begun, release = threading.Event(), threading.Event()

    def work() -> bool:
        begun.set()
        return release.wait(10)

    first, second = threads.run(work), threads.run(work)
    assert await asyncio.to_thread(begun.wait, 10)
    threads.close()
    with pytest.raises(asyncio.CancelledError):
        await second
    release.set()
    assert await first
    for thread in [each for each in threading.enumerate() if each.name.startswith("closing-")]:
        thread.join(10)
        assert not thread.is_alive()


def test_process_ends_while_work_hangs() -> None:
    """A process with a lookup that never ends is not held up by it."""
    command = [sys.executable, "-W", "error", "-c", WAITS]
    ended = subprocess.run(
        command, env={"PYTHONPATH": str(SOURCE)}, capture_output=True, timeout=10, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, b"")
