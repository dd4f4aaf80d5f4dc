"""A role that does nothing but tell what it inherited. The supervisor's tests run it.

Over its socket it answers one line of JSON about itself; to the request `hold` it answers when the
file `go` is there, so that a drain has something to wait for. `say LINE` says a line to the
supervisor, `flood PID COUNT` so many bans if that is its id, `deaf` reads no more of it, and
`heard` tells what it said. Without a socket it writes the line to `<pid>.json` beside the config.
"""

import asyncio
import contextlib
import ctypes
import json
import os
import socket
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path

from bailee.policy.leases import Banned, to_line
from bailee.supervise.inheritance import (
    ControlLine,
    harden_process,
    inherited,
    listening_socket,
    read_root_key,
)
from bailee.supervise.logs import configure_logs


def open_descriptors() -> list[int]:
    """The open descriptors of this process, without the one that lists them."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            os.fstat(int(name))
            found.append(int(name))
    return sorted(found)


async def serve(arguments: list[str]) -> None:
    """Serve until a drain is asked for, and end what was begun."""
    given = inherited(arguments)
    configure_logs("fake")
    if (given.config.parent / "refuse").exists():
        sys.exit(3)
    key = None if given.root_key_fd is None else read_root_key(given.root_key_fd)
    if key is not None:
        harden_process()
    about = {
        "pid": os.getpid(),
        "parent": os.getppid(),
        "user": [os.getuid(), os.getgid(), os.getgroups()],
        "dumpable": ctypes.CDLL(None).prctl(3, 0, 0, 0, 0),
        "key": None if key is None else len(key),
        "descriptors": open_descriptors(),
        "arguments": arguments,
        "config": given.config.read_text(),
    }
    line = json.dumps(about).encode() + b"\n"
    control = ControlLine(given.control_fd)
    heard: list[str] = []
    control.on_line = lambda line: heard.append(line.decode())
    loop = asyncio.get_running_loop()

    async def answer(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            word, _, rest = (await loop.sock_recv(connection, 1024)).partition(b" ")
            told = line
            if word == b"hold\n":
                (given.config.parent / "held").touch()
                while not (given.config.parent / "go").exists():
                    await asyncio.sleep(0.01)
            elif word == b"say":
                control.say(rest)
            elif word == b"flood":
                pid, count = map(int, rest.split())
                await flood(control, count if pid == os.getpid() else 0)
            elif word == b"deaf\n":
                loop.remove_reader(given.control_fd or 0)
            elif word == b"heard\n":
                told = json.dumps({"pid": os.getpid(), "heard": heard}).encode() + b"\n"
            await loop.sock_sendall(connection, told)

    async with asyncio.TaskGroup() as tasks:
        listener = None
        if given.listen_fd is None:
            Path(given.config.parent / f"{os.getpid()}.json").write_bytes(line)
        else:
            listener = listening_socket(given.listen_fd)
            loop.add_reader(listener, accept, listener, answer, tasks)
        control.ready()
        await control.drained_asked()
        if (given.config.parent / "stubborn").exists():
            await asyncio.sleep(600)
        if listener is not None:
            loop.remove_reader(listener)
            listener.close()
    control.close()


async def flood(control: ControlLine, count: int) -> None:
    """Tell of so many bans, as fast as they are taken."""
    for number in range(count):
        ban = Banned(f"{number}".ljust(300, "-"), 60.0, 0.0)
        while not control.say(to_line(ban)):
            await asyncio.sleep(0.001)


def accept(
    listener: socket.socket,
    answer: Callable[[socket.socket], Coroutine[None, None, None]],
    tasks: asyncio.TaskGroup,
) -> None:
    """Take one connection; from here on it is answered, whatever comes."""
    with contextlib.suppress(BlockingIOError):
        connection, _ = listener.accept()
        connection.setblocking(False)
        tasks.create_task(answer(connection))


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1:]))
