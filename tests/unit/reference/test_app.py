"""The reference API: keys with allowlists and permissions, and what is counted."""

import hashlib

import pytest

from bailee.reference.app import ReferenceApi
from reference_caller import Caller

PERMISSIONS = {
    ("GET", "/v1/balance"): "read",
    ("GET", "/v1/orders"): "read",
    ("POST", "/v1/orders"): "trade",
    ("POST", "/v1/withdrawals"): "withdraw",
}
VALUES = {
    "/v1/orders": {"symbol": "BTC-EUR", "side": "buy", "amount": "0.25"},
    "/v1/withdrawals": {"asset": "EUR", "amount": "250.00", "to": "DE00-1"},
}
FREE_ROUTES = [
    ("GET", "/v1/key"),
    *((method, "/v1/echo") for method in ("GET", "POST", "PUT", "PATCH", "DELETE")),
    ("POST", "/v1/sink"),
]


def _counts(ask: Caller) -> dict[str, int]:
    counters: dict[str, int] = ask("GET", "/counters").answer
    return {name: count for name, count in counters.items() if count}


def test_health_and_counters_are_public_and_not_counted(ask: Caller) -> None:
    """Whoever watches the API does not change what it counts."""
    assert ask("GET", "/health", peer=None).answer == {"status": "ok"}
    assert ask("GET", "/counters", peer=None).status == 200
    assert _counts(ask) == {}


def test_key_is_shown_once_and_kept_as_a_digest(ask: Caller) -> None:
    """A key's secret is in the answer that made it and nowhere else."""
    session = ask.session()
    made = ask.key(session)
    listed = ask("GET", "/keys", session).answer["keys"]
    assert listed == [{name: made[name] for name in made if name != "api_key"}]
    assert listed[0].keys() == {"id", "label", "allow", "permissions", "kind", "nonce"}
    assert made["api_key"] not in repr(vars(ask.api._accounts))


@pytest.mark.parametrize(("route", "permission"), PERMISSIONS.items())
def test_route_wants_its_permission(ask: Caller, route: tuple[str, str], permission: str) -> None:
    """A route serves a key with its permission, and no key with all the others."""
    session, value = ask.session(), VALUES.get(route[1])
    able = ask.key(session, permissions=[permission])["api_key"]
    others = [p for p in ("read", "trade", "withdraw") if p != permission]
    unable = ask.key(session, permissions=others)["api_key"]
    assert ask(*route, able, value).status in (200, 201)
    refused = ask(*route, unable, value)
    assert (refused.status, refused.code) == (403, "permission_denied")


@pytest.mark.parametrize("route", [*PERMISSIONS, *FREE_ROUTES])
def test_keyed_route_refuses_a_foreign_address(ask: Caller, route: tuple[str, str]) -> None:
    """Every keyed route stands behind the allowlist, and nothing is done for a foreign address."""
    key = ask.key(ask.session(), permissions=["read", "trade", "withdraw"])["api_key"]
    forged = {"X-Forwarded-For": "127.0.0.2", "Forwarded": "for=127.0.0.2"}
    for headers in ({}, forged):
        refused = ask(*route, key, VALUES.get(route[1]), peer="127.0.0.3", headers=headers)
        assert (refused.status, refused.code) == (403, "address_not_allowed")
    assert ask("GET", "/v1/balance", key).answer["balances"]["EUR"] == "1000.00"
    assert ask("GET", "/v1/orders", key).answer["orders"] == []


@pytest.mark.parametrize("route", [*PERMISSIONS, *FREE_ROUTES, ("GET", "/v1/nothing")])
@pytest.mark.parametrize("secret", [None, "", "wrong", "reference_key_wrong"])
def test_keyed_route_refuses_a_bad_key(
    ask: Caller, route: tuple[str, str], secret: str | None
) -> None:
    """A missing or unknown key is refused, and so is a session."""
    assert (ask(*route, secret).status, ask(*route, secret).code) == (401, "invalid_key")
    assert ask(*route, ask.session()).code == "invalid_key"


@pytest.mark.parametrize("peer", ["127.0.0.2", "127.0.0.3", None])
def test_time_is_told_to_whoever_asks(peer: str | None) -> None:
    """From any address, without a key, in milliseconds; with a key it makes no difference."""
    ask = Caller(ReferenceApi(clock=lambda: 1_700_000_000.1239))
    key = ask.key(ask.session())["api_key"]
    for secret in (None, key, "wrong"):
        told = ask("GET", "/v1/time", secret, peer=peer)
        assert (told.status, told.answer) == (200, {"time": 1_700_000_000_123})
    assert ask("POST", "/v1/time", None, peer=peer).status == 401
    assert _counts(ask) == {"console": 2, "public": 3, "refused_key": 1}


def test_key_reports_what_it_is_restricted_to(ask: Caller) -> None:
    """A key without permissions can read its own list and powers; an open one says so."""
    session = ask.session()
    listed = ask.key(session, allow=["127.0.0.2", "2001:db8::/32"], permissions=[])
    report = ask("GET", "/v1/key", listed["api_key"]).answer
    assert report == {
        "id": listed["id"],
        "label": "k",
        "kind": "bearer",
        "restricted": True,
        "addresses": ["127.0.0.2", "2001:db8::/32"],
        "powers": [],
    }
    anyone = ask.key(session, allow=None, permissions=["withdraw", "read"])["api_key"]
    told = ask("GET", "/v1/key", anyone).answer
    assert (told["restricted"], told["addresses"]) == (False, ["*"])
    assert told["powers"] == ["read", "withdraw"]


def test_orders_and_withdrawals_are_the_users_own(ask: Caller) -> None:
    """What one user's key does is not seen by another's."""
    everything = ["read", "trade", "withdraw"]
    ann = ask.key(ask.session("ann"), permissions=everything)["api_key"]
    bob = ask.key(ask.session("bob"), permissions=everything)["api_key"]
    assert ask("POST", "/v1/orders", ann, VALUES["/v1/orders"]).answer["amount"] == "0.25"
    assert ask("POST", "/v1/withdrawals", ann, VALUES["/v1/withdrawals"]).status == 201
    assert ask("GET", "/v1/balance", ann).answer["balances"]["EUR"] == "750.00"
    assert len(ask("GET", "/v1/orders", ann).answer["orders"]) == 1
    assert ask("GET", "/v1/balance", bob).answer["balances"]["EUR"] == "1000.00"
    assert ask("GET", "/v1/orders", bob).answer["orders"] == []


@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("/v1/orders", {"side": "hold"}),
        ("/v1/orders", {"symbol": "btc"}),
        ("/v1/orders", {"amount": "0"}),
        ("/v1/orders", {"amount": "-1"}),
        ("/v1/orders", {"amount": "1e3"}),
        ("/v1/orders", {"amount": 1}),
        ("/v1/orders", {"amount": "١"}),
        ("/v1/withdrawals", {"to": ""}),
        ("/v1/withdrawals", {"to": "a\r\nb"}),
        ("/v1/withdrawals", {"amount": "NaN"}),
        ("/v1/withdrawals", {"asset": None}),
    ],
)
def test_write_refuses_wrong_values(ask: Caller, path: str, change: dict[str, object]) -> None:
    """A wrong value is refused and nothing is done."""
    key = ask.key(ask.session(), permissions=["read", "trade", "withdraw"])["api_key"]
    refused = ask("POST", path, key, {**VALUES[path], **change})
    assert (refused.status, refused.code) == (400, "invalid_request")
    assert ask("GET", "/v1/orders", key).answer["orders"] == []
    assert ask("GET", "/v1/balance", key).answer["balances"]["EUR"] == "1000.00"


@pytest.mark.parametrize("asked", [{"amount": "1000.01"}, {"asset": "XYZ"}])
def test_withdrawal_refuses_more_than_there_is(ask: Caller, asked: dict[str, str]) -> None:
    """A balance never becomes negative."""
    key = ask.key(ask.session(), permissions=["read", "withdraw"])["api_key"]
    refused = ask("POST", "/v1/withdrawals", key, {**VALUES["/v1/withdrawals"], **asked})
    assert (refused.status, refused.code) == (409, "insufficient_balance")
    assert ask("GET", "/v1/balance", key).answer["balances"]["EUR"] == "1000.00"


def test_echo_says_what_arrived(ask: Caller) -> None:
    """Method, path, query, headers, body digest and peer are what came."""
    key = ask.key(ask.session())["api_key"]
    pieces = [b"ab", b"", b"c"]
    echoed = ask("PUT", "/v1/echo?a=1&b", key, body=pieces, headers={"X-One": "1"}).answer
    assert echoed["method"] == "PUT"
    assert (echoed["path"], echoed["query"]) == ("/v1/echo", "a=1&b")
    assert echoed["headers"] == [["x-one", "1"], ["authorization", f"Bearer {key}"]]
    assert echoed["body"] == {"length": 3, "sha256": hashlib.sha256(b"abc").hexdigest()}
    assert echoed["peer"] == "127.0.0.2"


def test_sink_answers_length_and_digest(ask: Caller) -> None:
    """The sink hashes what it is given; a body that is cut gets no answer."""
    key = ask.key(ask.session())["api_key"]
    body = [bytes(1000)] * 100
    answer = ask("POST", "/v1/sink", key, body=body).answer
    assert answer == {"length": 100_000, "sha256": hashlib.sha256(bytes(100_000)).hexdigest()}
    assert ask("POST", "/v1/sink", key, body=[b"half"], cut=True).sent == []
    assert _counts(ask) == {"console": 2, "served": 1, "disconnected": 1}


def test_new_allowlist_holds_from_the_next_request(ask: Caller) -> None:
    """Changed, opened, emptied, deleted: each shows at once."""
    session = ask.session()
    made = ask.key(session)
    key, path = made["api_key"], f"/keys/{made['id']}/allowlist"

    def status(peer: str) -> int:
        return ask("GET", "/v1/balance", key, peer=peer).status

    assert (status("127.0.0.2"), status("127.0.0.3")) == (200, 403)
    changed = ask("PUT", path, session, {"allow": ["127.0.0.3", "2001:DB8::/32"]})
    assert changed.answer["allow"] == ["127.0.0.3", "2001:db8::/32"]
    assert (status("127.0.0.2"), status("127.0.0.3"), status("2001:db8::1")) == (403, 200, 200)
    ask("PUT", path, session, {"allow": None})
    assert (status("127.0.0.2"), status("127.0.0.99")) == (200, 200)
    ask("PUT", path, session, {"allow": []})
    assert (status("127.0.0.2"), status("127.0.0.3")) == (403, 403)
    assert ask("DELETE", f"/keys/{made['id']}", session).status == 200
    assert ask("DELETE", f"/keys/{made['id']}", session).status == 404
    assert status("127.0.0.2") == 401


@pytest.mark.parametrize(
    "change",
    [
        {"allow": ["10.0.0.1/8"]},
        {"allow": ["a"]},
        {"allow": "127.0.0.2"},
        {"allow": [1]},
        {"allow": ["127.0.0.2"] * 101},
        {"permissions": ["admin"]},
        {"permissions": None},
        {"label": ""},
        {"label": "x" * 101},
    ],
)
def test_console_refuses_wrong_values(ask: Caller, change: dict[str, object]) -> None:
    """A key is made as asked or not at all."""
    session = ask.session()
    whole = {"label": "k", "allow": ["127.0.0.2"], "permissions": ["read"], **change}
    assert ask("POST", "/keys", session, whole).status == 400
    assert ask("GET", "/keys", session).answer == {"keys": []}


def test_console_wants_an_allowlist_to_be_said(ask: Caller) -> None:
    """A key that any address may use is asked for by `null`, not by leaving it out."""
    asked = {"label": "k", "permissions": ["read"]}
    assert ask("POST", "/keys", ask.session(), asked).code == "invalid_request"


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b"[" * 60_000])
def test_console_refuses_what_is_no_json_object(ask: Caller, body: bytes) -> None:
    """Whatever arrives, the answer is 400 and no crash."""
    assert ask("POST", "/users", body=[body]).code == "invalid_request"


def test_console_refuses_a_large_body(ask: Caller) -> None:
    """A JSON body is read up to 64 KiB."""
    assert ask("POST", "/users", body=[b" " * 40_000] * 2).status == 413


def test_console_is_one_users_own(ask: Caller) -> None:
    """Another user's session, a key, or nothing opens nobody's keys."""
    ann, bob = ask.session("ann"), ask.session("bob")
    key = ask.key(ann)
    for secret in (None, "wrong", key["api_key"]):
        assert ask("GET", "/keys", secret).code == "invalid_session"
        assert ask("POST", "/keys", secret, {}).code == "invalid_session"
    assert ask("DELETE", f"/keys/{key['id']}", bob).status == 404
    assert ask("PUT", f"/keys/{key['id']}/allowlist", bob, {"allow": None}).status == 404
    assert ask("GET", "/keys", bob).answer == {"keys": []}
    assert ask("GET", "/v1/balance", key["api_key"]).status == 200


def test_console_is_open_to_any_address(ask: Caller) -> None:
    """A user signs in from anywhere: the key's allowlist is not the console's."""
    session = ask.session()
    ask.key(session)
    assert ask("GET", "/keys", session, peer="127.0.0.77").status == 200


@pytest.mark.parametrize("path", ["/", "/v2/balance", "/keys/a/b/c", "/users/x"])
def test_unknown_route_is_not_found(ask: Caller, path: str) -> None:
    """What does not exist is 404."""
    assert ask("GET", path, ask.session()).status == 404


def test_every_outcome_is_counted_once(ask: Caller) -> None:
    """Each request counts under what came of it."""
    key = ask.key(ask.session())["api_key"]
    ask("GET", "/v1/balance", key)
    ask("GET", "/v1/balance", key, peer="127.0.0.3")
    ask("GET", "/v1/balance", "wrong")
    ask("POST", "/v1/orders", key, VALUES["/v1/orders"])
    ask("GET", "/v1/nothing", key)
    assert _counts(ask) == {
        "console": 2,
        "served": 1,
        "refused_address": 1,
        "refused_key": 1,
        "refused_permission": 1,
        "refused_request": 1,
    }


def test_two_keys_in_one_request_are_none(ask: Caller) -> None:
    """A request with two credentials has two meanings, and so none."""
    key = ask.key(ask.session())["api_key"]
    two = {"AUTHORIZATION": f"Bearer {key}"}
    assert ask("GET", "/v1/balance", key, headers=two).code == "invalid_key"
