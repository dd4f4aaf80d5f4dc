"""An unmodified ccxt in front: what we make of its request is what ccxt makes with the real secret.

ccxt signs offline. One instance has our token and a stand-in for the secret, and a clock that is
off; the other one has what the user gave, and our clock and nonce. Both requests are prepared by
`requests`, as ccxt sends them, and ours of the first must be the second, byte by byte.
"""

import string
from base64 import b64encode
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import ccxt
import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from bailee.signing.request import Unsigned
from bailee.signing.sign import signer_of
from signing_samples import SECRET, credential_for, ed25519_key, pem, preset, rsa_key

CLASSES = {
    "binance": ccxt.binance,
    "kraken": ccxt.kraken,
    "bybit": ccxt.bybit,
    "okx": ccxt.okx,
    "coinbase-exchange": ccxt.coinbaseexchange,
}
TOKEN = "bailee_" + "x" * 44
MOMENTS = st.integers(1_500_000_000_000, 4_000_000_000_000)
NAMES = st.text(string.ascii_letters, min_size=3, max_size=12).filter(
    lambda name: name not in {"timestamp", "signature", "nonce", "recvWindow", "price"}
)
ANY_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
# Where ccxt does not encode its values, it signs something else than what is then sent.
PLAIN_TEXT = st.text(string.ascii_letters + string.digits + "-_.,:/@", max_size=20)
NUMBERS = st.integers(-(10**12), 10**12) | st.floats(0, 1e6).map(lambda x: round(x, 4))


@dataclass(frozen=True, slots=True)
class Sent:
    """A request as it leaves ccxt."""

    method: str
    path: bytes
    query: bytes
    body: bytes
    headers: dict[str, str]

    def unsigned(self) -> Unsigned:
        """What the gateway gives to the signer."""
        content_type = self.headers.get("content-type", "").encode()
        return Unsigned(self.method, self.path, self.query, self.body, content_type)


@lru_cache
def sdk(provider: str, key: str, secret: str, passphrase: str) -> Any:
    """A ccxt exchange whose clock stands at its `moment`. To make one takes long."""

    class Still(CLASSES[provider]):
        moment = 0

        def milliseconds(self) -> int:
            return self.moment

        def seconds(self) -> int:
            return self.moment // 1000

        def uuid16(self, length: int = 16) -> str:
            return "0" * length

        def uuid22(self, length: int = 22) -> str:
            return "0" * length

    return Still({"apiKey": key, "secret": secret, "password": passphrase})


def sent_by(exchange: Any, path: str, api: str, method: str, params: Any) -> Sent:
    """Let ccxt sign, and prepare what it signed as its HTTP library does."""
    made = exchange.sign(path, api, method, params)
    body = made["body"].encode() if made["body"] else None
    prepared = requests.Request(method, made["url"], made["headers"] or {}, data=body).prepare()
    assert prepared.url is not None
    url = urlsplit(prepared.url)
    headers = {name.lower(): str(value) for name, value in prepared.headers.items()}
    return Sent(method, url.path.encode(), url.query.encode(), body or b"", headers)


def compare(
    provider: str, call: tuple[str, str, str], params: Any, moment: int, secret: str
) -> None:
    """Sign what ccxt made with a stand-in, and compare it with what ccxt makes with the secret."""
    scheme = preset(provider).auth
    signer = signer_of(scheme)
    path, api, method = call
    stand_in = sdk(provider, TOKEN, b64encode(b"bailee").decode(), "unused")
    real = sdk(provider, "real-key", secret, "real-phrase")
    stand_in.moment, real.moment = moment - 5_000, moment
    ours = sent_by(stand_in, path, api, method, dict(params))
    expected = sent_by(real, path, api, method, dict(params))
    fields = {"api_key": "real-key", "secret": secret, "passphrase": "real-phrase"}
    credential = credential_for(scheme, **{n: v for n, v in fields.items() if n in scheme.fields})
    signed = signer.sign(ours.unsigned(), credential, moment / 1000, str(moment))
    assert (signed.path, signed.query, signed.body) == (
        expected.path, expected.query, expected.body,
    )  # fmt: skip
    assert signed.content_type is None
    lines = [line.split(": ", 1) for line in signed.headers.decode().split("\r\n")[:-1]]
    assert {name.lower(): value for name, value in lines} == {
        name: value for name, value in expected.headers.items() if name in signer.headers
    }


CALLS = {
    "binance": [
        ("account", "private", "GET"), ("order", "private", "POST"), ("order", "private", "DELETE"),
        ("asset/dust", "sapi", "POST"), ("sub-account/list", "sapi", "GET"),
        ("account", "fapiPrivateV3", "GET"), ("order", "fapiPrivate", "PUT"),
        ("positionSide/dual", "dapiPrivate", "POST"),
    ],
    "kraken": [
        ("Balance", "private", "POST"), ("AddOrder", "private", "POST"),
        ("AddOrderBatch", "private", "POST"), ("CancelOrderBatch", "private", "POST"),
    ],
    "bybit": [
        ("v5/user/query-api", "private", "GET"), ("v5/order/realtime", "private", "GET"),
        ("v5/order/create", "private", "POST"),
    ],
    "okx": [
        ("account/config", "private", "GET"), ("account/balance", "private", "GET"),
        ("trade/order", "private", "POST"), ("trade/cancel-order", "private", "POST"),
    ],
    "coinbase-exchange": [
        ("accounts", "private", "GET"), ("orders", "private", "GET"),
        ("orders", "private", "POST"), ("orders", "private", "DELETE"),
    ],
}  # fmt: skip
UNENCODED = [CALLS["binance"][4], *CALLS["bybit"][:2]]


@pytest.mark.parametrize("provider", CALLS)
@settings(max_examples=100, deadline=None)
@given(data=st.data(), moment=MOMENTS)
def test_request_is_what_ccxt_makes_with_the_secret(
    provider: str, data: st.DataObject, moment: int
) -> None:
    """Random parameters, times and texts in each of the five."""
    call = data.draw(st.sampled_from(CALLS[provider]))
    texts = PLAIN_TEXT if call in UNENCODED else ANY_TEXT
    params = data.draw(st.dictionaries(NAMES, texts | NUMBERS | st.booleans(), max_size=6))
    compare(provider, call, params, moment, SECRET)


@settings(max_examples=100, deadline=None)
@given(orders=st.lists(st.dictionaries(NAMES, ANY_TEXT | NUMBERS, max_size=3)), moment=MOMENTS)
def test_nested_bodies_keep_their_bytes(orders: list[dict[str, Any]], moment: int) -> None:
    """Lists and objects in a Kraken body, as a form and as JSON."""
    for path in ("AddOrderBatch", "AddOrder"):
        compare("kraken", (path, "private", "POST"), {"orders": orders}, moment, SECRET)


@pytest.mark.parametrize("call", CALLS["binance"][:4])
def test_private_keys_sign_as_ccxt_does(call: tuple[str, str, str]) -> None:
    """Binance takes an Ed25519 or RSA key in the place of the secret."""
    for key in (ed25519_key(), rsa_key()):
        compare("binance", call, {"symbol": "BTC USDT"}, 1_700_000_000_123, pem(key))


@pytest.mark.parametrize("call", CALLS["bybit"])
def test_bybit_takes_an_rsa_key(call: tuple[str, str, str]) -> None:
    """So does Bybit, RSA alone."""
    compare("bybit", call, {"symbol": "BTCUSDT"}, 1_700_000_000_123, pem(rsa_key()))


def test_key_only_requests_are_not_signed() -> None:
    """Binance's user data streams take the key and refuse a signature."""
    call = ("userDataStream", "public", "PUT")
    compare("binance", call, {"listenKey": "abc"}, 1_700_000_000_123, SECRET)
