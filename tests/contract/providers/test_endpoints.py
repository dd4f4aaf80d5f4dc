"""What the presets deny, against the endpoints that a client library knows of the same APIs."""

import re
from collections.abc import Iterator
from typing import Any

import ccxt
import pytest

from bailee.model import ALLOW, Rule
from bailee.policy.rules import ProviderRules, authorize, compile_rules
from bailee.providers.catalogue import load_preset

# The library's name and, for each of its groups of endpoints, where they stand.
APIS: dict[str, tuple[str, dict[str, str]]] = {
    "binance": ("binance", {
        "sapi": "/sapi/v1/", "sapiV2": "/sapi/v2/", "sapiV3": "/sapi/v3/", "sapiV4": "/sapi/v4/",
        "public": "/api/v3/", "private": "/api/v3/", "fapiPrivate": "/fapi/v1/",
        "fapiPrivateV2": "/fapi/v2/", "dapiPrivate": "/dapi/v1/",
    }),
    "bybit": ("bybit", {"public": "/", "private": "/"}),
    "coinbase-exchange": ("coinbaseexchange", {"public": "/", "private": "/"}),
    "kraken": ("kraken", {"public": "/0/public/", "private": "/0/private/"}),
    "okx": ("okx", {"public": "/api/v5/", "private": "/api/v5/"}),
}  # fmt: skip
DANGEROUS = re.compile(
    "withdraw|transfer|api-?key|sub-?(account|member)|broker|gift|managed|profile|deposits/",
    re.IGNORECASE,
)
HARMLESS = {
    "POST /0/private/GetApiKeyInfo",
    "POST /0/private/WithdrawMethods",
    "POST /0/private/WithdrawAddresses",
    "POST /0/private/WithdrawInfo",
    "POST /0/private/WithdrawStatus",
    "POST /api/v5/tradingBot/grid/withdraw-income",
}
"""What bears such a name and only reads, or moves money within a bot of the same account."""
EVERYTHING = compile_rules([Rule("*", "/**")])


def endpoints(tree: dict[str, Any], group: str = "") -> Iterator[tuple[str, str, str]]:
    """Yield group, method and path of each endpoint."""
    for name, below in tree.items():
        if name in ("get", "post", "put", "delete", "patch"):
            yield from ((group, name.upper(), path) for path in below)
        elif isinstance(below, dict):
            yield from endpoints(below, group or name)


@pytest.mark.parametrize("id", APIS)
def test_dangerous_endpoints_are_denied_and_reads_are_not(id: str) -> None:
    """Of all endpoints that the library knows, no write with a dangerous name is let through, and
    no GET is denied."""
    name, places = APIS[id]
    preset = load_preset(id)
    rules = ProviderRules.of(preset.deny, preset.multiplexed)
    seen, wrong = 0, []
    for group, method, path in endpoints(getattr(ccxt, name)().api):
        if group not in places:
            continue
        seen += 1
        path = places[group] + re.sub(r"\{\w+\}", "x1", path)
        request = f"{method} {path}"
        allowed = authorize(EVERYTHING, rules, method, path) == ALLOW
        if method == "GET":
            wrong += [] if allowed else [request]
        elif DANGEROUS.search(path) and request not in HARMLESS:
            wrong += [request] if allowed else []
    assert seen > 50
    assert wrong == []
