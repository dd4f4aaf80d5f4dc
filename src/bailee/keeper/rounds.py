"""What the keeper does again and again until it is drained."""

import asyncio
from collections.abc import Awaitable, Callable


async def every(
    seconds: float, draining: asyncio.Event, work: Callable[[], Awaitable[object]]
) -> None:
    """Do something now and every `seconds` after it was done, until `draining` is set."""
    while not draining.is_set():
        await work()
        await pause(draining, seconds)


async def pause(draining: asyncio.Event, seconds: float) -> None:
    """Wait; the drain ends it."""
    try:
        async with asyncio.timeout(seconds):
            await draining.wait()
    except TimeoutError:
        return
