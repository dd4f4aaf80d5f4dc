"""`vault.authority`: a signature holds for one label, one payload and one authority."""

from base64 import b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from bailee.errors import BadInput, TrustBroken
from bailee.model import Signed
from bailee.vault.authority import Authority, AuthorityVerifier, Label

AUTHORITY = Authority(Ed25519PrivateKey.from_private_bytes(bytes(32)))
OTHER = Authority(Ed25519PrivateKey.from_private_bytes(bytes(31) + b"\1"))
VERIFIER = AuthorityVerifier(AUTHORITY.public)


@given(st.sampled_from(Label), st.binary(max_size=200))
def test_signed_payload_comes_back(label: Label, payload: bytes) -> None:
    """What the authority signed verifies under its label."""
    assert VERIFIER.verify(label, AUTHORITY.sign(label, payload)) == payload


@given(st.sampled_from(Label), st.sampled_from(Label), st.binary(max_size=50))
def test_signature_of_another_label_is_refused(a: Label, b: Label, payload: bytes) -> None:
    """A signature can't be replayed as another kind of statement."""
    if a is not b:
        with pytest.raises(TrustBroken):
            VERIFIER.verify(b, AUTHORITY.sign(a, payload))


@given(st.binary(min_size=1, max_size=50), st.integers(0, 10_000), st.integers(1, 255))
def test_any_changed_byte_is_refused(payload: bytes, place: int, flip: int) -> None:
    """One changed byte of payload or signature, and nothing is believed."""
    signed = AUTHORITY.sign(Label.PINS, payload)
    blob = bytearray(signed.signature + signed.payload)
    blob[place % len(blob)] ^= flip
    with pytest.raises(TrustBroken):
        VERIFIER.verify(Label.PINS, Signed(bytes(blob[64:]), bytes(blob[:64])))


GOOD = AUTHORITY.sign(Label.PROVIDER, b"payload")
REFUSED = {
    "another authority": OTHER.sign(Label.PROVIDER, b"payload"),
    "no signature": Signed(b"payload", b""),
    "a short signature": Signed(b"payload", GOOD.signature[:-1]),
    "a long signature": Signed(b"payload", GOOD.signature + b"\0"),
    "a cut payload": Signed(b"payloa", GOOD.signature),
    "a longer payload": Signed(b"payload ", GOOD.signature),
    "an empty payload": Signed(b"", GOOD.signature),
    "another row's payload": Signed(
        AUTHORITY.sign(Label.PROVIDER, b"other").payload, GOOD.signature
    ),
    "a signature of the bare payload": Signed(
        b"payload", Ed25519PrivateKey.from_private_bytes(bytes(32)).sign(b"payload")
    ),
}


@pytest.mark.parametrize("signed", REFUSED.values(), ids=REFUSED.keys())
def test_verify_refuses(signed: Signed) -> None:
    """Whoever writes the database can't make a statement."""
    with pytest.raises(TrustBroken):
        VERIFIER.verify(Label.PROVIDER, signed)


RAW = bytes(range(32))
PUBLIC = "ed25519/" + b64encode(RAW).decode()


def test_public_text_is_accepted() -> None:
    """The one form of the public half."""
    assert AuthorityVerifier(PUBLIC).public == PUBLIC


@pytest.mark.parametrize(
    "public",
    ["", "ed25519/", PUBLIC[8:], PUBLIC.upper(), PUBLIC + " ", " " + PUBLIC, PUBLIC + "\n",
     PUBLIC.rstrip("="), PUBLIC + "=", "ed25519:" + PUBLIC[8:], "ed25519/ed25519/" + PUBLIC[8:],
     "ed25519/" + b64encode(RAW[:31]).decode(), "ed25519/" + b64encode(RAW + b"x").decode(),
     "ed25519/" + RAW.hex(), PUBLIC[:-2] + "9=", "ed25519/ü"],
)  # fmt: skip
def test_other_public_texts_are_refused(public: str) -> None:
    """Every other spelling is refused, also another base64 of the same bytes."""
    with pytest.raises(BadInput):
        AuthorityVerifier(public)


def test_authority_prints_its_public_half_only() -> None:
    """No private byte is in the text of an authority."""
    assert repr(AUTHORITY) == f"Authority({AUTHORITY.public})"
