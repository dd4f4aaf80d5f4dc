"""What each quirk changes, and what it leaves as it is."""

import json
from collections.abc import Iterable

import pytest

from bailee.errors import BadInput
from bailee.reference.app import ReferenceApi
from bailee.reference.quirks import Quirk, parse_quirks
from reference_caller import Caller, Exchange

LISTED, FOREIGN, KNOWN = "127.0.0.2", "127.0.0.3", "127.0.0.4"


def start(*quirks: Quirk, known: Iterable[str] = ()) -> Caller:
    return Caller(ReferenceApi(quirks=quirks, known=known))


def balance(ask: Caller, secret: str | None, peer: str) -> Exchange:
    return ask("GET", "/v1/balance", secret, peer=peer)


def open_key(ask: Caller) -> str:
    return ask.key(ask.session(), allow=None)["api_key"]


def listed_key(ask: Caller) -> str:
    return ask.key(ask.session(), allow=[LISTED])["api_key"]


def changed(ask: Caller, before: dict[str, int]) -> dict[str, int]:
    after: dict[str, int] = ask("GET", "/counters").answer
    return {name: after[name] - before[name] for name in after if after[name] != before[name]}


@pytest.mark.parametrize("quirk", Quirk)
def test_listed_address_is_served_whatever_the_quirk(quirk: Quirk) -> None:
    """No quirk refuses who is on the key's list, nor changes a wrong key's being refused there."""
    ask = start(quirk)
    served = balance(ask, listed_key(ask), LISTED)
    assert (served.status, served.answer["balances"]["EUR"]) == (200, "1000.00")
    assert balance(ask, "wrong", LISTED).code == "invalid_key"
    assert ask("GET", "/v1/time", peer=LISTED).status == 200


def test_refusals_differ_without_quirks() -> None:
    """A foreign address and a wrong key are told apart."""
    ask = start()
    key = listed_key(ask)
    foreign, wrong = balance(ask, key, FOREIGN), balance(ask, "wrong", FOREIGN)
    assert (foreign.status, foreign.code) == (403, "address_not_allowed")
    assert (wrong.status, wrong.code) == (401, "invalid_key")
    assert ask("GET", "/v1/time", peer=FOREIGN).status == 200


def test_uniform_401_says_the_same_to_both() -> None:
    """Foreign address and wrong key get the same answer, byte for byte; the API knows better."""
    ask = start(Quirk.UNIFORM_401)
    key = listed_key(ask)
    before = ask("GET", "/counters").answer
    assert balance(ask, key, FOREIGN).sent == balance(ask, "wrong", FOREIGN).sent
    assert balance(ask, key, FOREIGN).status == 401
    assert changed(ask, before) == {"refused_address": 2, "refused_key": 1}
    assert balance(ask, open_key(ask), FOREIGN).status == 200


def test_refusal_inside_200_refuses_with_200() -> None:
    """Only the body tells a refusal, whatever it is for; what is served is as ever."""
    ask = start(Quirk.REFUSAL_INSIDE_200)
    key = listed_key(ask)
    order = {"symbol": "BTC-EUR", "side": "buy", "amount": "1"}
    refused = {
        "address_not_allowed": balance(ask, key, FOREIGN),
        "invalid_key": balance(ask, "wrong", LISTED),
        "permission_denied": ask("POST", "/v1/orders", key, order),
        "not_found": ask("GET", "/v1/nothing", key),
    }
    assert {code: (each.status, each.code) for code, each in refused.items()} == {
        code: (200, code) for code in refused
    }
    assert ask("GET", "/keys", "wrong").status == 401
    made = ask.key(ask.session(), permissions=["trade"])["api_key"]
    assert ask("POST", "/v1/orders", made, order).status == 201


def test_firewall_blocks_strangers_everywhere() -> None:
    """Every path of the API is blocked to a stranger, with a key or without; the list is open."""
    ask = start(Quirk.FIREWALL, known=[KNOWN])
    key = open_key(ask)
    before = ask("GET", "/counters").answer
    blocked = [
        ask(method, path, secret, peer=FOREIGN)
        for method, path in (("GET", "/v1/time"), ("GET", "/v1/balance"), ("POST", "/v1/sink"))
        for secret in (None, key, "wrong")
    ]
    assert all(each.sent == blocked[0].sent for each in blocked)
    assert blocked[0].status == 403
    with pytest.raises(json.JSONDecodeError):
        assert blocked[0].answer
    assert changed(ask, before) == {"refused_firewall": 9}
    assert balance(ask, key, KNOWN).status == 200
    assert ask("GET", "/v1/time", peer=KNOWN).status == 200


def test_firewall_knows_who_is_on_a_list() -> None:
    """An address on anybody's list is no stranger: then the key's own list decides."""
    ask = start(Quirk.FIREWALL)
    anyone, listed = open_key(ask), ask.key(ask.session(), allow=["10.0.0.0/8"])["api_key"]
    assert balance(ask, anyone, "10.1.2.3").status == 200
    assert balance(ask, listed, "10.1.2.3").status == 200
    assert balance(ask, anyone, LISTED).status == 403
    other = listed_key(ask)
    assert balance(ask, anyone, LISTED).status == 200
    assert balance(ask, other, "10.1.2.3").code == "address_not_allowed"
    for_all = ask.key(ask.session(), allow=["0.0.0.0/0", "::/0"])["api_key"]
    assert balance(ask, for_all, FOREIGN).status == 403


def test_firewall_leaves_the_console_open() -> None:
    """A user signs in from anywhere: the web site is another door."""
    ask = start(Quirk.FIREWALL)
    session = ask.session()
    assert ask("GET", "/keys", session, peer=FOREIGN).status == 200
    assert ask("GET", "/health", peer=FOREIGN).status == 200


def test_nonce_error_is_what_a_stranger_is_told() -> None:
    """With a key, listed or not, it is the nonce; a wrong key and the public path are as ever."""
    ask = start(Quirk.NONCE_ERROR, known=[KNOWN])
    anyone, listed = open_key(ask), listed_key(ask)
    before = ask("GET", "/counters").answer
    for key in (anyone, listed):
        refused = balance(ask, key, FOREIGN)
        assert (refused.status, refused.code) == (401, "invalid_nonce")
    assert balance(ask, "wrong", FOREIGN).code == "invalid_key"
    assert ask("GET", "/v1/time", peer=FOREIGN).status == 200
    assert changed(ask, before) == {"refused_nonce": 2, "refused_key": 1, "public": 1}
    assert balance(ask, anyone, KNOWN).status == 200
    assert balance(ask, listed, KNOWN).code == "address_not_allowed"


def test_quirks_are_combined() -> None:
    """A uniform refusal inside 200 still differs from nothing but the truth."""
    ask = start(Quirk.UNIFORM_401, Quirk.REFUSAL_INSIDE_200)
    key = listed_key(ask)
    foreign, wrong = balance(ask, key, FOREIGN), balance(ask, "wrong", LISTED)
    assert foreign.sent == wrong.sent
    assert (foreign.status, foreign.code) == (200, "invalid_key")


@pytest.mark.parametrize("peer", [None, "", "/run/socket"])
def test_peer_without_an_address_is_a_stranger(peer: str | None) -> None:
    """Whatever is not an address is known to nobody."""
    ask = start(Quirk.FIREWALL, known=["0.0.0.0/0", "::/0"])
    assert ask("GET", "/v1/time", peer=peer).status == 403


def test_quirks_are_read_by_name() -> None:
    """Names that are there, and no others."""
    assert parse_quirks(["firewall", "uniform-401"]) == {Quirk.FIREWALL, Quirk.UNIFORM_401}
    assert parse_quirks([]) == frozenset()
    with pytest.raises(BadInput) as refused:
        parse_quirks(["fire"])
    assert "nonce-error" in str(refused.value.hint)


def test_api_refuses_to_be_made_when_a_known_address_is_none() -> None:
    """Known addresses are checked before anything is served."""
    with pytest.raises(BadInput):
        start(Quirk.FIREWALL, known=["localhost"])
