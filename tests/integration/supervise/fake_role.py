"""A role that does nothing but tell what it inherited. The supervisor's tests run it.

Over its socket it answers one line of JSON about itself; after the request `hold` it answers a
second later, so that a drain has something to wait for. Without a socket it writes the line to
`<pid>.json` beside the config.
"""

import asyncio
import contextlib
import ctypes
import json
import os
import sys
from pathlib import Path

from bailee.supervise.inheritance import (
    ControlLine,
    harden_process,
    inherited,
    listening_socket,
    read_root_key,
)

HOLD_SECONDS = 1.0


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
    held: set[asyncio.Task[None] | None] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.add(asyncio.current_task())
        if await reader.readline() == b"hold\n":
            await asyncio.sleep(HOLD_SECONDS)
        writer.write(line)
        await writer.drain()
        writer.close()
        held.discard(asyncio.current_task())

    control = ControlLine(given.control_fd)
    server = None
    if given.listen_fd is not None:
        listener = listening_socket(given.listen_fd)
        server = await asyncio.start_server(answer, sock=listener)
    else:
        Path(given.config.parent / f"{os.getpid()}.json").write_bytes(line)
    control.ready()
    await control.drained_asked()
    if (given.config.parent / "stubborn").exists():
        await asyncio.sleep(600)
    if server is not None:
        server.close()
    while held:
        await asyncio.sleep(0.01)
    control.close()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1:]))
