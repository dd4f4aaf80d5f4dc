"""`providers.report`: what a provider says of a credential, and nothing else of its answer."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bailee.model import Condition, ProviderRequest, Report, SelfReport
from bailee.providers.load import parse_provider
from bailee.providers.report import ADDRESSES_MAX, read_report
from providers_samples import MINIMAL, read_ca

CANARY = "canary-3f9a1c77aa"
LISTED = SelfReport(
    ProviderRequest("GET", "/key"),
    Condition((200,), present=("key",)),
    addresses="ips",
    unrestricted_values=("*", "ANY"),
    powers=(
        ("withdraw", "can", "withdraw"), ("withdraw", "admin", "true"), ("trade", "can", "trade"),
        ("read", "level", "1"), ("read", "level", "2"),
    ),
)  # fmt: skip
FLAGGED = replace(LISTED, addresses="", restricted="bound")
BOTH = replace(LISTED, restricted="bound")


def read(report: SelfReport, status: int = 200, **members: Any) -> Report:
    provider = replace(parse_provider(MINIMAL, read_ca), report=report)
    return read_report(provider, json.dumps({"key": CANARY, **members}).encode(), status)


ADDRESSES: dict[str, tuple[Any, bool | None, tuple[str, ...]]] = {
    "one address": (["203.0.113.7"], True, ("203.0.113.7",)),
    "several": (["203.0.113.7", "203.0.113.8"], True, ("203.0.113.7", "203.0.113.8")),
    "the same twice": (["203.0.113.7", "203.0.113.7"], True, ("203.0.113.7",)),
    "IPv6 in another spelling": (["2001:DB8:0::7"], True, ("2001:db8::7",)),
    "IPv4 written as IPv6": (["::ffff:203.0.113.7"], True, ("203.0.113.7",)),
    "a network": (["203.0.113.0/24"], True, ("203.0.113.0/24",)),
    "a network of one address": (["203.0.113.7/32"], True, ("203.0.113.7",)),
    "a text with commas": ("203.0.113.7,203.0.113.8", True, ("203.0.113.7", "203.0.113.8")),
    "a text with spaces": (" 203.0.113.7  203.0.113.8 ", True, ("203.0.113.7", "203.0.113.8")),
    "everything": (["*"], False, ()),
    "everything in a text": ("ANY", False, ()),
    "everything beside an address": (["203.0.113.7", "*"], False, ()),
    "every IPv4 address": (["0.0.0.0/0"], False, ()),
    "every IPv6 address": (["203.0.113.7", "::/0"], False, ()),
    "an empty list": ([], None, ()),
    "an empty text": ("", None, ()),
    "null": (None, None, ()),
    "a number": (7, None, ()),
    "numbers": ([1, 2], None, ()),
    "a name": (["example.com"], None, ()),
    "a name beside an address": (["203.0.113.7", "example.com"], None, ()),
    "an address with a port": (["203.0.113.7:443"], None, ()),
    "a range": (["203.0.113.1-203.0.113.9"], None, ()),
    "a network with host bits": (["203.0.113.7/24"], None, ()),
    "a wildcard": (["203.0.113.*"], None, ()),
    "the credential": ([CANARY], None, ()),
    "too many": ([f"10.0.{i // 256}.{i % 256}" for i in range(ADDRESSES_MAX + 1)], None, ()),
}


@pytest.mark.parametrize("case", ADDRESSES.values(), ids=ADDRESSES.keys())
def test_addresses_are_read_whole_or_not_at_all(
    case: tuple[Any, bool | None, tuple[str, ...]],
) -> None:
    """One entry that nobody understands could be anywhere: then nothing is told."""
    ips, restricted, addresses = case
    assert read(LISTED, ips=ips) == Report(addresses, restricted)


def test_addresses_that_are_missing_are_not_told() -> None:
    """A report without the member says neither open nor restricted."""
    assert read(LISTED) == Report()


def test_empty_list_is_everything_where_the_file_says_so() -> None:
    """`unrestricted_values = [""]` stands for an empty list and an empty text."""
    report = replace(LISTED, unrestricted_values=("",))
    assert read(report, ips=[]).restricted is False
    assert read(report, ips="").restricted is False
    assert read(report, ips=["203.0.113.7"]).restricted is True
    assert read(report, ips=None).restricted is None


FLAGS: dict[str, tuple[Any, bool | None]] = {
    "true": (True, True), "false": (False, False), "a text": ("true", None), "one": (1, None),
    "null": (None, None),
}  # fmt: skip


@pytest.mark.parametrize(("told", "restricted"), FLAGS.values(), ids=FLAGS.keys())
def test_boolean_alone_names_no_address(told: Any, restricted: bool | None) -> None:
    """A provider that tells whether, and not which."""
    assert read(FLAGGED, bound=told, ips=["203.0.113.7"]) == Report((), restricted)


TOGETHER: dict[str, tuple[Any, Any, bool | None]] = {
    "both restricted": (["203.0.113.7"], True, True),
    "a list that is not in force": (["203.0.113.7"], False, False),
    "an open list": (["*"], True, False),
    "both open": (["*"], False, False),
    "an unknown list": (["x"], True, None),
    "an unknown boolean": (["203.0.113.7"], None, None),
    "an unknown list that is not in force": (["x"], False, False),
}


@pytest.mark.parametrize(("ips", "bound", "restricted"), TOGETHER.values(), ids=TOGETHER.keys())
def test_list_and_boolean_must_agree(ips: Any, bound: Any, restricted: bool | None) -> None:
    """One that says open is enough; restricted takes both."""
    report = read(BOTH, ips=ips, bound=bound)
    assert report.restricted is restricted
    assert report.addresses == (("203.0.113.7",) if restricted else ())


POWERS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "none": ({}, ()),
    "one of a list": ({"can": ["trade"]}, ("trade",)),
    "a word of a text": ({"can": "read_only,trade withdraw"}, ("trade", "withdraw")),
    "a whole text": ({"can": "trade"}, ("trade",)),
    "no part of a word": ({"can": "trader,nowithdraw"}, ()),
    "no part of an entry": ({"can": ["trade history"]}, ()),
    "a boolean": ({"admin": True}, ("withdraw",)),
    "not the other boolean": ({"admin": False}, ()),
    "a number": ({"level": 2}, ("read",)),
    "in one order": ({"can": ["withdraw", "trade"], "level": 1}, ("read", "trade", "withdraw")),
    "an object": ({"can": {"trade": True}}, ()),
}


@pytest.mark.parametrize(("members", "powers"), POWERS.values(), ids=POWERS.keys())
def test_powers(members: dict[str, Any], powers: tuple[str, ...]) -> None:
    """A power is there when a value stands at its path, whole or as one entry."""
    assert read(LISTED, **members).powers == powers


def test_answer_that_is_no_report_tells_nothing() -> None:
    """Another status, or no success in the body: nothing of it is believed."""
    good = {"ips": ["203.0.113.7"], "can": ["trade"]}
    assert read(LISTED, **good) == Report(("203.0.113.7",), True, ("trade",))
    assert read(LISTED, 401, **good) == Report()
    assert read(replace(LISTED, success=Condition(present=("absent",))), **good) == Report()


def test_provider_without_a_report_tells_nothing() -> None:
    """There is nothing to read."""
    assert read_report(parse_provider(MINIMAL, read_ca), b'{"ips": ["203.0.113.7"]}') == Report()


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 5000, b"null"])
def test_other_bodies_tell_nothing(body: bytes) -> None:
    """What is no JSON object is no report."""
    provider = replace(parse_provider(MINIMAL, read_ca), report=LISTED)
    assert read_report(provider, body) == Report()


PLACES = st.sampled_from(["ips", "bound", "can", "admin", "level", "secret", "other"])
THINGS = st.sampled_from(
    [CANARY, [CANARY], {"x": CANARY}, f"trade,{CANARY}", ["203.0.113.7", CANARY], True, "trade"]
)


@given(st.dictionaries(PLACES, THINGS), st.sampled_from([LISTED, FLAGGED, BOTH]))
def test_no_secret_leaves(members: dict[str, Any], report: SelfReport) -> None:
    """Whatever stands where, only addresses, booleans and names of powers come out."""
    told = read(report, **members)
    assert CANARY not in repr(told)
    assert set(told.powers) <= {"read", "trade", "withdraw"}
