"""Threads for work that may never end.

`ThreadPoolExecutor` makes the end of the process wait for its threads; a process that drains must
not wait for DNS. These threads are daemons: what they still do at the end is nobody's any more.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Generic, TypeVar

T = TypeVar("T")


class DaemonThreads(Generic[T]):
    """At most `limit` threads, started when there is work. For one event loop."""

    def __init__(self, limit: int, name: str) -> None:
        self._limit = limit
        self._name = name
        self._threads: list[Thread] = []
        self._orders: SimpleQueue[tuple[Future[T], Callable[[], T]] | None] = SimpleQueue()

    def __repr__(self) -> str:
        return f"DaemonThreads({self._name}, {len(self._threads)} of {self._limit})"

    def run(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """Do the work in a thread, as soon as one is free."""
        order: Future[T] = Future()
        self._orders.put((order, work))
        if len(self._threads) < self._limit:
            name = f"{self._name}-{len(self._threads)}"
            thread = Thread(target=self._serve, name=name, daemon=True)
            self._threads.append(thread)
            thread.start()
        return asyncio.wrap_future(order)

    def close(self) -> None:
        """Begin nothing more, and wait for nothing."""
        try:
            while order := self._orders.get_nowait():
                order[0].cancel()
        except Empty:
            pass
        for _ in self._threads:
            self._orders.put(None)

    def _serve(self) -> None:
        while taken := self._orders.get():
            order, work = taken
            if not order.set_running_or_notify_cancel():
                continue
            try:
                result = work()
            except BaseException as failure:  # noqa: BLE001  # raised again where it is awaited
                order.set_exception(failure)
            else:
                order.set_result(result)
