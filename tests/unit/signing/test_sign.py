"""`signing.sign`: every scheme as a signer, and what it declares."""

import pytest

from bailee.errors import ReservedParameter
from bailee.model import Place, Placement
from bailee.signing.place import scheme_of
from bailee.signing.request import Unsigned
from bailee.signing.sign import signer_of
from signing_samples import NOW, credential_for, preset

PLACED = scheme_of(
    (
        Placement(Place.QUERY, "key", "{api_key}"),
        Placement(Place.PATH, "", "/bot{token}"),
        Placement(Place.BASIC, "", "{user}:"),
        Placement(Place.HEADER, "X-User", "{user}"),
    )
)


def test_place_scheme_signs_by_placing() -> None:
    """Everything else stays as it is, the body included."""
    signer = signer_of(PLACED)
    credential = credential_for(PLACED, token="t", user="u", api_key="k")
    signed = signer.sign(Unsigned("POST", b"/v1", b"a=1", b"x", b"text/plain"), credential, NOW, "")
    assert signed.path == b"/bott/v1"
    assert signed.query == b"a=1&key=k"
    assert signed.headers == b"X-User: u\r\nAuthorization: Basic dTo=\r\n"
    assert (signed.body, signed.content_type) == (b"x", None)


@pytest.mark.parametrize("query", [b"key=1", b"a=1&k%65y=1", b"key"])
def test_place_scheme_refuses_its_own_parameter(query: bytes) -> None:
    """As the gateway does on its fast path."""
    credential = credential_for(PLACED)
    with pytest.raises(ReservedParameter):
        signer_of(PLACED).sign(Unsigned("GET", b"/", query, b"", b""), credential, NOW, "")


def test_signers_declare_what_they_fill() -> None:
    """Header names in lower case; parameters whether they end in the query or in the form."""
    signer = signer_of(PLACED)
    assert signer.headers == {"authorization", "x-user"}
    assert signer.query_names == {"key"}
    assert (signer.covers_body, signer.nonce) == (False, "none")
    binance, kraken = signer_of(preset("binance").auth), signer_of(preset("kraken").auth)
    assert binance.query_names == {"timestamp", "signature"}
    assert binance.headers == {"x-mbx-apikey"}
    assert (kraken.nonce, kraken.nonce_unit, kraken.covers_body) == ("monotonic", "ms", True)
    assert kraken.query_names == set()


def test_signer_is_made_once() -> None:
    """A scheme is compiled for its first call only."""
    assert signer_of(PLACED) is signer_of(scheme_of(PLACED.placements))
    assert signer_of(preset("okx").auth) is signer_of(preset("okx").auth)
