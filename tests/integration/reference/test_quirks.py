"""Each quirk, and signed requests, over real TLS from several addresses of this machine."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bailee.reference.app import ReferenceApi
from bailee.reference.pki import World
from bailee.reference.quirks import Quirk
from reference_server import Answer, Api, ApiPlace, serve_here
from reference_signing import sign

LISTED, FOREIGN = "127.0.0.2", "127.0.0.3"


@contextmanager
def serving(directory: Path, *quirks: Quirk) -> Iterator[ApiPlace]:
    """An API with quirks that knows 127.0.0.2."""
    files = World.create(["127.0.0.1"]).write(directory)
    with serve_here(ReferenceApi(quirks=quirks, known=[LISTED]), files) as place:
        yield place


def told(answer: Answer) -> tuple[int, bytes]:
    return answer.status, answer.body


def test_uniform_401(tmp_path: Path) -> None:
    """A foreign address is told, byte for byte, what a wrong key is told."""
    with serving(tmp_path, Quirk.UNIFORM_401) as api:
        key = api.make_key([LISTED])
        foreign = api.ask("GET", "/v1/balance", key, source=FOREIGN)
        wrong = api.ask("GET", "/v1/balance", "wrong", source=LISTED)
        assert told(foreign) == told(wrong)
        assert foreign.status == 401
        assert foreign.headers.keys() == wrong.headers.keys()
        assert api.ask("GET", "/v1/balance", key).status == 200


def test_refusal_inside_200(tmp_path: Path) -> None:
    """The status is 200, and the body refuses."""
    with serving(tmp_path, Quirk.REFUSAL_INSIDE_200) as api:
        foreign = api.ask("GET", "/v1/balance", api.make_key([LISTED]), source=FOREIGN)
        wrong = api.ask("GET", "/v1/balance", "wrong")
    assert (foreign.status, foreign.json["error"]["code"]) == (200, "address_not_allowed")
    assert (wrong.status, wrong.json["error"]["code"]) == (200, "invalid_key")


def test_firewall(tmp_path: Path) -> None:
    """A key that is open to all is blocked for a stranger, and so is what needs no key."""
    with serving(tmp_path, Quirk.FIREWALL) as api:
        key = api.make_key(None)
        assert api.ask("GET", "/v1/balance", key).status == 200
        blocked = api.ask("GET", "/v1/balance", key, source=FOREIGN)
        assert told(blocked) == told(api.ask("GET", "/v1/time", source=FOREIGN))
        assert (blocked.status, blocked.headers["content-type"]) == (403, "text/html")
        assert api.ask("GET", "/v1/time").status == 200


def test_nonce_error(tmp_path: Path) -> None:
    """A stranger is told of a nonce, with a key of either kind and whatever its list says."""
    with serving(tmp_path, Quirk.NONCE_ERROR) as api:
        for allow in (None, [LISTED]):
            refused = api.ask("GET", "/v1/balance", api.make_key(allow), source=FOREIGN)
            assert (refused.status, refused.json["error"]["code"]) == (401, "invalid_nonce")
        key = api.make_any_key(None, kind="hmac", nonce=True)
        headers = sign(key, "GET", "/v1/balance", nonce=1)
        assert api.ask("GET", "/v1/balance", headers=headers, source=FOREIGN).status == 401
        assert api.ask("GET", "/v1/balance", headers=headers).status == 200
        assert api.ask("GET", "/v1/time", source=FOREIGN).status == 200


@pytest.mark.parametrize("nonce", [None, 1], ids=["without a nonce", "with a nonce"])
def test_signed_requests(api: Api, nonce: int | None) -> None:
    """A signed GET with a query and a signed POST are served, and from elsewhere they are not."""
    key = api.make_any_key([LISTED], kind="hmac", nonce=nonce is not None)
    target = "/v1/echo?b=%20&a=%C3%A9"
    headers = sign(key, "GET", target, nonce=nonce)
    foreign = api.ask("GET", target, headers=headers, source=FOREIGN)
    assert foreign.json["error"]["code"] == "address_not_allowed"
    echoed = api.ask("GET", target, headers=headers)
    assert echoed.json["query"] == "b=%20&a=%C3%A9"
    order = {"symbol": "BTC-EUR", "side": "buy", "amount": "0.25"}
    later = None if nonce is None else nonce + 1
    headers = sign(key, "POST", "/v1/orders", json.dumps(order).encode(), nonce=later)
    assert api.ask("POST", "/v1/orders", value=order, headers=headers).status == 201
    altered = api.ask("POST", "/v1/orders", value={**order, "amount": "9"}, headers=headers)
    assert altered.json["error"]["code"] == "invalid_signature"


def test_report_and_time(api: Api) -> None:
    """A key's report names its list and powers; the time comes from nobody's list."""
    report = api.ask("GET", "/v1/key", api.make_key([LISTED, "10.0.0.0/8"])).json
    assert (report["restricted"], report["addresses"]) == (True, [LISTED, "10.0.0.0/8"])
    assert report["powers"] == ["read", "trade", "withdraw"]
    assert api.ask("GET", "/v1/time", source=FOREIGN).json.keys() == {"time"}
