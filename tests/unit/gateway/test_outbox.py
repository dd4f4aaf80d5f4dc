"""What waits for the end of the turn, and what does not."""

import asyncio

import pytest

from bailee.gateway.outbox import LARGE_BYTES, Outbox

pytestmark = pytest.mark.anyio


class Transport(asyncio.WriteTransport):
    """Keeps what is written to it."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closing = False

    def write(self, data: bytes) -> None:  # type: ignore[override]  # only bytes come
        self.written.append(data)

    def is_closing(self) -> bool:
        return self.closing


async def test_answers_of_a_turn_leave_at_its_end() -> None:
    """In their order, and those of one transport one after another."""
    outbox, first, second = Outbox(), Transport(), Transport()
    outbox.write(first, b"a")
    outbox.write(second, b"b")
    outbox.write(first, b"c")
    assert (first.written, second.written) == ([], [])
    await asyncio.sleep(0)
    assert (first.written, second.written) == ([b"a", b"c"], [b"b"])


async def test_large_piece_leaves_at_once_and_overtakes_nothing() -> None:
    """So that back-pressure comes before the next read; what was written before goes first."""
    outbox, transport = Outbox(), Transport()
    outbox.write(transport, b"a")
    outbox.write(transport, b"x" * (LARGE_BYTES + 1))
    assert transport.written == [b"a", b"x" * (LARGE_BYTES + 1)]
    outbox.write(transport, b"x" * LARGE_BYTES)
    assert len(transport.written) == 2
    outbox.flush()
    assert len(transport.written) == 3


@pytest.mark.parametrize("size", [1, LARGE_BYTES + 1])
async def test_nothing_is_written_to_a_transport_that_closes(size: int) -> None:
    """Its client is gone."""
    outbox, transport = Outbox(), Transport()
    transport.closing = True
    outbox.write(transport, b"x" * size)
    outbox.flush()
    assert transport.written == []
