"""`vault.sealing` and `vault.opening.open_credential`: it opens in its place and nowhere else."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from bailee.errors import CredentialClosed, TrustBroken
from bailee.model import ConnectionId, SealContext, SealedCredential, TenantId, TenantKey
from bailee.secret import Secret
from bailee.vault.opening import open_credential
from bailee.vault.sealing import seal, seal_info

PRIVATE = X25519PrivateKey.from_private_bytes(bytes(range(32)))
KEY = TenantKey(TenantId("t1"), "k1", PRIVATE.public_key().public_bytes_raw())
CONTEXT = SealContext(TenantId("t1"), ConnectionId("c" * 26), 1, b"d" * 32)
CREDENTIAL = Secret(b'{"api_key":"canary-0123456789"}')
OTHER_PRIVATE = X25519PrivateKey.from_private_bytes(bytes(31) + b"\1")

contexts = st.builds(
    SealContext,
    tenant=st.text(st.characters(codec="utf-8"), max_size=30).map(TenantId),
    connection=st.text(st.characters(codec="utf-8"), max_size=30).map(ConnectionId),
    version=st.integers(1, 2**63 - 1),
    trust_digest=st.binary(min_size=32, max_size=32),
)


def key_of(context: SealContext) -> TenantKey:
    return replace(KEY, tenant=context.tenant)


@given(st.binary(max_size=300), contexts)
def test_sealed_credential_opens_in_its_context(plain: bytes, context: SealContext) -> None:
    """Whatever the context: what was sealed comes back."""
    sealed = seal(Secret(plain), key_of(context), context)
    assert open_credential(sealed, context, PRIVATE).reveal() == plain


@given(contexts, contexts, st.sampled_from(["tenant", "connection", "version", "trust_digest"]))
def test_one_changed_part_of_the_context_does_not_open(
    context: SealContext, other: SealContext, part: str
) -> None:
    """Even if the row is altered to fit: each part alone is bound in."""
    changed = replace(context, **{part: getattr(other, part)})
    if changed != context:
        sealed = seal(CREDENTIAL, key_of(context), context)
        fitted = replace(
            sealed,
            connection=changed.connection,
            version=changed.version,
            trust_digest=changed.trust_digest,
        )
        with pytest.raises(CredentialClosed, match="altered or moved"):
            open_credential(fitted, changed, PRIVATE)


@given(contexts, contexts)
def test_contexts_are_bound_without_ambiguity(a: SealContext, b: SealContext) -> None:
    """Two contexts have the same bytes only if they are the same."""
    assert (seal_info(a) == seal_info(b)) == (a == b)


def test_contexts_do_not_run_into_each_other() -> None:
    """A character can't move from the tenant into the connection."""
    one = replace(CONTEXT, tenant=TenantId("ab"), connection=ConnectionId("c"))
    two = replace(CONTEXT, tenant=TenantId("a"), connection=ConnectionId("bc"))
    assert seal_info(one) != seal_info(two)


def test_seal_info_is_what_it_was() -> None:
    """The form is fixed: a changed form would close every sealed credential."""
    assert seal_info(CONTEXT) == (
        b"\0\0\0\x14bailee/credential/v1" b"\0\0\0\2t1" b"\0\0\0\x1a" + b"c" * 26
        + b"\0\0\0\x08\0\0\0\0\0\0\0\1" b"\0\0\0\x20" + b"d" * 32
    )  # fmt: skip


def test_each_seal_is_fresh() -> None:
    """The same credential sealed twice shares no encapsulation."""
    one, two = (seal(CREDENTIAL, KEY, CONTEXT) for _ in range(2))
    assert one.ciphertext[:32] != two.ciphertext[:32]
    assert one.ciphertext[32:] != two.ciphertext[32:]


def test_sealed_row_says_what_it_is_and_not_what_it_holds() -> None:
    """Connection, version, key and digest are in the row; the credential is not."""
    sealed = seal(CREDENTIAL, KEY, CONTEXT)
    assert (sealed.connection, sealed.version, sealed.key_id, sealed.trust_digest) == (
        CONTEXT.connection, 1, "k1", CONTEXT.trust_digest,
    )  # fmt: skip
    assert b"canary" not in sealed.ciphertext and "canary" not in repr(sealed)
    assert len(sealed.ciphertext) == 32 + len(CREDENTIAL) + 16


SEALED = seal(CREDENTIAL, KEY, CONTEXT)
ELSEWHERE = replace(CONTEXT, connection=ConnectionId("e" * 26))
MOVED: dict[str, tuple[SealedCredential, SealContext]] = {
    "another connection's row": (seal(CREDENTIAL, KEY, ELSEWHERE), CONTEXT),
    "a good ciphertext under another connection's id": (
        replace(SEALED, connection=ELSEWHERE.connection), CONTEXT),
    "a good ciphertext under another version": (replace(SEALED, version=2), CONTEXT),
    "another connection's ciphertext": (
        replace(SEALED, ciphertext=seal(CREDENTIAL, KEY, ELSEWHERE).ciphertext), CONTEXT),
    "an older version": (SEALED, replace(CONTEXT, version=2)),
    "an older version's ciphertext": (
        replace(SEALED, version=2), replace(CONTEXT, version=2)),
    "a changed provider": (SEALED, replace(CONTEXT, trust_digest=b"e" * 32)),
    "a changed provider with the row made to fit": (
        replace(SEALED, trust_digest=b"e" * 32), replace(CONTEXT, trust_digest=b"e" * 32)),
    "another tenant": (SEALED, replace(CONTEXT, tenant=TenantId("t2"))),
    "nothing": (replace(SEALED, ciphertext=b""), CONTEXT),
    "only an encapsulation": (replace(SEALED, ciphertext=SEALED.ciphertext[:32]), CONTEXT),
    "a cut encapsulation": (replace(SEALED, ciphertext=SEALED.ciphertext[:31]), CONTEXT),
    "a cut tail": (replace(SEALED, ciphertext=SEALED.ciphertext[:-1]), CONTEXT),
    "a longer tail": (replace(SEALED, ciphertext=SEALED.ciphertext + b"\0"), CONTEXT),
    "a zero encapsulation": (
        replace(SEALED, ciphertext=bytes(32) + SEALED.ciphertext[32:]), CONTEXT),
}  # fmt: skip


@pytest.mark.parametrize("case", MOVED.values(), ids=MOVED.keys())
def test_moved_or_altered_row_does_not_open(case: tuple[SealedCredential, SealContext]) -> None:
    """Rows swapped, rolled back, cut: nothing opens."""
    sealed, context = case
    with pytest.raises(CredentialClosed):
        open_credential(sealed, context, PRIVATE)


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_any_changed_byte_does_not_open(place: int, flip: int) -> None:
    """One changed byte of the sealed text closes it."""
    text = bytearray(SEALED.ciphertext)
    text[place % len(text)] ^= flip
    # X25519 ignores the highest bit of a public key, but HPKE binds the bytes as they stand.
    with pytest.raises(CredentialClosed):
        open_credential(replace(SEALED, ciphertext=bytes(text)), CONTEXT, PRIVATE)


def test_another_private_key_does_not_open() -> None:
    """The key of another tenant opens nothing."""
    with pytest.raises(CredentialClosed):
        open_credential(SEALED, CONTEXT, OTHER_PRIVATE)


def test_changed_trust_record_is_told_from_an_altered_row() -> None:
    """Whoever changed the provider is told what to do."""
    with pytest.raises(CredentialClosed, match="trust record was changed") as caught:
        open_credential(SEALED, replace(CONTEXT, trust_digest=b"e" * 32), PRIVATE)
    assert "enter the credential again" in caught.value.hint


UNSEALABLE: dict[str, Callable[[], Any]] = {
    "another tenant's key": lambda: seal(CREDENTIAL, replace(KEY, tenant=TenantId("t2")), CONTEXT),
    "a short key": lambda: seal(CREDENTIAL, replace(KEY, public=b"x"), CONTEXT),
    "a key of low order": lambda: seal(CREDENTIAL, replace(KEY, public=bytes(32)), CONTEXT),
    "version 0": lambda: seal(CREDENTIAL, KEY, replace(CONTEXT, version=0)),
    "a version too large": lambda: seal(CREDENTIAL, KEY, replace(CONTEXT, version=2**63)),
    "no digest": lambda: seal(CREDENTIAL, KEY, replace(CONTEXT, trust_digest=b"")),
    "a short digest": lambda: seal(CREDENTIAL, KEY, replace(CONTEXT, trust_digest=b"d" * 31)),
}


@pytest.mark.parametrize("attempt", UNSEALABLE.values(), ids=UNSEALABLE.keys())
def test_seal_refuses(attempt: Callable[[], Any]) -> None:
    """Nothing is sealed to the wrong key or without its context."""
    with pytest.raises(TrustBroken):
        attempt()
