"""`vault.statements`: a row is believed if it is signed, whole, and about what it stands for."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bailee.errors import TrustBroken
from bailee.model import (
    EgressAddress,
    EgressId,
    EgressState,
    Feed,
    FeedAddress,
    JobId,
    Pin,
    PinSet,
    ProviderId,
    Signed,
    TenantId,
    TenantKey,
)
from bailee.providers.load import parse_provider
from bailee.vault import statements as s
from bailee.vault.authority import Authority, AuthorityVerifier, Label
from providers_samples import FULL, MINIMAL, read_ca

AUTHORITY = Authority(Ed25519PrivateKey.from_private_bytes(bytes(32)))
ROGUE = Authority(Ed25519PrivateKey.from_private_bytes(bytes(31) + b"\1"))
VERIFIER = AuthorityVerifier(AUTHORITY.public)

PROVIDER = parse_provider(FULL, read_ca)
PINS = PinSet(ProviderId("acme"), "rest", 3, (Pin(b"a" * 32), Pin(b"b" * 32)), False)
KEY = TenantKey(TenantId("default"), "k1", bytes(range(32)))
EGRESS = EgressAddress(EgressId("e1"), "a", "203.0.113.7", EgressState.ACTIVE, 1)
RESULT = s.JobResult(
    JobId("j1"), "learn_pin", {"provider": "acme"}, {"chain": [{"pin": "x", "at": 1.5}], "n": 1}
)
FEED = Feed(7, 1e9, 2e9, (FeedAddress(EgressId("e1"), "203.0.113.7", EgressState.ACTIVE, 1, 1e9),))

Verify = Callable[[Signed], Any]
KINDS: dict[str, tuple[Label, Callable[[Authority], Signed], Verify, object]] = {
    "provider": (
        Label.PROVIDER,
        lambda a: s.sign_provider(a, PROVIDER, 7),
        lambda x: s.verified_provider(VERIFIER, x),
        (PROVIDER, 7),
    ),
    "pin set": (
        Label.PINS,
        lambda a: s.sign_pin_set(a, PINS),
        lambda x: s.verified_pin_set(VERIFIER, x),
        PINS,
    ),
    "tenant key": (
        Label.TENANT_KEY,
        lambda a: s.sign_tenant_key(a, KEY),
        lambda x: s.verified_tenant_key(VERIFIER, x),
        KEY,
    ),
    "egress address": (
        Label.EGRESS,
        lambda a: s.sign_egress_address(a, EGRESS),
        lambda x: s.verified_egress_address(VERIFIER, x),
        EGRESS,
    ),
    "job result": (
        Label.JOB_RESULT,
        lambda a: s.sign_job_result(a, RESULT),
        lambda x: s.verified_job_result(VERIFIER, x),
        RESULT,
    ),
    "feed": (
        Label.FEED,
        lambda a: s.sign_feed(a, FEED),
        lambda x: s.verified_feed(VERIFIER, x),
        FEED,
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_signed_statement_comes_back(kind: str) -> None:
    """What was approved is what is read, and its payload is canonical JSON."""
    _, sign, verify, value = KINDS[kind]
    signed = sign(AUTHORITY)
    assert verify(signed) == value
    text = json.dumps(json.loads(signed.payload), sort_keys=True, separators=(",", ":"))
    assert signed.payload == text.encode()


@pytest.mark.parametrize("kind", KINDS)
def test_another_authority_is_refused(kind: str) -> None:
    """A whole and well-formed statement of somebody else is worth nothing."""
    _, sign, verify, _ = KINDS[kind]
    with pytest.raises(TrustBroken):
        verify(sign(ROGUE))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("other", KINDS)
def test_statement_of_another_kind_is_refused(kind: str, other: str) -> None:
    """A signed row of one table is nothing in another."""
    if kind != other:
        with pytest.raises(TrustBroken, match="not signed"):
            KINDS[kind][2](KINDS[other][1](AUTHORITY))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("alter", ["cut", "swapped", "unsigned"])
def test_altered_row_is_refused(kind: str, alter: str) -> None:
    """Truncation, a signature of another row, and none at all."""
    label, sign, verify, _ = KINDS[kind]
    good = sign(AUTHORITY)
    rows = {
        "cut": Signed(good.payload[:-1], good.signature),
        "swapped": Signed(good.payload, AUTHORITY.sign(label, b"{}").signature),
        "unsigned": Signed(good.payload, b""),
    }
    with pytest.raises(TrustBroken):
        verify(rows[alter])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("payload", [b"", b"{}", b"[]", b"null", b"\xff", b"[" * 9999])
def test_signed_nonsense_is_refused(kind: str, payload: bytes) -> None:
    """Even what is signed must have the form of its kind."""
    label, _, verify, _ = KINDS[kind]
    with pytest.raises(TrustBroken, match="not of the form"):
        verify(AUTHORITY.sign(label, payload))


UNSOUND: dict[str, Callable[[], object]] = {
    "a provider without serial": lambda: s.verified_provider(
        VERIFIER, s.sign_provider(AUTHORITY, PROVIDER, 0)
    ),
    "a provider that no file could be": lambda: s.verified_provider(
        VERIFIER, s.sign_provider(AUTHORITY, replace(PROVIDER, origins=()), 1)
    ),
    "a short pin": lambda: s.verified_pin_set(
        VERIFIER, s.sign_pin_set(AUTHORITY, replace(PINS, pins=(Pin(b"a"), Pin(b"b" * 32))))
    ),
    "no pin": lambda: s.verified_pin_set(
        VERIFIER, s.sign_pin_set(AUTHORITY, replace(PINS, pins=(), danger_no_backup=True))
    ),
    "no backup pin": lambda: s.verified_pin_set(
        VERIFIER, s.sign_pin_set(AUTHORITY, replace(PINS, pins=PINS.pins[:1]))
    ),
    "one pin twice": lambda: s.verified_pin_set(
        VERIFIER, s.sign_pin_set(AUTHORITY, replace(PINS, pins=PINS.pins[:1] * 2))
    ),
    "a short tenant key": lambda: s.verified_tenant_key(
        VERIFIER, s.sign_tenant_key(AUTHORITY, replace(KEY, public=b"x" * 31))
    ),
    "an egress address without serial": lambda: s.verified_egress_address(
        VERIFIER, s.sign_egress_address(AUTHORITY, replace(EGRESS, serial=0))
    ),
    "a feed without serial": lambda: s.verified_feed(
        VERIFIER, s.sign_feed(AUTHORITY, replace(FEED, serial=0))
    ),
    "a feed that was never valid": lambda: s.verified_feed(
        VERIFIER, s.sign_feed(AUTHORITY, replace(FEED, valid_until=FEED.created_at))
    ),
}


@pytest.mark.parametrize("verify", UNSOUND.values(), ids=UNSOUND.keys())
def test_unsound_statement_is_refused(verify: Callable[[], object]) -> None:
    """A statement that would weaken a promise is refused, whoever signed it."""
    with pytest.raises(TrustBroken, match="not of the form"):
        verify()


def test_one_pin_is_enough_where_danger_is_said() -> None:
    """`danger_no_backup` is signed with the set, so nobody can add it later."""
    alone = replace(PINS, pins=PINS.pins[:1], danger_no_backup=True)
    assert s.verified_pin_set(VERIFIER, s.sign_pin_set(AUTHORITY, alone)) == alone


ACME = s.sign_provider(AUTHORITY, parse_provider(MINIMAL, read_ca), 1)
SWAPPED: dict[str, tuple[Verify, Signed, bool]] = {
    "provider, its own row": (
        lambda x: s.verified_provider(VERIFIER, x, expected=ProviderId("acme")), ACME, True),
    "provider, another's row": (
        lambda x: s.verified_provider(VERIFIER, x, expected=ProviderId("acme-exchange")),
        ACME, False),
    "pins, their own row": (
        lambda x: s.verified_pin_set(VERIFIER, x, expected=(ProviderId("acme"), "rest")),
        s.sign_pin_set(AUTHORITY, PINS), True),
    "pins, another origin's row": (
        lambda x: s.verified_pin_set(VERIFIER, x, expected=(ProviderId("acme"), "ws")),
        s.sign_pin_set(AUTHORITY, PINS), False),
    "pins, another provider's row": (
        lambda x: s.verified_pin_set(VERIFIER, x, expected=(ProviderId("evil"), "rest")),
        s.sign_pin_set(AUTHORITY, PINS), False),
    "key, its own row": (
        lambda x: s.verified_tenant_key(VERIFIER, x, tenant=TenantId("default"), key_id="k1"),
        s.sign_tenant_key(AUTHORITY, KEY), True),
    "key, another tenant's row": (
        lambda x: s.verified_tenant_key(VERIFIER, x, tenant=TenantId("other")),
        s.sign_tenant_key(AUTHORITY, KEY), False),
    "key, another key's row": (
        lambda x: s.verified_tenant_key(VERIFIER, x, key_id="k2"),
        s.sign_tenant_key(AUTHORITY, KEY), False),
    "egress, its own row": (
        lambda x: s.verified_egress_address(VERIFIER, x, expected=EgressId("e1")),
        s.sign_egress_address(AUTHORITY, EGRESS), True),
    "egress, another's row": (
        lambda x: s.verified_egress_address(VERIFIER, x, expected=EgressId("e2")),
        s.sign_egress_address(AUTHORITY, EGRESS), False),
    "job, its own row": (
        lambda x: s.verified_job_result(VERIFIER, x, expected=JobId("j1")),
        s.sign_job_result(AUTHORITY, RESULT), True),
    "job, another's row": (
        lambda x: s.verified_job_result(VERIFIER, x, expected=JobId("j2")),
        s.sign_job_result(AUTHORITY, RESULT), False),
}  # fmt: skip


@pytest.mark.parametrize("case", SWAPPED.values(), ids=SWAPPED.keys())
def test_swapped_row_is_refused(case: tuple[Verify, Signed, bool]) -> None:
    """A good statement in another's row is refused; in its own it is read."""
    verify, signed, own = case
    if own:
        verify(signed)
    else:
        with pytest.raises(TrustBroken, match="another's place"):
            verify(signed)


def test_job_result_is_rebuilt_from_its_row() -> None:
    """A row that went through JSON columns verifies, in whatever order its members come."""
    mark = s.sign_job_result(AUTHORITY, RESULT).signature
    row = json.loads(json.dumps(RESULT.result, sort_keys=True))
    again = s.rebuilt_job_result(RESULT.job, RESULT.kind, RESULT.arguments, row, mark)
    assert s.verified_job_result(VERIFIER, again, expected=JobId("j1")) == RESULT


ROW: dict[str, Any] = {
    "job": JobId("j1"),
    "kind": "learn_pin",
    "arguments": {"provider": "acme"},
    "result": RESULT.result,
}


@pytest.mark.parametrize(
    "change",
    [{"job": "j2"}, {"kind": "other"}, {"arguments": {"provider": "evil"}}, {"arguments": {}},
     {"result": {"chain": []}}],
    ids=str,
)  # fmt: skip
def test_altered_job_row_is_refused(change: dict[str, Any]) -> None:
    """An answer to another question, or another answer."""
    mark = s.sign_job_result(AUTHORITY, RESULT).signature
    with pytest.raises(TrustBroken):
        s.verified_job_result(VERIFIER, s.rebuilt_job_result(**{**ROW, **change}, mark=mark))
