"""Stages for tests that need another provider, origin or gate than the fixture `stage` has."""

import asyncio
import json
import socket
import ssl
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from bailee.model import Origin
from bailee.providers.catalogue import load_preset
from bailee.reference.pki import Issued, World
from gate import Client, Reply, request, run_gate
from house import build_house, make_provider
from integration.gateway.conftest import CREDENTIAL, Stage
from origin import Arrived, Respond, answer, run_origin


@asynccontextmanager
async def staged(
    directory: Path,
    world: World,
    *,
    respond: Respond | None = None,
    more: str = "",
    auth: str = "",
    credential: dict[str, str] | None = None,
    rules: Sequence[str] = ("* /**",),
    origins: Sequence[str] = (),
    upstream: int | None = None,
    **gate: Any,
) -> AsyncIterator[Stage]:
    """A gateway in front of a recording origin.

    `more` stands at the top of the provider's file, `auth` in its `[auth]`; `origins` are the names
    of further origins, which lead to the same port; `upstream` is the port of another origin than
    the recording one.
    """
    house = build_house(directory / "vault")
    async with run_origin(world.leaf, respond) as origin:
        further = "".join(
            f'\n[origin.{name}]\nurl = "https://{name}.test:{origin.port}"\naddress = "127.0.0.1"\n'
            'ca_file = "ca.pem"\ndanger_private_addresses = true\n'
            for name in origins
        )
        auth = auth or 'header = "Authorization"\nvalue = "Bearer {api_key}"'
        more = 'default_origin = "rest"\n' + more if origins else more
        ca = world.root.pem.decode()
        provider = make_provider(upstream or origin.port, ca, more, auth + further)
        house.approve_provider(provider)
        for each in provider.origins:
            house.approve_pins(provider.id, [world.leaf.pin], each.name)
        connection = house.add_connection(provider, credential or {"api_key": CREDENTIAL})
        token = house.add_caller()
        origin.secrets.append(token.encode())
        house.grant(connection, *rules)
        async with run_gate(house, **gate) as running:
            yield Stage(house, world, origin, provider, connection, token, running)
    house.store.close()
    assert origin.flags == []


@asynccontextmanager
async def staged_preset(
    directory: Path,
    world: World,
    preset: str,
    credential: dict[str, str],
    respond: Respond | None = None,
    *,
    rules: Sequence[str] = ("* /**",),
    upstream: int | None = None,
    **gate: Any,
) -> AsyncIterator[Stage]:
    """A gateway for a preset whose one origin, also of WebSockets, is a recording one on this
    machine, or one on the port `upstream`."""
    house = build_house(directory / "vault")
    async with run_origin(world.leaf, respond) as origin:
        ca = world.root.pem.decode()
        door = Origin("rest", "api.test", upstream or origin.port, "127.0.0.1", ca, True)
        provider = load_preset(preset)
        sockets = provider.websocket and replace(provider.websocket, origins=("rest",))
        provider = replace(provider, origins=(door,), websocket=sockets)
        house.approve_provider(provider)
        house.approve_pins(provider.id, [world.leaf.pin])
        connection = house.add_connection(provider, credential)
        token = house.add_caller()
        origin.secrets.append(token.encode())
        house.grant(connection, *rules)
        async with run_gate(house, **gate) as running:
            yield Stage(house, world, origin, provider, connection, token, running)
    house.store.close()
    assert origin.flags == []


async def call(
    stage: Stage,
    method: str = "GET",
    path: str = "/p",
    body: bytes | None = None,
    token: str | None = "",
    exact: Mapping[str, str] | None = None,
    **headers: Any,
) -> Reply:
    """Make one call on a connection of its own; the stage's token unless another is given.

    `exact` holds headers whose names are sent as they stand; in `headers` `_` becomes `-`.
    """
    client = await Client.open(stage.port)
    token = stage.token if token == "" else token
    raw = request(method, f"/{stage.connection}{path}", token, body, **headers)
    line, _, rest = raw.partition(b"\r\n")
    lines = "".join(f"{name}: {value}\r\n" for name, value in (exact or {}).items())
    try:
        return await client.call(line + b"\r\n" + lines.encode("latin-1") + rest)
    finally:
        client.close()


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def wild_origin(
    issued: Issued, serve: Serve, buffer: int | None = None
) -> AsyncIterator[asyncio.Server]:
    """A TLS origin that does with each connection what `serve` does, with a small kernel buffer."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as directory:
        context.load_cert_chain(*issued.write(Path(directory), "origin"))
    tasks: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await serve(reader, writer)
        except (asyncio.IncompleteReadError, OSError, asyncio.CancelledError):
            pass
        finally:
            tasks.discard(task)
            writer.transport.abort()

    listening = socket.create_server(("127.0.0.1", 0))
    if buffer is not None:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    server = await asyncio.start_server(accept, sock=listening, ssl=context)
    try:
        yield server
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def port_of(server: asyncio.Server) -> int:
    """The port that an origin listens on."""
    port: int = server.sockets[0].getsockname()[1]
    return port


def raw_answer(raw: bytes, *, close: bool = False) -> Respond:
    """Answer every request with these bytes; with `close`, end the stream in order after them."""

    async def respond(_arrived: object, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        await writer.drain()
        if close:
            writer.close()

    return respond


def plain_answer(headers: str = "", body: bytes = b"{}", status: str = "200 OK") -> Respond:
    """Answer every request with these headers."""

    async def respond(_arrived: object, writer: asyncio.StreamWriter) -> None:
        await answer(writer, body, status, headers)

    return respond


def code(reply: Reply) -> tuple[int, str]:
    """Status and code of a problem; all three places say the same."""
    document = json.loads(reply.body)
    assert document.get("status") == reply.status, reply.status
    assert reply.headers["bailee-error"] == document["code"]
    assert reply.headers["content-type"] == "application/problem+json"
    return reply.status, document["code"]


async def echo(arrived: Arrived, writer: asyncio.StreamWriter) -> None:
    """Answer with the path and the body."""
    await answer(writer, arrived.request_line.split()[1].encode() + b"|" + arrived.body)


def without_call(reply: Reply) -> tuple[int, tuple[tuple[str, str], ...], bytes]:
    """An answer byte for byte, but for the call's id and what depends on its length."""
    call_id = reply.headers.get("bailee-call", "")
    pairs = [
        (name, "" if name in ("Bailee-Call", "Content-Length", "Date") else value)
        for name, value in reply.pairs
    ]
    body = reply.body.replace(call_id.encode(), b"") if call_id else reply.body
    return reply.status, tuple(pairs), body


def journal(stage: Stage, kind: str) -> list[dict[str, Any]]:
    """The entries of a kind (`intent`, `outcome`) that stand in the journal by now."""
    stage.gate.journal.flush()
    lines = [
        json.loads(line)
        for file in sorted((stage.house.directory / "journal").iterdir())
        if file.is_file() and file.suffix != ".lock"
        for line in file.read_bytes().splitlines()
    ]
    return [line for line in lines if line.get("type") == kind]


async def until(reached: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait until something has become true."""
    async with asyncio.timeout(seconds):
        while not reached():
            await asyncio.sleep(0.005)
