"""The provider's file fits the API: it is read, and it understands every answer."""

import json

import pytest

from bailee.model import DecoyPolicy, Meaning, Provider, TemplateScheme
from bailee.policy.rules import parse_rule
from bailee.providers.load import parse_provider
from bailee.providers.refusal import holds, meaning_of_call, meaning_of_probe
from bailee.providers.report import read_report
from bailee.reference.accounts import KeyKind
from bailee.reference.app import ReferenceApi
from bailee.reference.provider_file import provider_file
from bailee.reference.quirks import Quirk
from reference_caller import Caller, Exchange
from reference_signing import sign

URL = "https://api.test:9443"
PROBE = ("GET", "/v1/key")


def read(text: str) -> Provider:
    return parse_provider(text, lambda _: pytest.fail("no file is read"))


def body_of(exchange: Exchange) -> bytes:
    return json.dumps(exchange.answer).encode()


def probed(provider: Provider, exchange: Exchange) -> Meaning:
    return meaning_of_probe(provider, exchange.status, body_of(exchange))


def test_file_says_where_the_api_is() -> None:
    """Name, port, address and root as they were given."""
    pem = ReferenceApi.__doc__ or ""
    text = provider_file(URL, id="lab", address="127.0.0.1", private=True)
    provider = parse_provider(text, lambda _: pem)
    origin = provider.origins[0]
    assert (provider.id, origin.host, origin.port) == ("lab", "api.test", 9443)
    assert (origin.address, origin.danger_private_addresses) == ("127.0.0.1", True)
    assert read(provider_file("https://api.example.com")).origins[0].address is None
    assert 'ca_file = "ca \\"1\\".pem"' in provider_file(URL, ca_file='ca "1".pem')


def test_credentials_have_the_fields_of_their_kind() -> None:
    """A bearer key alone, or an HMAC key with its secret."""
    assert read(provider_file(URL)).auth.fields == ("api_key",)
    for nonce in (False, True):
        scheme = read(provider_file(URL, kind=KeyKind.HMAC, nonce=nonce)).auth
        assert isinstance(scheme, TemplateScheme)
        assert scheme.fields == ("api_key", "api_secret")


def test_probe_and_report_are_requests_of_the_api(ask: Caller) -> None:
    """What the file asks is there: the probe with any key, and the public request without one."""
    provider = read(provider_file(URL))
    assert provider.probe is not None
    assert provider.report is not None
    assert provider.probe.decoy is DecoyPolicy.OK
    key = ask.key(ask.session(), permissions=["trade"])["api_key"]
    asked = provider.probe.request
    served = ask(asked.method, asked.path, key)
    assert probed(provider, served) is Meaning.SERVED
    asked = provider.report.request
    report = read_report(provider, body_of(ask(asked.method, asked.path, key)))
    assert (report.restricted, report.addresses) == (True, ("127.0.0.2",))
    assert report.powers == ("trade",)
    asked = provider.probe.public
    told = ask(asked.method, asked.path, peer="127.0.0.3")
    assert holds(provider.probe.public_success, told.status, body_of(told))


@pytest.mark.parametrize(
    ("allow", "restricted", "addresses"),
    [
        (None, False, ()),
        (["0.0.0.0/0"], False, ()),
        (["127.0.0.0/30", "127.0.0.2"], True, ("127.0.0.0/30", "127.0.0.2")),
    ],
    ids=["no list", "a list of all", "a network"],
)
def test_report_tells_open_from_restricted(
    ask: Caller, allow: list[str] | None, restricted: bool, addresses: tuple[str, ...]
) -> None:
    """A key for all addresses is not restricted, however that is said."""
    provider = read(provider_file(URL))
    key = ask.key(ask.session(), allow=allow)["api_key"]
    report = read_report(provider, body_of(ask(*PROBE, key)))
    assert (report.restricted, report.addresses) == (restricted, addresses)


def test_refusals_are_told_apart(ask: Caller) -> None:
    """Address, key, signature, clock and permission: each answer means what it says."""
    provider = read(provider_file(URL))
    session = ask.session()
    key = ask.key(session)["api_key"]
    signing = ask.key(session, kind="hmac", nonce=True)

    def signed(change: dict[str, str], **more: float) -> Exchange:
        headers = sign({**signing, **change}, *PROBE, nonce=1, **more)  # type: ignore[arg-type]  # seconds_off
        return ask(*PROBE, headers=headers)

    seen = {
        "foreign address": ask(*PROBE, key, peer="127.0.0.3"),
        "wrong key": ask(*PROBE, "wrong"),
        "wrong signature": signed({"api_secret": "guess"}),
        "clock": signed({}, seconds_off=99),
    }
    assert {what: probed(provider, each) for what, each in seen.items()} == {
        "foreign address": Meaning.ADDRESS,
        "wrong key": Meaning.CREDENTIAL,
        "wrong signature": Meaning.CREDENTIAL,
        "clock": Meaning.CREDENTIAL,
    }
    assert signed({}).status == 200
    assert probed(provider, signed({})) is Meaning.UNCLEAR  # the nonce was used
    lacking = ask("POST", "/v1/orders", key, {})
    assert meaning_of_call(provider, lacking.status, body_of(lacking)) is Meaning.PERMISSION


@pytest.mark.parametrize(
    ("quirk", "meaning"),
    [
        (Quirk.UNIFORM_401, Meaning.CREDENTIAL_OR_ADDRESS),
        (Quirk.REFUSAL_INSIDE_200, Meaning.ADDRESS),
        (Quirk.NONCE_ERROR, Meaning.UNCLEAR),
    ],
)
def test_quirks_are_understood(quirk: Quirk, meaning: Meaning) -> None:
    """What a listed key's foreign address is told means no more than it says."""
    provider = read(provider_file(URL, quirks=[quirk]))
    ask = Caller(ReferenceApi(quirks=[quirk]))
    key = ask.key(ask.session())["api_key"]
    assert probed(provider, ask(*PROBE, key)) is Meaning.SERVED
    assert probed(provider, ask(*PROBE, key, peer="127.0.0.3")) is meaning


def test_firewalls_page_means_nothing() -> None:
    """A page that knows nothing of the API is unclear, for the probe and the public request."""
    provider = read(provider_file(URL, quirks=[Quirk.FIREWALL]))
    ask = Caller(ReferenceApi(quirks=[Quirk.FIREWALL]))
    blocked = ask("GET", "/v1/time", peer="127.0.0.3")
    body = b"".join(message["body"] for message in blocked.sent[1:])
    assert provider.probe is not None
    assert meaning_of_probe(provider, blocked.status, body) is Meaning.UNCLEAR
    assert not holds(provider.probe.public_success, blocked.status, body)


def test_withdrawals_are_denied() -> None:
    """No grant lets anyone withdraw."""
    assert parse_rule("POST /v1/withdrawals") in read(provider_file(URL)).deny
