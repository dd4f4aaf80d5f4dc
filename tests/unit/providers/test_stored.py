"""`providers.stored`: a provider out of JSON, with the one scheme that it has."""

import json
from typing import Any

import pytest

from bailee.errors import BadInput
from bailee.model import PlaceScheme, TemplateScheme
from bailee.providers.load import decode_provider, encode_provider, parse_provider
from providers_samples import FULL, MINIMAL, read_ca
from signing_samples import LINES, PAYLOAD, PRESETS, preset, provider_with

OLD = (
    b'{"auth":{"fields":["api_key"],"placements":[{"name":"Authorization","place":"header",'
    b'"value":"Bearer {api_key}"}]},"caller_token":null,"category":"other","deny":[],'
    b'"dummy_secret":null,"headers":[],"id":"acme","multiplexed":[{"method":"*",'
    b'"pattern":"/**/graphql"},{"method":"*","pattern":"/**/jsonrpc"},{"method":"*",'
    b'"pattern":"/**/rpc"},{"method":"*","pattern":"/**/batch"}],"name":"acme","origins":['
    b'{"address":null,"ca_pem":null,"danger_private_addresses":false,"host":"api.acme.test",'
    b'"name":"rest","port":443,"tls_minimum":"1.3"}]}'
)


def test_documents_of_before_are_read() -> None:
    """A record that was signed by an older version is a provider without what came later."""
    assert decode_provider(OLD) == parse_provider(MINIMAL, read_ca)


@pytest.mark.parametrize(
    ("provider", "scheme"),
    [
        (parse_provider(FULL, read_ca), PlaceScheme),
        (provider_with(LINES), TemplateScheme),
        (provider_with(PAYLOAD), TemplateScheme),
        *((preset(name), TemplateScheme) for name in PRESETS),
    ],
)
def test_both_schemes_come_back(provider: Any, scheme: type) -> None:
    """What was encoded is read as the same value."""
    stored = decode_provider(encode_provider(provider))
    assert isinstance(stored.auth, scheme)
    assert stored == provider


def changed(**auth: Any) -> bytes:
    raw = json.loads(encode_provider(provider_with(LINES)))
    raw["auth"] |= auth
    raw["auth"] = {name: value for name, value in raw["auth"].items() if value is not ...}
    return json.dumps(raw).encode()


REFUSED = {
    "two schemes in one": changed(placements=[]),
    "a surplus member": changed(kind="template"),
    "a surplus member deep within": changed(
        keys=[{"algorithm": "ed25519", "secret_as": "pem", "signature_as": "hex", "x": 1}]
    ),
    "a member less": changed(secret=...),
    "an unknown algorithm": changed(
        keys=[{"algorithm": "md5", "secret_as": "text", "signature_as": "hex"}]
    ),
    "an unknown clock": changed(time="h"),
    "another type": changed(message=["{time}"]),
    "no message": changed(message=...),
    "what no file could have held": changed(message="{secret}"),
    "a scheme that is none": OLD.replace(b'{"fields"', b'[{"fields"').replace(
        b'}]},"caller', b'}]}],"caller'
    ),
    "no scheme": OLD.replace(b'"auth":', b'"other":'),
    "a list": b"[]",
}


def test_samples_are_changed_from_what_is_read() -> None:
    """Without a change the sample is a provider."""
    assert decode_provider(changed()) == provider_with(LINES)


@pytest.mark.parametrize("encoded", REFUSED.values(), ids=REFUSED.keys())
def test_what_this_version_does_not_know_is_refused(encoded: bytes) -> None:
    """Neither surplus nor missing members are passed over."""
    with pytest.raises(BadInput):
        decode_provider(encoded)
