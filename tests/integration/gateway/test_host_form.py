"""Calls that name their connection by the host, for SDKs that drop the path of a base URL."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import aiohttp
import ccxt
import pytest
import requests
from aiohttp.abc import AbstractResolver, ResolveResult
from requests.adapters import HTTPAdapter

from bailee.manage import derived, grants, tokens
from bailee.model import DEFAULT_TENANT
from bailee.reference.pki import World
from gate import Client, Reply, request
from integration.gateway.conftest import CREDENTIAL, Stage
from integration.gateway.staging import (
    journal,
    plain_answer,
    staged,
    staged_preset,
    until,
    without_call,
)
from origin import Arrived, answer

pytestmark = pytest.mark.anyio
DOMAIN = "calls.test"
OF_ONE_CALL = ("call", "at", "seconds", "seq", "hash")
"""What differs between the journal's entries of two calls that are the same."""


async def call_at(
    stage: Stage,
    host: str,
    target: str = "/p",
    method: str = "GET",
    token: str | None = "",
    body: bytes | None = None,
    **headers: Any,
) -> Reply:
    """Make one call to a host; `CON` stands for the stage's connection."""
    raw = request(method, target.replace("CON", stage.connection), None, body, **headers)
    token = stage.token if token == "" else token
    lines = f"Host: {host.replace('CON', stage.connection)}\r\n"
    lines += f"Bailee-Token: {token}\r\n" if token is not None else ""
    client = await Client.open(stage.port)
    try:
        return await client.call(raw.replace(b"Host: 127.0.0.1:8700\r\n", lines.encode()))
    finally:
        client.close()


@pytest.fixture(scope="module")
def wide_world() -> World:
    """A world whose certificate is for both origins."""
    return World.create(["api.test", "files.test"])


@pytest.fixture
async def wide(tmp_path: Path, wide_world: World) -> AsyncIterator[Stage]:
    """A gateway with a calls domain, in front of a provider with two origins."""
    async with staged(tmp_path, wide_world, origins=["files"], calls_domain=DOMAIN) as stage:
        yield stage


@pytest.fixture
async def stage(tmp_path: Path, world: World) -> AsyncIterator[Stage]:
    """The same with one origin."""
    async with staged(tmp_path, world, calls_domain=DOMAIN) as stage:
        yield stage


async def test_host_names_connection_and_origin(wide: Stage) -> None:
    """The whole path is the provider's, whichever way the name is written."""
    port = wide.origin.port
    for host, origin in (
        ("CON.calls.test", "api"),
        ("CON.calls.test:8700", "api"),
        ("CON.Calls.TEST.", "api"),
        ("CON--rest.calls.test", "api"),
        ("CON--files.calls.test:1", "files"),
    ):
        for target in ("/v1/x?a=b", "/", "/CON/p", "/CON.files/p"):
            reply = await call_at(wide, host, target)
            assert reply.status == 200, (host, target, reply.body)
            arrived = wide.origin.arrived[-1]
            sent = target.replace("CON", wide.connection)
            assert arrived.request_line == f"GET {sent} HTTP/1.1"
            assert arrived.headers["host"] == f"{origin}.test:{port}"
            assert arrived.headers["authorization"] == f"Bearer {CREDENTIAL}"


async def test_both_forms_are_recorded_alike(wide: Stage) -> None:
    """What was written down of a call does not tell how its connection was named."""
    await call_at(wide, "CON--files.calls.test", "/v1/x?a=b", "POST", body=b"order")
    await call_at(wide, "127.0.0.1", "/CON.files/v1/x?a=b", "POST", body=b"order")
    for kind in ("intent", "outcome"):
        first, second = journal(wide, kind)
        for entry in (first, second):
            for name in OF_ONE_CALL:
                entry.pop(name, None)
        assert first == second
    by_host, by_path = wide.origin.arrived
    assert (by_host.head, by_host.body) == (by_path.head, by_path.body)


async def test_other_hosts_have_the_path_form(stage: Stage) -> None:
    """Of another domain, of the domain itself, or an address: there the path names the door."""
    for host in ("127.0.0.1:8700", "gateway.internal", "calls.test", "CON.calls.example", "[::1]"):
        reply = await call_at(stage, host, "/CON/p")
        assert reply.status == 200, host
        assert stage.origin.arrived[-1].request_line == "GET /p HTTP/1.1"
        assert (await call_at(stage, host, "/p")).status == 404


async def test_without_a_domain_no_host_names_a_connection(tmp_path: Path, world: World) -> None:
    """It is off unless it is configured."""
    async with staged(tmp_path, world) as stage:
        assert (await call_at(stage, "CON.calls.test", "/p")).status == 404
        assert (await call_at(stage, "CON.calls.test", "/CON/p")).status == 200
        assert stage.origin.arrived[0].request_line == "GET /p HTTP/1.1"


UNKNOWN = ["www.calls.test", "CON--.calls.test", "CON--nope.calls.test", "x.CON.calls.test",
           ".calls.test", "CON..calls.test", "CON-x.calls.test", "CON.calls.test.."]  # fmt: skip


async def test_malformed_and_unknown_host_look_the_same(stage: Stage) -> None:
    """The same 404 as a connection that does not exist, with and without a door in the path."""
    unknown = await call_at(stage, "a" * 26 + ".calls.test")
    assert (unknown.status, unknown.headers["bailee-error"]) == (404, "connection-not-found")
    assert without_call(unknown) == without_call(await call_at(stage, "h", f"/{'a' * 26}/p"))
    for host in UNKNOWN:
        for target in ("/p", "/CON/p"):
            reply = await call_at(stage, host, target)
            assert without_call(reply) == without_call(unknown), (host, target)
        strangers = await call_at(stage, host, token=None)
        assert (strangers.status, strangers.headers["bailee-error"]) == (401, "unauthenticated")
    assert stage.origin.plain_bytes == 0


async def test_same_target_at_another_host_is_another_call(stage: Stage) -> None:
    """Neither a decision nor a remembered head serves another connection (R10)."""
    other = stage.house.add_connection(stage.provider, {"api_key": f"{CREDENTIAL}-2"}, "u2")
    stage.house.grant(other, "* /**")
    await asyncio.sleep(0.25)
    keys = {stage.connection: CREDENTIAL, other: f"{CREDENTIAL}-2"}
    client = await Client.open(stage.port)
    for connection, key in [*keys.items()] * 4:
        raw = request("GET", "/p", stage.token)
        host = f"Host: {connection}.calls.test".encode()
        reply = await client.call(raw.replace(b"Host: 127.0.0.1:8700", host))
        assert reply.status == 200
        assert stage.origin.arrived[-1].headers["authorization"] == f"Bearer {key}"
    client.close()


async def test_urls_of_the_provider_become_ours_by_host(wide: Stage) -> None:
    """R53: in the form of the call, with the client's own port; what leads elsewhere is dropped."""
    cases = {
        "Location: https://api.test:{port}/v2/x?a=b": ("location", "http://{c}.{h}/v2/x?a=b"),
        "Location: x": ("location", "http://{c}.{h}/v1/x"),
        "Content-Location: ?page=2": ("content-location", "http://{c}.{h}/v1/p?page=2"),
        "Location: https://files.test:{port}/x": ("location", "http://{c}--files.{h}/x"),
        'Link: <https://api.test:{port}/v1/p?page=2>; rel="next", <https://evil.test/>; rel=a, '
        "<https://files.test:{port}/y>; rel=b": (
            "link",
            '<http://{c}.{h}/v1/p?page=2>; rel="next", <http://{c}--files.{h}/y>; rel=b',
        ),
        "Location: https://evil.test/x": ("location", None),
        "Location: http://api.test:{port}/x": ("location", None),
    }
    for host in ("CON.calls.test:8700", "CON.calls.test", "CON--rest.Calls.Test.:80"):
        for header, (name, expected) in cases.items():
            line = header.format(port=wide.origin.port)
            wide.origin.respond = plain_answer(line + "\r\n", status="302 Found")
            reply = await call_at(wide, host, "/v1/p")
            wanted = expected and expected.format(c=wide.connection, h=host.partition(".")[2])
            assert (reply.status, reply.headers.get(name)) == (302, wanted), (host, header)


async def test_rewritten_url_leads_to_its_origin(wide: Stage) -> None:
    """Whoever follows it calls the very origin that the provider named."""
    where = f"https://files.test:{wide.origin.port}/down/load?x=1"
    wide.origin.respond = plain_answer(f"Location: {where}\r\n", status="302 Found")
    location = (await call_at(wide, "CON.calls.test:8700")).headers["location"]
    host, slash, path = location.removeprefix("http://").partition("/")
    await call_at(wide, host, slash + path)
    arrived = wide.origin.arrived[-1]
    assert arrived.request_line == "GET /down/load?x=1 HTTP/1.1"
    assert arrived.headers["host"] == f"files.test:{wide.origin.port}"


# --- SDKs ---------------------------------------------------------------------------------------


class Loopback(AbstractResolver):
    """What a wildcard record would say: each name under the domain is this machine."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        assert host.endswith(f".{DOMAIN}")
        return [
            ResolveResult(
                hostname=host, host="127.0.0.1", port=port, family=socket.AF_INET, proto=0, flags=0
            )
        ]

    async def close(self) -> None:
        """Nothing is open."""


class ToLoopback(HTTPAdapter):
    """The same for `requests`: dial this machine and leave the name in Host."""

    def send(self, request: requests.PreparedRequest, *args: Any, **more: Any) -> Any:
        url = urlsplit(str(request.url))
        assert (url.hostname or "").endswith(f".{DOMAIN}")
        request.headers["Host"] = url.netloc
        request.url = urlunsplit(url._replace(netloc=f"127.0.0.1:{url.port}"))
        return super().send(request, *args, **more)


async def test_client_that_drops_the_path_of_its_base_url_works(stage: Stage) -> None:
    """aiohttp joins `/v1/balance` to a base URL as URLs are joined: the base's path is lost."""
    headers = {"Authorization": f"Bearer {stage.token}"}
    for base, status in (
        (f"http://{stage.connection}.{DOMAIN}:{stage.port}/", 200),
        (f"http://127.0.0.1:{stage.port}/{stage.connection}/", 404),
    ):
        connector = aiohttp.TCPConnector(resolver=Loopback())
        async with aiohttp.ClientSession(base, connector=connector, headers=headers) as sdk:
            async with sdk.get("/v1/balance", params={"x": "1"}) as answered:
                assert answered.status == status
            async with sdk.post("/v1/orders", json={"a": 1}) as answered:
                assert answered.status == status
    paths = [arrived.request_line for arrived in stage.origin.arrived]
    assert paths == ["GET /v1/balance?x=1 HTTP/1.1", "POST /v1/orders HTTP/1.1"]
    assert stage.origin.arrived[1].body == b'{"a": 1}'


async def test_client_pages_by_the_rewritten_link(stage: Stage) -> None:
    """It follows `Link` to the last page, and never leaves the gateway."""

    async def respond(arrived: Arrived, writer: asyncio.StreamWriter) -> None:
        page = int(arrived.request_line.partition("page=")[2].split(" ")[0])
        url = f"https://api.test:{stage.origin.port}/v1/list?page={page + 1}"
        more = f'Link: <{url}>; rel="next"\r\n' if page < 3 else ""
        await answer(writer, headers=more)

    stage.origin.respond = respond
    headers = {"Authorization": f"Bearer {stage.token}"}
    connector = aiohttp.TCPConnector(resolver=Loopback())
    pages = 0
    async with aiohttp.ClientSession(connector=connector, headers=headers) as sdk:
        following: Any = f"http://{stage.connection}.{DOMAIN}:{stage.port}/v1/list?page=1"
        while following:
            async with sdk.get(following) as answered:
                assert answered.status == 200
                links = answered.links
                following = links["next"]["url"] if "next" in links else None
                pages += 1
    assert pages == len(stage.origin.arrived) == 3


async def test_sdk_that_signs_works_by_host(tmp_path: Path, world: World) -> None:
    """ccxt with our token as its key: the preset's token place is found by the host's door."""
    credential = {"api_key": "canary-kraken-key", "secret": "Y2FuYXJ5LWtyYWtlbi1zZWNyZXQ="}
    async with staged_preset(
        tmp_path,
        world,
        "kraken",
        credential,
        plain_answer("", b'{"error":[],"result":{"ZUSD":"3.5"}}'),
        calls_domain=DOMAIN,
    ) as stage:
        sdk = ccxt.kraken({"apiKey": stage.token, "secret": stage.provider.dummy_secret})
        sdk.session.mount("http://", ToLoopback())
        base = f"http://{stage.connection}.{DOMAIN}:{stage.port}"
        sdk.urls["api"] = {name: base for name in sdk.urls["api"]}
        balance = await asyncio.to_thread(sdk.private_post_balance)
        assert balance["result"] == {"ZUSD": "3.5"}
        arrived = stage.origin.arrived[0]
        assert arrived.request_line == "POST /0/private/Balance HTTP/1.1"
        assert arrived.headers["api-key"] == credential["api_key"]
        assert stage.token.encode() not in arrived.head + arrived.body


# --- tokens and revocation ----------------------------------------------------------------------


async def test_derived_token_and_named_subject_by_host(stage: Stage) -> None:
    """A token for one connection finds only that; the subject must be the connection's."""
    other = stage.house.add_connection(stage.provider, {"api_key": CREDENTIAL}, "u2")
    stage.house.grant(other, "* /**")
    issued = tokens.issue_operator(stage.house.store, DEFAULT_TENANT, "test", time.time())
    token = (
        derived.derive(
            stage.house.store,
            DEFAULT_TENANT,
            issued.token.id,
            "app",
            time.time(),
            connection=stage.connection,
            methods=["GET"],
        )
        .text.reveal()
        .decode()
    )
    await asyncio.sleep(0.25)
    assert (await call_at(stage, "CON.calls.test", token=token)).status == 200
    assert (await call_at(stage, f"{other}.calls.test", token=token)).status == 404
    assert (await call_at(stage, f"{other}.calls.test")).status == 200
    assert (await call_at(stage, "CON.calls.test", "/p", "DELETE", token)).status == 403
    assert (await call_at(stage, "CON.calls.test", Bailee_Subject="u1")).status == 200
    refused = await call_at(stage, "CON.calls.test", Bailee_Subject="u2")
    assert refused.headers["bailee-error"] == "subject-mismatch"


async def respond_without_end(_arrived: Arrived, writer: asyncio.StreamWriter) -> None:
    """A piece every 20 ms."""
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"5\r\npiece\r\n")
        await writer.drain()
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("target", ["/v1/%41", "/CON/stream"])
async def test_call_under_way_is_judged_by_its_host(stage: Stage, target: str) -> None:
    """A change of the store that does not concern it lets it go on; its grant's end cuts it."""
    stage.origin.respond = respond_without_end
    client = await Client.open(stage.port)
    raw = request("GET", target.replace("CON", stage.connection), stage.token)
    host = f"Host: {stage.connection}.calls.test:8700".encode()
    await client.send(raw.replace(b"Host: 127.0.0.1:8700", host))
    await asyncio.wait_for(client.reader.readuntil(b"piece"), 5)
    reading = stage.gate.snapshot.reading
    stage.house.add_connection(stage.provider, {"api_key": CREDENTIAL}, "u2")
    await until(lambda: stage.gate.snapshot.reading is not reading)
    (under_way,) = stage.gate.line.calls
    assert not under_way.ended
    await asyncio.wait_for(client.reader.readuntil(b"piece"), 5)
    (grant,) = grants.page(stage.house.store, DEFAULT_TENANT)
    grants.revoke(stage.house.store, DEFAULT_TENANT, grant.grant.id, time.time())
    await until(lambda: not stage.gate.line.calls, seconds=1.0)
    (outcome,) = journal(stage, "outcome")
    assert (outcome["status"], outcome["error"]) == (200, "connection-not-found")
    client.close()
