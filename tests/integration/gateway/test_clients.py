"""Real clients of the web's habits work through the gateway: event streams, and pages by `Link`."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import sseclient
from requests.adapters import BaseAdapter, HTTPAdapter

from bailee.reference.pki import World
from house import SOURCE
from integration.gateway.conftest import CREDENTIAL, Stage
from integration.gateway.staging import journal, staged, until
from origin import Arrived, answer

pytestmark = pytest.mark.anyio

SECONDS = 10
"""How long a client waits before it gives up: an answer that is held back would take for ever."""


class NoNetwork(BaseAdapter):
    """Refuses to go anywhere."""

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        """Say where it would have gone."""
        raise AssertionError(f"the client went to {request.url} by itself")

    def close(self) -> None:
        """There is nothing to close."""


def guarded(stage: Stage) -> requests.Session:
    """A client that can reach the gateway and nothing else."""
    session = requests.Session()
    session.trust_env = False
    for scheme in ("http://", "https://"):
        session.mount(scheme, NoNetwork())
    session.mount(base_of(stage), HTTPAdapter())
    session.headers["Authorization"] = f"Bearer {stage.token}"
    return session


def base_of(stage: Stage) -> str:
    """Where the client sees the provider."""
    return f"http://127.0.0.1:{stage.port}/{stage.connection}"


# --- event streams ---

EVENTS = ["one", "two", "three", "four"]
FRAMED = {
    "in chunks": "Transfer-Encoding: chunked\r\n",
    "until the stream ends": "Connection: close\r\n",
}


@pytest.mark.parametrize("framing", FRAMED)
async def test_event_stream_when_each_event_waits_for_the_last(
    framing: str, tmp_path: Path, world: World
) -> None:
    """R34: the provider makes an event when the client has the one before; nothing is held back.

    An event comes in two writes, as it does when it is longer than a record.
    """
    had = asyncio.Semaphore(1)
    loop = asyncio.get_running_loop()
    chunked = framing == "in chunks"

    def wrapped(text: str) -> bytes:
        return f"{len(text):x}\r\n{text}\r\n".encode() if chunked else text.encode()

    async def respond(_: Arrived, writer: asyncio.StreamWriter) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n{FRAMED[framing]}\r\n"
        writer.write(head.encode())
        for number, name in enumerate(EVENTS):
            await had.acquire()
            writer.write(wrapped(f"id: {number}\ndata: "))
            await writer.drain()
            writer.write(wrapped(f"{name}\n\n"))
            await writer.drain()
        await had.acquire()
        if chunked:
            writer.write(b"0\r\n\r\n")
        else:
            writer.close()

    def listen(stage: Stage) -> list[tuple[str, str]]:
        with (
            guarded(stage) as session,
            session.get(
                f"{base_of(stage)}/events",
                stream=True,
                timeout=SECONDS,
                headers={"Accept": "text/event-stream", "Last-Event-ID": "41"},
            ) as response,
        ):
            assert response.headers["Content-Type"] == "text/event-stream"
            seen = []
            for event in sseclient.SSEClient(response).events():
                seen.append((event.id, event.data))
                loop.call_soon_threadsafe(had.release)
            return seen

    async with staged(tmp_path, world, respond=respond) as stage:
        seen = await asyncio.to_thread(listen, stage)
        assert seen == [(str(number), name) for number, name in enumerate(EVENTS)]
        assert stage.origin.arrived[0].headers["last-event-id"] == "41"
        assert journal(stage, "outcome")[0]["error"] is None


async def test_event_stream_when_its_listener_leaves(tmp_path: Path, world: World) -> None:
    """The provider's stream is dropped and the record closed; it is not used again."""
    left, over = threading.Event(), asyncio.Event()

    async def respond(arrived: Arrived, writer: asyncio.StreamWriter) -> None:
        if "events" not in arrived.request_line:
            await answer(writer)
            return
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
        writer.write(head + b"data: one\n\n")
        try:
            while True:
                await asyncio.sleep(0.02)
                writer.write(b": still here\n\n")
                await writer.drain()
        except ConnectionError:
            over.set()
            raise

    def listen(stage: Stage) -> str:
        with guarded(stage) as session:
            url = f"{base_of(stage)}/events"
            with session.get(url, stream=True, timeout=SECONDS) as response:
                first: str = next(iter(sseclient.SSEClient(response).events())).data
            left.set()
            return first

    async with staged(tmp_path, world, respond=respond) as stage:
        assert await asyncio.to_thread(listen, stage) == "one" and left.is_set()
        await asyncio.wait_for(over.wait(), SECONDS)
        await until(lambda: len(journal(stage, "outcome")) == 1)
        assert journal(stage, "outcome")[0]["error"] == "client-gone"


# --- pages ---

PAGES = 5


async def _page(arrived: Arrived, writer: asyncio.StreamWriter) -> None:
    """Answer as GitHub does: a page of a list, and where the others are, by absolute URLs."""
    host, (path, _, query) = arrived.headers["host"], arrived.request_line.split()[1].partition("?")
    parameters = dict(part.split("=") for part in query.split("&") if part)
    page = int(parameters.get("page", "1"))

    def link(number: int, relation: str) -> str:
        return f'<https://{host}{path}?per_page=2&page={number}>; rel="{relation}"'

    links = [link(page - 1, "prev"), link(1, "first")] if page > 1 else []
    links += [link(page + 1, "next"), link(PAGES, "last")] if page < PAGES else []
    headers = f"Content-Type: application/json\r\nLink: {', '.join(links)}\r\n"
    await answer(writer, f"[{2 * page - 1}, {2 * page}]".encode(), headers=headers)


def _pages(session: requests.Session, url: str | None) -> Iterator[int]:
    """Follow `rel=next` as PyGithub does: the URL as it came, with the same token."""
    while url is not None:
        response = session.get(url, timeout=SECONDS)
        response.raise_for_status()
        yield from response.json()
        url = response.links.get("next", {}).get("url")


async def test_pages_when_a_client_follows_link(tmp_path: Path, world: World) -> None:
    """R53: page by page through us, with the caller's token; never to the provider directly."""
    async with staged(tmp_path, world, respond=_page) as stage:

        def collect() -> list[int]:
            with guarded(stage) as session:
                return list(_pages(session, f"{base_of(stage)}/user/repos?per_page=2"))

        assert await asyncio.to_thread(collect) == list(range(1, 2 * PAGES + 1))
        assert len(stage.origin.arrived) == PAGES
        # All came from the address that calls leave from; the client's own is another.
        assert {each.peer for each in stage.origin.arrived} == {SOURCE}
        for arrived in stage.origin.arrived:
            assert arrived.headers["authorization"] == f"Bearer {CREDENTIAL}"


ELSEWHERE = {
    "another host": '<https://evil.test/user/repos?page=2>; rel="next"',
    "another port": '<https://api.test/user/repos?page=2>; rel="next"',
    "plain HTTP": '<http://api.test:{port}/user/repos?page=2>; rel="next"',
    "a host before an at sign": '<https://api.test:{port}@evil.test/>; rel="next"',
    "no scheme": '<//evil.test/user/repos?page=2>; rel="next"',
    "another host as an anchor": '</x>; rel="next"; anchor="https://evil.test/"',
}


async def test_pages_when_link_leads_elsewhere(tmp_path: Path, world: World) -> None:
    """R53: such a link is not there, so that no client follows it with its token."""
    async with staged(tmp_path, world) as stage:

        def collect() -> list[int]:
            with guarded(stage) as session:
                return list(_pages(session, f"{base_of(stage)}/user/repos"))

        for case, link in ELSEWHERE.items():
            line = link.format(port=stage.origin.port)

            async def respond(_: Arrived, writer: asyncio.StreamWriter, line: str = line) -> None:
                await answer(writer, b"[1]", headers=f"Link: {line}\r\n")

            stage.origin.respond = respond
            assert await asyncio.to_thread(collect) == [1], case
        assert len(stage.origin.arrived) == len(ELSEWHERE)


async def test_pages_when_nobody_rewrites(stage: Stage) -> None:
    """The guard of these tests can fail: a client that is shown the provider's URL goes there."""

    def follow() -> None:
        with guarded(stage) as session:
            list(_pages(session, f"https://api.test:{stage.origin.port}/user/repos"))

    with pytest.raises(AssertionError, match="went to https://api.test"):
        await asyncio.to_thread(follow)
    assert stage.origin.arrived == []
