"""A host name under the calls domain names one door, or none; every other leaves it to the path."""

import pytest

from bailee.http.calls_domain import NO_DOOR, CallsDomain, door_label

DOMAIN = CallsDomain("calls.example")
CON = "abcdefghijklmnopqrstuvwx27"
DOOR = CON.encode()

DOORS: dict[str, tuple[str, bytes]] = {
    "a connection": (f"{CON}.calls.example", DOOR),
    "with a port": (f"{CON}.calls.example:8700", DOOR),
    "in capitals": (f"{CON.upper()}.Calls.EXAMPLE:80", DOOR),
    "with the final dot": (f"{CON}.calls.example.", DOOR),
    "with the final dot and a port": (f"{CON}.calls.example.:8700", DOOR),
    "an origin": (f"{CON}--ws.calls.example", DOOR + b".ws"),
    "an origin with a hyphen": (f"{CON}--usd-m.calls.example", DOOR + b".usd-m"),
    "an origin in capitals": (f"{CON}--WS.calls.example", DOOR + b".ws"),
    "an origin of 20 characters": (f"{CON}--{'a' * 20}.calls.example", DOOR + b"." + b"a" * 20),
}
NO_DOORS = {
    "no label": ".calls.example",
    "another label before it": f"www.{CON}.calls.example",
    "the origin in a label of its own": f"ws.{CON}.calls.example",
    "an empty label before it": f".{CON}.calls.example",
    "an empty label behind it": f"{CON}..calls.example",
    "two final dots": f"{CON}.calls.example..",
    "two final dots and a port": f"{CON}.calls.example..:80",
    "no id": "www.calls.example",
    "an id that is too short": f"{CON[1:]}.calls.example",
    "an id that is too long": f"a{CON}.calls.example",
    "a character that no id has": f"{CON[1:]}1.calls.example",
    "an underscore": f"{CON[1:]}_.calls.example",
    "an empty origin": f"{CON}--.calls.example",
    "one hyphen": f"{CON}-ws.calls.example",
    "an origin with an underscore": f"{CON}--w_s.calls.example",
    "an origin without a connection": "--ws.calls.example",
    "the path's dot": f"{CON}.ws.calls.example",
    "the domain twice": f"{CON}.calls.example.calls.example",
}
ELSEWHERE = {
    "an address": "127.0.0.1:8700",
    "an IPv6 address": "[::1]:8700",
    "the domain itself": "calls.example",
    "the domain itself, with the final dot": "calls.example.:80",
    "another domain": f"{CON}.calls.test",
    "a domain that ends the same": f"{CON}.mycalls.example",
    "a longer domain": f"{CON}.calls.example.net",
    "the domain above": f"{CON}.example",
    "the domain as another's label": f"{CON}.calls-example",
    "the domain with another character for its dot": f"{CON}.callsxexample",
    "a bare id": CON,
}


@pytest.mark.parametrize("case", DOORS)
def test_name_under_the_domain_names_a_door(case: str) -> None:
    """The door is that of the path form, whatever case, port and final dot the client sent."""
    host, door = DOORS[case]
    assert DOMAIN.door_of(host.encode()) == door


@pytest.mark.parametrize("case", NO_DOORS)
def test_malformed_name_under_the_domain_names_no_door(case: str) -> None:
    """It does not leave it to the path: under the domain the path is the provider's."""
    assert DOMAIN.door_of(NO_DOORS[case].encode()) == NO_DOOR


@pytest.mark.parametrize("case", ELSEWHERE)
def test_other_name_leaves_it_to_the_path(case: str) -> None:
    """Also one that only looks like the domain, and the domain itself."""
    assert DOMAIN.door_of(ELSEWHERE[case].encode()) is None


@pytest.mark.parametrize("origin", [None, "ws", "a-b-c", "a" * 20])
def test_label_is_read_as_it_was_written(origin: str | None) -> None:
    """And it fits DNS with the longest name that an origin can have."""
    label = door_label(CON, origin)
    door = CON if origin is None else f"{CON}.{origin}"
    assert DOMAIN.door_of(f"{label}.calls.example".encode()) == door.encode()
    assert len(label) <= 63
