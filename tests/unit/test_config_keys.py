"""Rules of single keys."""

import pytest

from bailee.config_keys import calls_domain

DOMAINS = ["", "calls.example", "localhost", "a-1.b2.example", "xn--bcher-kva.example", "9.example"]
NO_DOMAINS = {
    "capitals": "Calls.example",
    "a port": "calls.example:8700",
    "a final dot": "calls.example.",
    "a first dot": ".calls.example",
    "a wildcard": "*.calls.example",
    "a URL": "https://calls.example",
    "a path": "calls.example/v1",
    "an empty label": "calls..example",
    "a hyphen at the end of a label": "calls-.example",
    "a hyphen at its beginning": "-calls.example",
    "an underscore": "my_calls.example",
    "letters outside ASCII": "bücher.example",
    "digits outside ASCII": "calls٣.example",
    "an address": "127.0.0.1",
    "an IPv6 address": "::1",
    "a space": "calls.example ",
    "a long label": f"{'a' * 64}.example",
    "no room for a label before it": ".".join(["a" * 50] * 4),
    "no string": 7,
}


@pytest.mark.parametrize("given", DOMAINS)
def test_calls_domain_is_a_dns_name(given: str) -> None:
    """One label will do, as in `localhost`; empty means none."""
    assert calls_domain(given) == given


@pytest.mark.parametrize("case", NO_DOMAINS)
def test_calls_domain_when_it_is_none(case: str) -> None:
    """What no host name can end with is refused."""
    with pytest.raises(ValueError, match="must be a"):
        calls_domain(NO_DOMAINS[case])
