"""What the authority says, as canonical JSON under one label a kind.

Each `verified_*` returns a value only if the authority signed exactly that. A row's signature says
nothing of *which* row it stands in: give what the row is expected to be about, and a statement that
was swapped with another's is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from bailee.errors import BadInput, TrustBroken
from bailee.model import (
    EgressAddress,
    EgressId,
    Feed,
    JobId,
    PinSet,
    Provider,
    ProviderId,
    Signed,
    TenantId,
    TenantKey,
)
from bailee.providers.load import decode_provider, encode_provider
from bailee.vault.authority import Authority, AuthorityVerifier, Label
from bailee.vault.ranges import decode_ranges, encode_ranges

_T = TypeVar("_T")
_PIN_BYTES = 32
_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class JobResult:
    """What came out of a job, with the question it answers."""

    job: JobId
    kind: str
    arguments: dict[str, str]
    result: dict[str, object]


@dataclass(frozen=True, slots=True)
class _ProviderStatement:
    provider: msgspec.Raw
    serial: int


def sign_provider(authority: Authority, provider: Provider, serial: int) -> Signed:
    """Approve a provider. A later approval of the same provider has a higher `serial` (from 1)."""
    statement = _ProviderStatement(msgspec.Raw(encode_provider(provider)), serial)
    return authority.sign(Label.PROVIDER, _encode(statement))


def verified_provider(
    verifier: AuthorityVerifier, signed: Signed, *, expected: ProviderId | None = None
) -> tuple[Provider, int]:
    """Return an approved provider and its serial.

    Raises:
        TrustBroken: The authority did not sign it, or it is another provider than `expected`.
    """
    statement = _verified(verifier, Label.PROVIDER, signed, _ProviderStatement)
    try:
        provider = decode_provider(bytes(statement.provider))
    except BadInput:
        raise _malformed(Label.PROVIDER) from None
    _require(statement.serial >= 1, Label.PROVIDER)
    _require_expected(expected in (None, provider.id), Label.PROVIDER)
    return provider, statement.serial


def sign_pin_set(authority: Authority, pins: PinSet) -> Signed:
    """Approve the pins of one origin."""
    return authority.sign(Label.PINS, _encode(pins))


def verified_pin_set(
    verifier: AuthorityVerifier, signed: Signed, *, expected: tuple[ProviderId, str] | None = None
) -> PinSet:
    """Return an approved pin set.

    Args:
        verifier: Of the authority of the config.
        signed: The row.
        expected: Provider and name of the origin that the pins must be of.

    Raises:
        TrustBroken: The authority did not sign it, it is of another origin than `expected`, or it
            has no pin.
    """
    pins = _verified(verifier, Label.PINS, signed, PinSet)
    sound = pins.serial >= 1 and all(len(pin) == _PIN_BYTES for pin in pins.pins)
    enough = len(set(pins.pins)) >= (1 if pins.danger_no_backup else 2)
    _require(sound and enough, Label.PINS)
    _require_expected(expected in (None, (pins.provider, pins.origin)), Label.PINS)
    return pins


def sign_tenant_key(authority: Authority, key: TenantKey) -> Signed:
    """Say that a public key is a tenant's."""
    return authority.sign(Label.TENANT_KEY, _encode(key))


def verified_tenant_key(
    verifier: AuthorityVerifier,
    signed: Signed,
    *,
    tenant: TenantId | None = None,
    key_id: str | None = None,
) -> TenantKey:
    """Return a tenant's public key.

    Raises:
        TrustBroken: The authority did not sign it, or it is another's than `tenant`, or another
            key than `key_id`.
    """
    key = _verified(verifier, Label.TENANT_KEY, signed, TenantKey)
    _require(len(key.public) == _KEY_BYTES, Label.TENANT_KEY)
    _require_expected(tenant in (None, key.tenant), Label.TENANT_KEY)
    _require_expected(key_id in (None, key.id), Label.TENANT_KEY)
    return key


def sign_egress_address(authority: Authority, address: EgressAddress) -> Signed:
    """Publish an egress address, or retire it."""
    return authority.sign(Label.EGRESS, _encode(address))


def verified_egress_address(
    verifier: AuthorityVerifier, signed: Signed, *, expected: EgressId | None = None
) -> EgressAddress:
    """Return an egress address as the authority published it.

    Raises:
        TrustBroken: The authority did not sign it, or it is another one than `expected`.
    """
    address = _verified(verifier, Label.EGRESS, signed, EgressAddress)
    _require(address.serial >= 1, Label.EGRESS)
    _require_expected(expected in (None, address.id), Label.EGRESS)
    return address


def sign_feed(authority: Authority, feed: Feed) -> Signed:
    """Say which addresses calls leave from. The payload is the document that everyone may read."""
    return authority.sign(Label.FEED, encode_ranges(feed))


def verified_feed(verifier: AuthorityVerifier, signed: Signed) -> Feed:
    """Return the address feed as the authority signed it; the caller looks at its times.

    Raises:
        TrustBroken: The authority did not sign it.
    """
    payload = verifier.verify(Label.FEED, signed)
    try:
        feed = decode_ranges(payload)
    except (ValueError, OverflowError, RecursionError):
        raise _malformed(Label.FEED) from None
    _require(feed.serial >= 1 and feed.created_at < feed.valid_until, Label.FEED)
    return feed


def job_result_payload(result: JobResult) -> bytes:
    """Return what is signed for a job: with it, `Signed` can be made again from a job's row."""
    return _encode(result)


def sign_job_result(authority: Authority, result: JobResult) -> Signed:
    """Sign what a job found out, together with the question."""
    return authority.sign(Label.JOB_RESULT, job_result_payload(result))


def verified_job_result(
    verifier: AuthorityVerifier, signed: Signed, *, expected: JobId | None = None
) -> JobResult:
    """Return a job's result.

    The caller compares `kind` and `arguments` with what it asked for.

    Raises:
        TrustBroken: The authority did not sign it, or it is another job's than `expected`.
    """
    result = _verified(verifier, Label.JOB_RESULT, signed, JobResult)
    _require_expected(expected in (None, result.job), Label.JOB_RESULT)
    return result


def rebuilt_job_result(
    job: JobId, kind: str, arguments: Mapping[str, str], result: Mapping[str, object], mark: bytes
) -> Signed:
    """Put a signed result together again from the columns of a job's row.

    Args:
        job: The row's id.
        kind: Its kind.
        arguments: Its arguments.
        result: Its result, as JSON gives it back.
        mark: The signature.
    """
    return Signed(job_result_payload(JobResult(job, kind, dict(arguments), dict(result))), mark)


def _encode(statement: object) -> bytes:
    return msgspec.json.encode(statement, order="sorted")


def _verified(verifier: AuthorityVerifier, label: Label, signed: Signed, kind: type[_T]) -> _T:
    payload = verifier.verify(label, signed)
    try:
        statement = msgspec.json.decode(payload, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _malformed(label) from None
    return statement


def _require(sound: bool, label: Label) -> None:
    if not sound:
        raise _malformed(label)


def _require_expected(same: bool, label: Label) -> None:
    if not same:
        raise TrustBroken(
            f"a record ({label}) stands in another's place",
            "rows of the database were swapped; look who can write it",
        )


def _malformed(label: Label) -> TrustBroken:
    return TrustBroken(
        f"a signed record ({label}) is not of the form that this version knows",
        "was it written by a newer version?",
    )
