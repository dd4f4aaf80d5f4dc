"""The reference API's WebSocket: asked as its users do, and through the gateway."""

import asyncio
import json
import ssl
from pathlib import Path
from typing import Any, Literal

import pytest
from cryptography.x509 import load_pem_x509_certificates
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from bailee.egress.pin import compute_pin
from bailee.model import Pin
from bailee.providers.load import parse_provider
from bailee.reference.accounts import KeyKind
from bailee.reference.provider_file import provider_file
from gate import run_gate
from house import build_house
from reference_server import Api, start_api

pytestmark = pytest.mark.anyio
ALLOWED, FOREIGN = "127.0.0.2", "127.0.0.3"


def socket_of(api: Api, source: str = ALLOWED, **headers: str) -> connect:
    """A client of the `websockets` library, from a local address."""
    trust = ssl.create_default_context(cafile=str(api.files.ca))
    return connect(
        f"wss://127.0.0.1:{api.port}/v1/socket",
        ssl=trust,
        additional_headers=headers,
        local_addr=(source, 0),
        proxy=None,
    )


def pin_of(api: Api) -> Pin:
    """The pin of its leaf."""
    leaf = load_pem_x509_certificates(api.files.certificate.read_bytes())[0]
    return compute_pin(leaf)


async def ask(client: ClientConnection, **message: Any) -> Any:
    """Send a message and read one."""
    await client.send(json.dumps(message))
    return json.loads(await asyncio.wait_for(client.recv(), 5))


async def test_socket_answers(api: Api) -> None:
    """Ping and ticks for everybody; what a key is for, with a key."""
    key = api.make_key([ALLOWED])
    async with socket_of(api, Authorization=f"Bearer {key}") as client:
        assert await ask(client, op="ping") == {"op": "pong"}
        assert (await ask(client, op="subscribe", args=["ticker"]))["op"] == "subscribed"
        ticks = [json.loads(await client.recv()) for _ in range(3)]
        assert [tick["n"] for tick in ticks] == [0, 1, 2]
        assert (await ask(client, op="key"))["op"] == "key"
        assert (await ask(client, op="order"))["error"]["code"] == "invalid_request"
    async with socket_of(api) as client:
        assert (await ask(client, op="key"))["error"]["code"] == "invalid_key"


async def test_socket_refuses_as_requests_are_refused(api: Api) -> None:
    """A wrong key by 401, a foreign address by 403, another path by 404."""
    key = api.make_key([ALLOWED])
    for source, secret, status in ((ALLOWED, "wrong", 401), (FOREIGN, key, 403)):
        with pytest.raises(InvalidStatus) as refused:
            async with socket_of(api, source, Authorization=f"Bearer {secret}"):
                pass
        assert refused.value.response.status_code == status


async def test_socket_takes_a_login_in_its_first_message(api: Api) -> None:
    """And in no other; the address counts there, too."""
    key = api.make_key([ALLOWED])
    async with socket_of(api) as client:
        assert (await ask(client, op="login", args=[key], id=7))["id"] == 7
        assert (await ask(client, op="key"))["op"] == "key"
        assert (await ask(client, op="login", args=[key]))["error"]["code"] == "invalid_request"
    async with socket_of(api, FOREIGN) as client:
        told = await ask(client, op="login", args=[key])
        assert told["error"]["code"] == "address_not_allowed"


@pytest.mark.parametrize("message", ['{"op":"ping","op":"key"}', "ping", "[]", b'{"op":"ping"}'])
async def test_socket_closes_on_what_has_two_meanings(api: Api, message: str | bytes) -> None:
    """It is counted, so that a test can see it."""
    before = api.ask("GET", "/counters").json["refused_request"]
    async with socket_of(api) as client:
        await client.send(message)
        with pytest.raises(ConnectionClosed) as closed:
            await client.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008
    assert api.ask("GET", "/counters").json["refused_request"] == before + 1


@pytest.mark.parametrize("login", ["handshake", "frame"])
@pytest.mark.parametrize("kind", KeyKind)
async def test_socket_is_used_through_the_gateway(
    tmp_path: Path, kind: KeyKind, login: Literal["handshake", "frame"]
) -> None:
    """With its own provider file: the key is used from the egress address, and nobody shows it."""
    with start_api(tmp_path / "api") as api:
        made = api.make_any_key([ALLOWED], kind=kind)
        text = provider_file(
            f"https://api.test:{api.port}",
            kind=kind,
            address="127.0.0.1",
            ca_file="ca.pem",
            private=True,
            socket_login=login,
        )
        provider = parse_provider(text, lambda _: api.files.ca.read_text())
        house = build_house(tmp_path / "vault")
        house.approve_provider(provider)
        house.approve_pins(provider.id, [pin_of(api)])
        fields = {name: made[name] for name in provider.auth.fields}
        connection = house.add_connection(provider, fields)
        token = house.add_caller()
        house.grant(connection, "WEBSOCKET /v1/socket")
        async with run_gate(house) as gate:
            url = f"ws://127.0.0.1:{gate.port}/{connection}/v1/socket"
            headers = {"Bailee-Token": token}
            async with connect(url, additional_headers=headers, proxy=None) as client:
                if login == "frame":
                    told = await ask(client, op="login", args=["dummy"], id=3)
                    assert (told["op"], told["id"]) == ("logged-in", 3)
                assert (await ask(client, op="key"))["op"] == "key"
                assert await ask(client, op="ping") == {"op": "pong"}
        counters = api.ask("GET", "/counters").json
        assert counters["refused_request"] == 0
        assert counters["refused_key"] == 0
        house.store.close()
