"""`providers.meaning_check`: a probe never writes, and holds what a file holds out of the store."""

import json
from typing import Any

import pytest

from bailee.errors import BadInput
from bailee.model import Provider
from bailee.providers.load import decode_provider, encode_provider, parse_provider
from providers_samples import MINIMAL, read_ca

FILE = (
    MINIMAL
    + """
[allowlisting]
scope = "key"
[probe]
request = "GET /v1/me"
success = { present = "id" }
public = "GET /v1/time"
public_success = { present = "time" }
[report]
request = { call = "POST /v1/key", reads = true }
success = { present = "key" }
addresses = "ips"
[[refusal]]
means = "address"
equals = { code = 7 }
"""
)


def with_rules(*lines: str) -> Provider:
    return parse_provider(FILE + "".join(f"[[{each}\n" for each in lines), read_ca)


@pytest.mark.parametrize(
    "rule",
    ["GET /v1/me", "* /v1/*", "GET /V1/ME/", "GET /**", "POST /v1/key", "* /v1/key/**"],
)
@pytest.mark.parametrize("table", ["deny", "multiplexed"])
def test_denied_request_is_no_probe(table: str, rule: str) -> None:
    """What callers may not do is not done behind their backs either."""
    with pytest.raises(BadInput, match="deny or multiplexed of this file refuses"):
        with_rules(f'{table}]]\nrule = "{rule}"')


@pytest.mark.parametrize(
    "rule", ["POST /v1/me", "GET /v1/key", "POST /v1/withdraw", "GET /v1/me/*", "GET /v1/m"]
)
def test_rules_for_other_requests_do_not_touch_the_probe(rule: str) -> None:
    """A rule counts for its method and its path."""
    assert with_rules(f'deny]]\nrule = "{rule}"').probe is not None


def test_public_request_is_checked_too() -> None:
    """It has no credential, and reads all the same."""
    with pytest.raises(BadInput, match="probe.public is what deny"):
        with_rules('deny]]\nrule = "GET /v1/time"')


ALTERED: dict[str, tuple[tuple[str | int, ...], Any]] = {
    "a method that writes": (("probe", "request", "method"), "PUT"),
    "a path of two meanings": (("probe", "request", "path"), "/v1//me"),
    "a denied path": (("report", "request", "path"), "/v1/withdraw"),
    "an origin that is not there": (("probe", "public", "origin"), "ws"),
    "a line break in the query": (("probe", "request", "query"), "a\r\nb"),
    "a line break in a type": (("report", "request", "content_type"), "a/b\r\nX: y"),
    "success without a field": (("probe", "success", "present"), []),
    "an unknown decoy": (("probe", "decoy"), "always"),
    "a meaning that no refusal has": (("refusals", 0, "means"), "served"),
    "an address without a word": (("refusals", 0, "when", "equals"), []),
    "an unknown scope": (("allowlisting", "scope"), "user"),
    "no family": (("allowlisting", "family"), []),
    "an unknown power": (("report", "powers"), [["fly", "a", "b"]]),
    "an odd path": (("report", "addresses"), "a b"),
    "a member that is not known": (("probe", "request", "more"), 1),
    "a number as a value": (("refusals", 0, "when", "equals"), [["code", 7]]),
}


@pytest.mark.parametrize("case", ALTERED.values(), ids=ALTERED.keys())
def test_altered_bytes_are_refused(case: tuple[tuple[str | int, ...], Any]) -> None:
    """What no file could have held is refused, also when it comes out of the database."""
    path, value = case
    provider = with_rules('deny]]\nrule = "POST /v1/withdraw"')
    raw: Any = json.loads(encode_provider(provider))
    assert decode_provider(json.dumps(raw).encode()) == provider
    at = raw
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    with pytest.raises(BadInput):
        decode_provider(json.dumps(raw).encode())


def test_older_bytes_are_read() -> None:
    """A document from before there were these tables is a provider without them."""
    raw: Any = json.loads(encode_provider(parse_provider(MINIMAL, read_ca)))
    for name in ("allowlisting", "probe", "report", "refusals"):
        del raw[name]
    assert decode_provider(json.dumps(raw).encode()) == parse_provider(MINIMAL, read_ca)
