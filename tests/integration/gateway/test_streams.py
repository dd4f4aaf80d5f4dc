"""Streams to the provider: who shares them, and that they are let go of."""

import gc
from pathlib import Path

import pytest

from bailee.egress.tls import PinnedStream
from bailee.gateway.session import Session
from bailee.reference.pki import World
from gate import Client, request
from integration.gateway.conftest import CREDENTIAL, Stage
from integration.gateway.staging import call, journal, staged
from origin import Arrived

pytestmark = pytest.mark.anyio


async def call_for(stage: Stage, connection: str) -> None:
    client = await Client.open(stage.port)
    assert (await client.call(request("GET", f"/{connection}/p", stage.token))).status == 200
    client.close()


@pytest.mark.parametrize(("more", "streams"), [("own_streams = true", 2), ("", 1)])
async def test_streams_of_two_connections(
    more: str, streams: int, tmp_path: Path, world: World
) -> None:
    """Two users share a stream, unless the provider's file forbids it; one's calls always do."""
    async with staged(tmp_path, world, more=more) as stage:
        house = stage.house
        other = house.add_connection(stage.provider, {"api_key": CREDENTIAL}, subject="u2")
        house.grant(other, "* /**")
        for connection in (stage.connection, other, stage.connection, other):
            await call_for(stage, connection)
        assert len(stage.origin.arrived) == 4
        assert stage.origin.handshakes == streams


async def lost(arrived: Arrived, writer: object) -> None:
    """Close without an answer."""
    writer.transport.abort()  # type: ignore[attr-defined]  # a StreamWriter


async def too_long(arrived: Arrived, writer: object) -> None:
    """More than was announced."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab")  # type: ignore[attr-defined]  # likewise


@pytest.mark.parametrize("respond", [lost, too_long])
async def test_nothing_of_an_ended_stream_waits_for_the_collector(
    respond: object, tmp_path: Path, world: World
) -> None:
    """A stream and a session are gone when they have ended: TLS buffers take much memory."""
    async with staged(tmp_path, world, respond=respond) as stage:  # type: ignore[arg-type]  # as above
        await call(stage)
        gc.collect()
        gc.disable()
        try:
            before = living()
            for _ in range(20):
                assert (await call(stage)).status in (200, 502)
            assert living() <= before + 2
        finally:
            gc.enable()


def living() -> int:
    """How many streams and sessions there are, reachable or not."""
    return sum(isinstance(each, PinnedStream | Session) for each in gc.get_objects())


async def test_call_that_cannot_start_has_an_outcome(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever goes wrong after the intent was recorded: its outcome is, and nothing has left."""

    def broken(key: object) -> None:
        raise RuntimeError("broken on purpose")

    monkeypatch.setattr(stage.gate.pool, "take", broken)
    assert (await call(stage)).status == 500
    (intent,) = journal(stage, "intent")
    (outcome,) = journal(stage, "outcome")
    assert outcome["call"] == intent["call"]
    assert (outcome["error"], outcome["reached"]) == ("internal-error", "nothing")
    assert stage.origin.plain_bytes == 0
