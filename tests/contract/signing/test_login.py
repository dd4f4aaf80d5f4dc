"""The login message of a WebSocket is the one that ccxt's own client sends, byte for byte in JSON.

ccxt makes it in `authenticate`, and hands it to `watch`, which is caught here: no socket is opened.
"""

import asyncio
import json
from typing import Any

import ccxt.pro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bailee.errors import CredentialClosed
from bailee.secret import Secret
from bailee.signing.login import KEPT_CHARS, LoginWriter, login_writer
from signing_samples import credential_for, preset

CLASSES = {"bybit": ccxt.pro.bybit, "okx": ccxt.pro.okx}
FIELDS = {"api_key": "real-key", "secret": "real-secret", "passphrase": "real-phrase"}


class _Caught(Exception):
    """The message is here; nobody waits for its answer."""


def writer_of(provider: str) -> LoginWriter:
    """What a preset sends."""
    websocket = preset(provider).websocket
    assert websocket is not None
    assert websocket.frame is not None
    return login_writer(websocket.frame, preset(provider).auth)


def credential_of(provider: str, **fields: str) -> Secret:
    """A credential of a preset."""
    scheme = preset(provider).auth
    wanted = {name: (FIELDS | fields)[name] for name in scheme.fields}
    return credential_for(scheme, **wanted)


def sent_by_ccxt(provider: str, moment: int, secret: str) -> Any:
    """The message that ccxt would send at a time in milliseconds."""
    caught: list[Any] = []

    class Still(CLASSES[provider]):
        def milliseconds(self) -> int:
            return moment

        def seconds(self) -> int:
            return moment // 1000

        def watch(self, url: str, message_hash: str, message: Any, *_: Any) -> None:
            caught.append(message)
            raise _Caught

    async def authenticate() -> None:
        exchange = Still({"apiKey": "real-key", "secret": secret, "password": "real-phrase"})
        url = "wss://ws.test/private"
        try:
            await exchange.authenticate(*([url] if provider == "bybit" else []))
        except _Caught:
            await exchange.close()

    asyncio.run(authenticate())
    return caught[0]


@pytest.mark.parametrize("provider", CLASSES)
@pytest.mark.parametrize("moment", [1_700_000_000_001, 1_999_999_999_999, 1_764_000_000_500])
def test_login_is_that_of_ccxt(provider: str, moment: int) -> None:
    """The same members in the same order, for the same time and secret."""
    secret = "s\u00e9cret-0123456789"
    written = writer_of(provider).write(credential_of(provider, secret=secret), moment / 1000, {})
    assert json.loads(written) == sent_by_ccxt(provider, moment, secret)


KEPT = {
    "a number": (b"17", b"17"),
    "a number as it is spelled": (b"1.50e3", b"1.50e3"),
    "a text": ("order-17", b'"order-17"'),
    "a text with marks": ('a"b\\c', b'"a\\"b\\\\c"'),
    "a text of 64": ("x" * KEPT_CHARS, b'"' + b"x" * KEPT_CHARS + b'"'),
}
NOT_KEPT = {
    "a text of 65": "x" * (KEPT_CHARS + 1),
    "a number of 65": b"1" * (KEPT_CHARS + 1),
    "an empty text": "",
    "a space": "a b",
    "a line break": "a\n",
    "another letter": "\u00e9",
    "true": True,
    "null": None,
    "a list": ["x"],
    "an object": {"op": "withdraw"},
}


@pytest.mark.parametrize("case", KEPT)
def test_member_is_kept(case: str) -> None:
    """A number or a short visible text of the client's login stands in ours, at its end."""
    own, spelled = KEPT[case]
    written = writer_of("okx").write(
        credential_of("okx"), 1.0, {"id": own, "op": "x", "more": b"1"}
    )
    assert written.endswith(b',"id":' + spelled + b"}")
    assert b"more" not in written


@pytest.mark.parametrize("case", NOT_KEPT)
def test_member_is_not_kept(case: str) -> None:
    """What could be more than a number of the client's is left out."""
    credential = credential_of("okx")
    written = writer_of("okx").write(credential, 1.0, {"id": NOT_KEPT[case]})
    assert written == writer_of("okx").write(credential, 1.0, {})


@settings(max_examples=30)
@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1))
def test_credential_stays_in_its_place(passphrase: str) -> None:
    """Whatever it holds: no value of it becomes a member."""
    written = writer_of("okx").write(credential_of("okx", passphrase=passphrase[:90]), 1.0, {})
    read = json.loads(written)
    assert set(read) == {"op", "args"}
    assert read["args"][0]["passphrase"] == passphrase[:90]


def test_other_credential_is_refused() -> None:
    """One without a field of the scheme opens nothing."""
    with pytest.raises(CredentialClosed):
        writer_of("okx").write(Secret(b'{"api_key": "k"}'), 1.0, {})
