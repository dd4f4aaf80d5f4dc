"""The parts of `bailee quickstart` that decide something without asking anybody."""

import json

import pytest

from bailee.cli.quickstart_call import Called, excerpt, wait_seconds
from bailee.cli.quickstart_caller import covers, rules_for
from bailee.cli.quickstart_pins import needed_origins
from bailee.cli.quickstart_run import parse_call
from bailee.errors import BadInput
from bailee.model import Meaning, ProviderRequest, Rule
from bailee.providers.catalogue import list_presets, load_preset
from bailee.secret import Secret

READ = Rule("GET", "/**")
ASKED = ProviderRequest("GET", "/v1/key")
KEY = "k-3f9a1c-canary"


@pytest.mark.parametrize("preset", list_presets())
def test_default_rules_allow_the_probe(preset: str) -> None:
    """A caller may read, and make the probe of the preset, even where that is a POST."""
    provider = load_preset(preset)
    assert provider.probe is not None
    rules = rules_for((), provider)
    assert covers(rules, provider.probe.request)
    assert rules[0] == READ
    others = [rule for rule in rules if rule != READ]
    assert all(rule.pattern == provider.probe.request.path for rule in others)


def test_wished_rules_are_all_there_is() -> None:
    """Who names rules gets no others."""
    wished = (Rule("GET", "/0/public/*"),)
    assert rules_for(wished, load_preset("kraken")) == wished
    assert not covers(wished, ProviderRequest("POST", "/0/private/GetApiKeyInfo"))


@pytest.mark.parametrize("preset", list_presets())
def test_origins_of_the_probes_are_needed(preset: str) -> None:
    """The default origin comes first, and each that a probe names is there."""
    provider = load_preset(preset)
    needed = needed_origins(provider)
    assert needed[0] == provider.origins[0].name
    assert provider.probe is not None
    named = {provider.probe.request.origin, provider.probe.public.origin} - {None}
    assert named <= set(needed)


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("GET /v1/balance", ProviderRequest("GET", "/v1/balance")),
        ("post /v1/x?a=1&b=%20", ProviderRequest("POST", "/v1/x", "a=1&b=%20")),
    ],
)
def test_call_is_read(text: str, asked: ProviderRequest) -> None:
    """A method and a path, perhaps with a query."""
    assert parse_call(text) == asked


@pytest.mark.parametrize(
    "text",
    ["", "/v1", "GET", "GET v1", "EAT /v1", "GET /v1/../x", "GET /a//b", "GET /ä", "GET /%2F"],
)
def test_call_is_refused(text: str) -> None:
    """What no gateway would relay is no call."""
    with pytest.raises(BadInput):
        parse_call(text)


@pytest.mark.parametrize(
    ("status", "verdict", "error", "good", "about_key"),
    [
        (200, Meaning.SERVED, None, True, False),
        (403, Meaning.PERMISSION, None, True, False),
        (200, Meaning.CREDENTIAL, None, False, True),
        (403, Meaning.ADDRESS, None, False, True),
        (401, Meaning.CREDENTIAL_OR_ADDRESS, None, False, True),
        (429, Meaning.LIMITED, None, False, False),
        (404, Meaning.UNCLEAR, None, False, False),
        (200, None, None, True, False),
        (401, None, None, False, True),
        (404, None, None, False, False),
        (401, None, "unauthenticated", False, False),
        (403, None, "lock-required", False, False),
    ],
)
def test_what_an_answer_says(
    status: int, verdict: Meaning | None, error: str | None, good: bool, about_key: bool
) -> None:
    """The verdict counts, not the status; the status where there is none; our own errors never."""
    called = Called(ASKED, status, verdict, error)
    assert (called.good, called.about_key) == (good, about_key)


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b'{"code": "invalid"}', '{"code": "invalid"}'),
        (b"x" * 400, "x" * 300 + "..."),
        (f'{{"key": "{KEY}"}}'.encode(), None),
        (b"." * 400 + KEY.encode(), None),
        (b'{"secret": "a\\"b"}', None),
    ],
)
def test_answer_that_repeats_the_key_is_not_shown(body: bytes, shown: str | None) -> None:
    """Neither as it was typed nor as JSON spells it, wherever in the answer it stands."""
    typed = Secret(json.dumps({"api_key": KEY, "secret": 'a"b'}).encode())
    assert excerpt(body, typed) == shown


def test_answer_is_not_shown_when_the_key_is_not_known() -> None:
    """A key of an earlier run could stand in it."""
    assert excerpt(b"{}", None) is None


@pytest.mark.parametrize(
    ("connection", "changed_at", "seconds"),
    [
        ("sealed", 100.0, 0.0),
        ("rotated", 100.0, 0.75),
        ("reused", 99.5, 0.25),
        ("reused", 90.0, 0.0),
        ("reused", 0.0, 0.0),
    ],
)
def test_changes_get_a_second(connection: str, changed_at: float, seconds: float) -> None:
    """A gateway may go by what it knew for a second; what is new it did not know."""
    assert wait_seconds(connection, changed_at, 100.25) == seconds
