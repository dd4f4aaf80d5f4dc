"""Bounds on the head of a request, which uvicorn does not set: bytes, and time until its end."""

import asyncio
from typing import Any, Final, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from bailee.errors import BaileeError, HeadTooLarge, MalformedRequest
from bailee.http.problem import problem_answer

HEAD_SECONDS: Final = 5.0
HEAD_BYTES: Final = 32 * 1024


class BoundedConfig(uvicorn.Config):
    """Settings of a server whose clients send their heads in time."""

    def __init__(self, app: Any, *, head_seconds: float = HEAD_SECONDS, **more: Any) -> None:
        super().__init__(app, http=BoundedProtocol, **more)
        self.head_seconds = head_seconds


class BoundedProtocol(HttpToolsProtocol):
    """A connection that is closed when a head takes too long or is too large.

    The time runs from the connection's begin, and then from each further head's first byte; between
    two requests uvicorn's own keep-alive time runs.
    """

    _deadline: asyncio.TimerHandle | None = None
    _head_bytes: int | None = 0
    """Received of the present head; None while no head is awaited or under way."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin the time of the first head."""
        super().connection_made(transport)
        self._begin_head()

    def data_received(self, data: bytes) -> None:
        """Count the bytes of a head that has not ended."""
        before = self._head_bytes
        super().data_received(data)
        if before is not None and self._head_bytes is not None and self.parser is not None:
            self._head_bytes = before + len(data)
            if self._head_bytes > HEAD_BYTES:
                self._refuse(HeadTooLarge())

    def send_400_response(self, msg: str) -> None:
        """Refuse what the parser could not read; its own words are not repeated."""
        self._refuse(MalformedRequest())

    def on_message_begin(self) -> None:
        """A head's first byte has come."""
        super().on_message_begin()
        if self._head_bytes is None:
            self._begin_head()

    def on_headers_complete(self) -> None:
        """A head has ended."""
        self._end_head()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing more will come."""
        self._end_head()
        super().connection_lost(exc)

    def _refuse(self, error: BaileeError) -> None:
        self.transport.write(problem_answer(error, close=True))
        self.transport.close()

    def _begin_head(self) -> None:
        self._head_bytes = 0
        seconds = cast(BoundedConfig, self.config).head_seconds
        self._deadline = asyncio.get_running_loop().call_later(seconds, self.transport.close)

    def _end_head(self) -> None:
        self._head_bytes = None
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
