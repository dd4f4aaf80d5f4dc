"""A signed request is taken as it was signed, once in its time, and not otherwise."""

import hashlib
import json
from typing import Any

import pytest

from bailee.reference.signed import MAX_SIGNED_BYTES, string_to_sign
from reference_caller import Caller, Exchange
from reference_signing import sign

ORDER = {"symbol": "BTC-EUR", "side": "buy", "amount": "0.25"}
ORDER_BODY = json.dumps(ORDER).encode()


def make_key(ask: Caller, **asked: object) -> dict[str, str]:
    return ask.key(ask.session(), kind="hmac", permissions=["read", "trade"], **asked)


def send(
    ask: Caller, key: dict[str, str], method: str, target: str, body: bytes = b"", **signing: Any
) -> Exchange:
    return ask(method, target, body=[body], headers=sign(key, method, target, body, **signing))


def test_string_to_sign_is_as_documented() -> None:
    """One line each; the nonce's is there only where there is a nonce."""
    nothing = hashlib.sha256(b"").hexdigest()
    plain = string_to_sign("1700000000000", None, "GET", "/v1/a%20b", "x=1&y", b"")
    assert plain == f"1700000000000\nGET\n/v1/a%20b\nx=1&y\n{nothing}".encode()
    some = hashlib.sha256(b"some").hexdigest()
    nonced = string_to_sign("1", "7", "POST", "/", "", b"some")
    assert nonced == f"1\n7\nPOST\n/\n\n{some}".encode()


def test_signed_request_is_served(ask: Caller) -> None:
    """With a query, with a body, and on a route that reads its body in pieces."""
    key = make_key(ask)
    assert key["kind"] == "hmac"
    assert send(ask, key, "GET", "/v1/balance").answer["balances"]["EUR"] == "1000.00"
    assert send(ask, key, "GET", "/v1/echo?b=2&a=%20").answer["query"] == "b=2&a=%20"
    assert send(ask, key, "POST", "/v1/orders", ORDER_BODY).answer["amount"] == "0.25"
    sunk = send(ask, key, "POST", "/v1/sink", b"abc").answer
    assert sunk == {"length": 3, "sha256": hashlib.sha256(b"abc").hexdigest()}


@pytest.mark.parametrize(
    "sent",
    [
        ("GET", "/v1/orders", ORDER_BODY),
        ("POST", "/v1/echo", ORDER_BODY),
        ("POST", "/v1/orders?a=1", ORDER_BODY),
        ("POST", "/v1/orders", ORDER_BODY + b" "),
        ("POST", "/v1/orders", b""),
    ],
    ids=["method", "path", "query", "body", "no body"],
)
def test_what_was_not_signed_is_refused(ask: Caller, sent: tuple[str, str, bytes]) -> None:
    """Method, path, query and body are as they were signed, or nothing is done."""
    key = make_key(ask)
    method, target, body = sent
    headers = sign(key, "POST", "/v1/orders", ORDER_BODY)
    refused = ask(method, target, body=[body], headers=headers)
    assert (refused.status, refused.code) == (401, "invalid_signature")
    assert send(ask, key, "GET", "/v1/orders").answer["orders"] == []


def test_other_secrets_signature_is_refused(ask: Caller) -> None:
    """The secret is the one of the key that is named."""
    one, other = make_key(ask), make_key(ask)
    mixed = {**one, "api_secret": other["api_secret"]}
    assert send(ask, mixed, "GET", "/v1/balance").code == "invalid_signature"
    assert send(ask, {**one, "api_key": "key_0"}, "GET", "/v1/balance").code == "invalid_key"


@pytest.mark.parametrize("off", [-29, 29])
def test_clock_that_is_a_little_off_is_taken(ask: Caller, off: float) -> None:
    """Within 30 seconds on either side."""
    assert send(ask, make_key(ask), "GET", "/v1/balance", seconds_off=off).status == 200


@pytest.mark.parametrize("off", [-31, 31])
def test_clock_that_is_off_is_refused(ask: Caller, off: float) -> None:
    """An older request, or one of tomorrow, is refused and says why."""
    refused = send(ask, make_key(ask), "GET", "/v1/balance", seconds_off=off)
    assert (refused.status, refused.code) == (401, "invalid_timestamp")


@pytest.mark.parametrize("stamp", ["", "x", "-1", "1" * 21, "1700000000000 ", "١"])
def test_timestamp_that_is_none_is_refused(ask: Caller, stamp: str) -> None:
    """What is not digits is no time."""
    headers = sign(make_key(ask), "GET", "/v1/balance") | {"Reference-Timestamp": stamp}
    assert ask("GET", "/v1/balance", headers=headers).code == "invalid_timestamp"


def test_nonce_rises(ask: Caller) -> None:
    """A key that was made with a nonce takes each one once, and none below the last."""
    key = make_key(ask, nonce=True)
    codes = [
        200
        if (sent := send(ask, key, "GET", "/v1/balance", nonce=each)).status == 200
        else sent.code
        for each in (5, 5, 4, 6, 10**19, 10**19)
    ]
    assert codes == [200, "invalid_nonce", "invalid_nonce", 200, 200, "invalid_nonce"]
    assert send(ask, key, "GET", "/v1/balance").code == "invalid_nonce"


def test_nonce_of_a_forged_request_is_not_taken(ask: Caller) -> None:
    """Who can't sign does not use up a key's nonces."""
    key = make_key(ask, nonce=True)
    forged = {**key, "api_secret": "guess"}
    assert send(ask, forged, "GET", "/v1/balance", nonce=9).code == "invalid_signature"
    assert send(ask, key, "GET", "/v1/balance", nonce=9).status == 200


def test_nonce_is_part_of_what_is_signed(ask: Caller) -> None:
    """Nobody moves a request's nonce, nor adds one to a key's request that wants none."""
    key = make_key(ask, nonce=True)
    headers = sign(key, "GET", "/v1/balance", nonce=5) | {"Reference-Nonce": "6"}
    assert ask("GET", "/v1/balance", headers=headers).code == "invalid_signature"
    plain = make_key(ask)
    headers = sign(plain, "GET", "/v1/balance") | {"Reference-Nonce": "6"}
    assert ask("GET", "/v1/balance", headers=headers).code == "invalid_signature"


def test_large_body_is_refused(ask: Caller) -> None:
    """A signed body is read up to 1 MiB, and no further."""
    key = make_key(ask)
    fits, over = bytes(MAX_SIGNED_BYTES), bytes(MAX_SIGNED_BYTES + 1)
    assert send(ask, key, "POST", "/v1/sink", fits).status == 200
    assert send(ask, key, "POST", "/v1/sink", over).status == 413


def test_signed_body_that_is_cut_gets_no_answer(ask: Caller) -> None:
    """A client that went away is not answered."""
    key = make_key(ask)
    headers = sign(key, "POST", "/v1/sink", b"half")
    assert ask("POST", "/v1/sink", body=[b"half"], cut=True, headers=headers).sent == []


def test_key_of_the_other_kind_is_refused(ask: Caller) -> None:
    """An HMAC key's id or secret is no bearer key, and a bearer key names none to sign with."""
    signing, bearer = make_key(ask), ask.key(ask.session())
    for secret in (signing["api_key"], signing["api_secret"]):
        assert ask("GET", "/v1/balance", secret).code == "invalid_key"
    as_hmac = {"api_key": bearer["api_key"], "api_secret": bearer["api_key"]}
    assert send(ask, as_hmac, "GET", "/v1/balance").code == "invalid_key"


def test_both_kinds_in_one_request_are_none(ask: Caller) -> None:
    """A request with two credentials has two meanings, and so none."""
    signing, bearer = make_key(ask), ask.key(ask.session())["api_key"]
    headers = sign(signing, "GET", "/v1/balance")
    assert ask("GET", "/v1/balance", bearer, headers=headers).code == "invalid_key"
    twice = headers | {"REFERENCE-KEY": signing["api_key"]}
    assert ask("GET", "/v1/balance", headers=twice).code == "invalid_key"


def test_address_is_judged_before_the_signature(ask: Caller) -> None:
    """A foreign address learns nothing of whether it could sign."""
    key = make_key(ask)
    for each in (key, {**key, "api_secret": "guess"}):
        headers = sign(each, "GET", "/v1/balance")
        refused = ask("GET", "/v1/balance", headers=headers, peer="127.0.0.3")
        assert (refused.status, refused.code) == (403, "address_not_allowed")


def test_deleted_key_signs_no_more(ask: Caller) -> None:
    """Its id is unknown, and its secret gone."""
    session = ask.session()
    key = ask.key(session, kind="hmac")
    assert send(ask, key, "GET", "/v1/balance").status == 200
    ask("DELETE", f"/keys/{key['id']}", session)
    assert send(ask, key, "GET", "/v1/balance").code == "invalid_key"
    assert key["api_secret"] not in repr(vars(ask.api._accounts))


def test_secret_is_shown_once(ask: Caller) -> None:
    """A list of keys has no secret, and nothing prints one."""
    session = ask.session()
    key = ask.key(session, kind="hmac", nonce=True)
    assert key["api_secret"] not in json.dumps(ask("GET", "/keys", session).answer)
    assert key["api_secret"] not in repr(vars(ask.api._accounts))


@pytest.mark.parametrize(
    "asked",
    [{"kind": "jwt"}, {"kind": None}, {"kind": []}, {"nonce": True}, {"kind": "hmac", "nonce": 1}],
    ids=str,
)
def test_console_refuses_kinds_that_it_does_not_have(ask: Caller, asked: dict[str, object]) -> None:
    """A kind is bearer or hmac, and a nonce is for the second."""
    session = ask.session()
    whole = {"label": "k", "allow": None, "permissions": ["read"], **asked}
    assert ask("POST", "/keys", session, whole).code == "invalid_request"
    assert ask("GET", "/keys", session).answer == {"keys": []}
