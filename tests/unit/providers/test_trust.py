"""`providers.trust`: the digest follows what decides where a credential may go, nothing else."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from bailee.model import Place as P
from bailee.model import Placement, Provider, Rule, TokenPlace
from bailee.providers.load import decode_provider, encode_provider, parse_provider
from bailee.providers.trust import trust_digest, trust_record
from providers_samples import CA, FULL, read_ca

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
