"""Both ends of what a role inherits, with real pipes and sockets."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import bailee
from bailee.secret import Secret
from bailee.supervise.inheritance import (
    ROOT_KEY_LIMIT,
    ControlLine,
    Inherited,
    inherited,
    listening_socket,
    read_root_key,
    root_key_pipe,
)


@pytest.mark.parametrize("fds", [(None, None, None), (3, None, 4), (3, 4, 5)])
def test_inherited_when_written_and_read(fds: tuple[int | None, int | None, int | None]) -> None:
    """The command line that one end writes is what the other reads."""
    given = Inherited(Path("/etc/bailee.toml"), *fds)
    assert inherited(given.arguments()) == given
    assert given.descriptors() == tuple(fd for fd in fds if fd is not None)


@pytest.mark.parametrize("line", [[], ["--config", "a", "--listen-fd", "x"], ["--key", "b"]])
def test_inherited_when_the_line_is_wrong(line: list[str]) -> None:
    """A line without a config, with a word for a number, or with a surplus option ends with 2."""
    with pytest.raises(SystemExit) as ended:
        inherited(line)
    assert ended.value.code == 2


@pytest.mark.parametrize("size", [0, 32, ROOT_KEY_LIMIT])
def test_root_key_when_it_fits(size: int) -> None:
    """The key comes out of the pipe as it went in, and the descriptor is closed."""
    key = Secret(os.urandom(size))
    fd = root_key_pipe(key)
    assert not os.get_inheritable(fd)
    assert read_root_key(fd) == key
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


def test_root_key_when_it_is_too_long() -> None:
    """A key that might block the supervisor is refused before a byte is written."""
    with pytest.raises(ValueError, match="too long"):
        root_key_pipe(Secret(bytes(ROOT_KEY_LIMIT + 1)))


def test_listening_socket_when_inherited() -> None:
    """The socket is the one that was passed, does not block, and is not passed on by accident."""
    with socket.create_server(("127.0.0.1", 0)) as given:
        copy = os.dup(given.fileno())
        os.set_inheritable(copy, True)
        with listening_socket(copy) as taken:
            assert taken.getsockname() == given.getsockname()
            assert not taken.getblocking()
            assert not os.get_inheritable(copy)


@pytest.mark.anyio
async def test_control_line_when_ready_and_drained() -> None:
    """`ready` reaches the supervisor, and `drain` ends the wait."""
    ours, theirs = socket.socketpair()
    with ours:
        line = ControlLine(theirs.detach())
        line.ready()
        assert ours.recv(64) == b"ready\n"
        ours.send(b"drain\n")
        async with asyncio.timeout(5):
            await line.drained_asked()
        line.close()


@pytest.mark.anyio
async def test_control_line_when_the_supervisor_dies() -> None:
    """The end of the line ends the wait, and a late `ready` does no harm."""
    ours, theirs = socket.socketpair()
    line = ControlLine(theirs.detach())
    ours.close()
    line.ready()
    async with asyncio.timeout(5):
        await line.drained_asked()
    line.close()


@pytest.mark.anyio
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_control_line_when_signalled(number: int) -> None:
    """Without a line a signal ends the wait, and a second one does not end the process."""
    line = ControlLine(None)
    line.ready()
    asyncio.get_running_loop().call_soon(os.kill, os.getpid(), number)
    async with asyncio.timeout(5):
        await line.drained_asked()
    os.kill(os.getpid(), signal.SIGTERM)
    await line.drained_asked()
    line.close()


@pytest.mark.anyio
async def test_control_line_when_the_bus_speaks() -> None:
    """Lines of the bus are handed on, also while the role drains; only `drain` means drain."""
    ours, theirs = socket.socketpair()
    with ours:
        line, heard = ControlLine(theirs.detach()), []
        assert line.is_open
        line.on_line = heard.append
        ours.send(b'{"a":1}\n{"b"')
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await line.drained_asked()
        assert heard == [b'{"a":1}\n']
        ours.send(b":2}\ndrain\n")
        async with asyncio.timeout(5):
            await line.drained_asked()
        ours.send(b"last\n")
        async with asyncio.timeout(5):
            while len(heard) < 3:
                await asyncio.sleep(0.001)
        assert heard == [b'{"a":1}\n', b'{"b":2}\n', b"last\n"]
        line.close()


@pytest.mark.anyio
async def test_control_line_when_the_supervisor_does_not_read() -> None:
    """What is said waits, up to a bound, and comes whole and in order when it reads again."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours:
        line, said = ControlLine(theirs.detach()), 0
        while line.say(b"%07d\n" % said):
            said += 1
            assert said < 1_000_000
        came = b""
        async with asyncio.timeout(10):
            while len(came) < 8 * said:
                came += await asyncio.get_running_loop().sock_recv(ours, 65536)
        assert came == b"".join(b"%07d\n" % number for number in range(said))
        assert line.say(b"more\n")
        line.close()


@pytest.mark.anyio
async def test_control_line_when_nothing_is_asked() -> None:
    """While the supervisor lives and says nothing, the role serves on."""
    ours, theirs = socket.socketpair()
    with ours:
        line = ControlLine(theirs.detach())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await line.drained_asked()
        line.close()


def test_hardened_process_leaves_no_core_and_may_open_all_files() -> None:
    """A gateway with 10,000 connections needs more than the usual soft limit of files."""
    code = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (256, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
from bailee.supervise.inheritance import harden_process
harden_process()
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
print(soft == hard > 256, resource.getrlimit(resource.RLIMIT_CORE))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
        env={**os.environ, "PYTHONPATH": str(Path(bailee.__file__).parents[1])},
    )
    assert done.stdout == "True (0, 0)\n"
