"""`providers.trust`: the digest follows what decides where a credential may go, nothing else."""

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import pytest

from bailee.model import (
    Algorithm,
    Budget,
    Filling,
    Placement,
    Provider,
    Rule,
    SigningKey,
    Slot,
    TemplateScheme,
    TokenPlace,
)
from bailee.model import Place as P
from bailee.providers.load import decode_provider, encode_provider, parse_provider
from bailee.providers.trust import trust_digest, trust_record
from providers_samples import CA, FULL, MINIMAL, read_ca
from signing_samples import LINES, PAYLOAD, preset, provider_with

PROVIDER = parse_provider(FULL, read_ca)


def with_origin(**changes: Any) -> Provider:
    first, *rest = PROVIDER.origins
    return replace(PROVIDER, origins=(replace(first, **changes), *rest))


def with_placements(*placements: Placement) -> Provider:
    return replace(PROVIDER, auth=replace(PROVIDER.auth, placements=placements))


FIRST, SECOND = PROVIDER.auth.placements

COUNTS: dict[str, Provider] = {
    "id": replace(PROVIDER, id="other"),  # type: ignore[arg-type]  # a NewType of str
    "an origin's name": with_origin(name="other"),
    "host": with_origin(host="api.acme.test.evil.test"),
    "port": with_origin(port=444),
    "address": with_origin(address="::2"),
    "no address": with_origin(address=None),
    "CA": with_origin(ca_pem=CA + CA),
    "no CA": with_origin(ca_pem=None),
    "danger": with_origin(danger_private_addresses=False),
    "TLS": with_origin(tls_minimum="1.2"),
    "one origin less": replace(PROVIDER, origins=PROVIDER.origins[:1]),
    "another header": with_placements(replace(FIRST, name="X-Key"), SECOND),
    "another template": with_placements(replace(FIRST, value="Bearer {api_key}"), SECOND),
    "another place": with_placements(replace(FIRST, place=P.QUERY), SECOND),
    "one placement less": with_placements(FIRST),
    "fields": replace(PROVIDER, auth=replace(PROVIDER.auth, fields=("api_key",))),
    "hosts of two origins exchanged": replace(
        PROVIDER,
        origins=tuple(
            replace(a, host=b.host)
            for a, b in zip(PROVIDER.origins, PROVIDER.origins[::-1], strict=True)
        ),
    ),
}


@pytest.mark.parametrize("changed", COUNTS.values(), ids=COUNTS.keys())
def test_digest_changes_with_what_is_trusted(changed: Provider) -> None:
    """Every single part of the record changes the digest."""
    assert trust_digest(changed) != trust_digest(PROVIDER)


DOES_NOT_COUNT: dict[str, Provider] = {
    "name": replace(PROVIDER, name="Other"),
    "category": replace(PROVIDER, category="other"),
    "headers": replace(PROVIDER, headers=()),
    "rules": replace(PROVIDER, deny=(), multiplexed=(Rule("*", "/x"),)),
    "where SDKs put the token": replace(PROVIDER, caller_token=TokenPlace(P.QUERY, "k")),
    "budgets": replace(PROVIDER, budgets=(Budget("egress", 20, 1.0, 4),)),
    "the stand-in secret": replace(PROVIDER, dummy_secret=None),
    "which origin is the default": replace(PROVIDER, origins=PROVIDER.origins[::-1]),
}


@pytest.mark.parametrize("changed", DOES_NOT_COUNT.values(), ids=DOES_NOT_COUNT.keys())
def test_digest_stays_when_nothing_trusted_changes(changed: Provider) -> None:
    """An edited name or rule closes no credential."""
    assert trust_digest(changed) == trust_digest(PROVIDER)


@pytest.mark.parametrize("read", [trust_record, trust_digest])
def test_record_survives_storage(read: Callable[[Provider], bytes]) -> None:
    """What comes out of the database has the same record."""
    assert read(decode_provider(encode_provider(PROVIDER))) == read(PROVIDER)


def test_record_is_what_it_was() -> None:
    """The form is fixed: a changed form would close every sealed credential."""
    assert len(trust_digest(PROVIDER)) == 32
    assert trust_record(PROVIDER).startswith(
        b'{"auth":{"fields":["api_key","api_secret"],"placements":'
        b'[["header","API-Key","{api_key}"],["query","sig","v1-{api_secret}"]],"scheme":"place"},'
        b'"id":"acme-exchange","label":"bailee/trust/v1","origins":[{"address":null,'
        b'"ca_sha256":null,"danger_private_addresses":false,"host":"futures.acme.test",'
        b'"name":"futures","port":8443,"tls_minimum":"1.2"},{"address":"::1","ca_sha256":"'
    )


def test_digests_are_what_they_were() -> None:
    """Those of place schemes: older vaults have credentials that are sealed to them."""
    assert trust_digest(parse_provider(MINIMAL, read_ca)).hex() == (
        "e8ce9e7affb3dc4c9b89ea0355d901edaae4958338891df4fd23fb60e167beec"
    )
    assert trust_digest(PROVIDER).hex() == (
        "af5c9a346b732670f17685d49521d300ea6962a4c36542b4256f076a58c7b9a4"
    )


SIGNING = provider_with(LINES)
SCHEME = SIGNING.auth
assert isinstance(SCHEME, TemplateScheme)
PART = SCHEME.parts[0]
PUT = SCHEME.fillings[0]

SIGNING_COUNTS: dict[str, dict[str, Any]] = {
    "fields": {"fields": ("api_key", "secret")},
    "which field signs": {"secret": "passphrase"},
    "an algorithm": {"keys": (SigningKey(Algorithm.HMAC_SHA256, "hex", "base64"),)},
    "the form of the secret": {"keys": (SigningKey(Algorithm.HMAC_SHA512, "text", "base64"),)},
    "the form of the signature": {"keys": (SigningKey(Algorithm.HMAC_SHA512, "hex", "hex"),)},
    "the clock": {"time": "ms"},
    "the nonce": {"nonce": "monotonic"},
    "the nonce's unit": {"nonce_unit": "ns"},
    "a part's name": {"parts": (replace(PART, name="x"), *SCHEME.parts[1:])},
    "a part's template": {"parts": (replace(PART, of="x"), *SCHEME.parts[1:])},
    "a part's members": {"parts": (replace(PART, json=(("a", "b"),)), *SCHEME.parts[1:])},
    "a part's digest": {"parts": (replace(PART, digest="none"), *SCHEME.parts[1:])},
    "a part's form": {"parts": (replace(PART, encoding="raw"), *SCHEME.parts[1:])},
    "the order of the parts": {"parts": SCHEME.parts[::-1]},
    "the message": {"message": SCHEME.message + "x"},
    "where something is put": {"fillings": (replace(PUT, slot=Slot.QUERY),)},
    "the name of what is put": {"fillings": (replace(PUT, name="X"),)},
    "what is put": {"fillings": (replace(PUT, value="{signature}"),)},
    "something more is put": {"fillings": (PUT, Filling(Slot.HEADER, "X", "{api_key}"))},
    "what is not signed": {"unsigned": (Rule("GET", "/time"),)},
}


@pytest.mark.parametrize("changes", SIGNING_COUNTS.values(), ids=SIGNING_COUNTS.keys())
def test_digest_changes_with_every_part_of_a_template_scheme(changes: dict[str, Any]) -> None:
    """A scheme that signs is trusted whole."""
    changed = replace(SIGNING, auth=replace(SCHEME, **changes))
    assert trust_digest(changed) != trust_digest(SIGNING)


def test_every_member_of_a_template_scheme_is_tried() -> None:
    """A member that comes later needs a line above."""
    tried = {name for changes in SIGNING_COUNTS.values() for name in changes}
    assert tried == {each.name for each in fields(TemplateScheme)}


@pytest.mark.parametrize("provider", [preset("binance"), preset("kraken"), provider_with(PAYLOAD)])
def test_record_of_a_template_scheme_survives_storage(provider: Provider) -> None:
    """And where SDKs put the token still does not count."""
    stored = decode_provider(encode_provider(provider))
    assert (stored, trust_record(stored)) == (provider, trust_record(provider))
    assert trust_digest(replace(stored, caller_token=None)) == trust_digest(provider)
