"""What gateway workers and their supervisor say to each other about budgets and bans.

One JSON object a line, both ways. Durations, not times: two processes need not have the same
clock. Each `Ask` gets one `Grant`, and those of one key come in the order in which was asked.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

_Key = Annotated[str, Meta(min_length=1, max_length=300, pattern=r"^[!-~]+$")]
_Count = Annotated[int, Meta(ge=0, le=1_000_000)]
_Positive = Annotated[int, Meta(ge=1, le=1_000_000_000)]
_Seconds = Annotated[float, Meta(ge=0, le=1e7)]


class Ask(msgspec.Struct, frozen=True, tag="ask"):
    """A worker asks for tokens: `wanted` for calls that wait, `spare` in advance."""

    key: _Key
    calls: _Positive
    seconds: Annotated[float, Meta(gt=0, le=1e7)]
    burst: _Positive
    wanted: _Count
    spare: _Count = 0


class Grant(msgspec.Struct, frozen=True, tag="grant"):
    """The answer to one `Ask`; `wait` is when to ask again if fewer than wanted were granted."""

    key: _Key
    granted: _Count
    wait: _Seconds


class Back(msgspec.Struct, frozen=True, tag="back"):
    """A worker returns unused tokens that it had asked for `age` seconds ago."""

    key: _Key
    count: _Count
    age: _Seconds


class Banned(msgspec.Struct, frozen=True, tag="banned"):
    """A provider has told to wait: a worker saw it, or the supervisor tells the others."""

    key: _Key
    seconds: _Seconds
    length: _Seconds


FromWorker = Ask | Back | Banned
ToWorker = Grant | Banned

_from_worker: msgspec.json.Decoder[FromWorker] = msgspec.json.Decoder(FromWorker)
_to_worker: msgspec.json.Decoder[ToWorker] = msgspec.json.Decoder(ToWorker)
_encoder = msgspec.json.Encoder()


def to_line(message: FromWorker | ToWorker) -> bytes:
    """Write a message as a line."""
    return _encoder.encode(message) + b"\n"


def read_worker_line(line: bytes) -> FromWorker | None:
    """Read what a worker said; None if it is no message."""
    try:
        return _from_worker.decode(line)
    except msgspec.DecodeError:
        return None


def read_supervisor_line(line: bytes) -> ToWorker | None:
    """Read what the supervisor said; None if it is no message."""
    try:
        return _to_worker.decode(line)
    except msgspec.DecodeError:
        return None
