"""What workers and supervisor say to each other: one line a message, and nothing else is one."""

import pytest

from bailee.policy.leases import (
    Ask,
    Back,
    Banned,
    FromWorker,
    Grant,
    ToWorker,
    read_supervisor_line,
    read_worker_line,
    to_line,
)

ASK = Ask("caller:a/1", 20, 1.0, 4, 1, 0)


@pytest.mark.parametrize("message", [ASK, Back("k", 3, 0.1), Banned("k", 2.5, 1.0)])
def test_worker_line_when_written_and_read(message: FromWorker) -> None:
    """The supervisor reads what the worker wrote."""
    line = to_line(message)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert read_worker_line(line) == message


@pytest.mark.parametrize("message", [Grant("k", 0, 2.5), Banned("k", 2.5, 1.0)])
def test_supervisor_line_when_written_and_read(message: ToWorker) -> None:
    """The worker reads what the supervisor wrote."""
    assert read_supervisor_line(to_line(message)) == message


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"ready\n",
        b"\xff\n",
        b"[]\n",
        b'{"type":"ask"}\n',
        b'{"type":"grant","key":"k","granted":1,"wait":0}\n',
        to_line(ASK).replace(b'"seconds":1.0', b'"seconds":0'),
        to_line(ASK).replace(b'"seconds":1.0', b'"seconds":NaN'),
        to_line(ASK).replace(b'"burst":4', b'"burst":0'),
        to_line(ASK).replace(b'"wanted":1', b'"wanted":-1'),
        to_line(ASK).replace(b"caller:a/1", b""),
        to_line(ASK).replace(b"caller:a/1", b"a b"),
        to_line(ASK).replace(b"caller:a/1", b"k" * 301),
        to_line(Back("k", 3, 0.1)).replace(b"0.1", b"-0.1"),
    ],
)
def test_worker_line_when_it_is_no_message(line: bytes) -> None:
    """Whatever else comes is None, and no fault."""
    assert read_worker_line(line) is None


def test_supervisor_line_when_it_is_no_message() -> None:
    """A worker takes no orders that only a worker gives."""
    assert read_supervisor_line(to_line(ASK)) is None
    assert read_supervisor_line(b"drain\n") is None
