"""Learning pins: ask the keeper to look, wait, and believe only what it signed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from bailee.cli.admin_api import AdminApi
from bailee.cli.jobs import await_job, signed_result
from bailee.errors import BadInput, TrustBroken
from bailee.model import Pin, PinSet, ProviderId, SeenCertificate
from bailee.policy.pin import format_pin, parse_pin
from bailee.vault.authority import AuthorityVerifier

KIND = "learn_pin"
SEEN_COLUMNS = ("role", "subject", "issuer", "key", "not_after", "pin")


@dataclass(frozen=True, slots=True)
class Learned:
    """The verified chain of one origin as the keeper signed it, the leaf first."""

    provider: str
    origin: str
    chain: tuple[SeenCertificate, ...]


class _SeenCertificate(msgspec.Struct, frozen=True):
    subject: str
    issuer: str
    pin: str
    key: str
    not_before: float
    not_after: float
    role: Literal["leaf", "issuer", "root"]

    def certificate(self) -> SeenCertificate:
        return SeenCertificate(
            subject=self.subject,
            issuer=self.issuer,
            pin=parse_pin(self.pin),
            key=self.key,
            not_before=self.not_before,
            not_after=self.not_after,
            role=self.role,
        )


class _Seen(msgspec.Struct, frozen=True):
    """The result of a `learn_pin` job."""

    provider: str
    origin: str
    chain: list[_SeenCertificate]


def learn_chain(
    admin: AdminApi,
    verifier: AuthorityVerifier,
    provider: str,
    origin: str | None,
    egress: str | None,
) -> Learned:
    """Ask for a look at an origin's chain and wait for it, for at most 90 seconds.

    Raises:
        BaileeError: What the admin API answered, or why the keeper could not look.
        Conflict: No keeper did it in time.
        TrustBroken: The result is not signed by the authority, or answers another question.
    """
    arguments = {"provider": provider} | ({} if origin is None else {"origin": origin})
    asked = admin.send("/v1/jobs", {"kind": KIND, "arguments": arguments, "egress": egress})
    return _verified(verifier, await_job(admin, str(asked["id"])), provider, origin)


def approved_set(
    learned: Learned,
    wanted: Sequence[Pin],
    spare: Sequence[Pin],
    serial: int,
) -> PinSet:
    """Make the pin set that is to be signed.

    Raises:
        BadInput: A wanted pin is not in the chain, or a backup is.
    """
    seen = {certificate.pin for certificate in learned.chain}
    for pin in wanted:
        if pin not in seen:
            raise BadInput(
                f"{format_pin(pin)} is not in the verified chain just seen: nothing was approved",
                "approve a pin of the chain; if none is the one you know, this may be a fake API",
            )
    for pin in spare:
        if pin in seen:
            raise BadInput(
                f"{format_pin(pin)} is in the present chain: it is no backup",
                "a backup is the pin of a key that is not in use yet",
            )
    pins = tuple(dict.fromkeys((*wanted, *spare)))
    return PinSet(ProviderId(learned.provider), learned.origin, serial, pins, not spare)


def seen_row(certificate: SeenCertificate) -> dict[str, Any]:
    """Describe a certificate for people and for JSON."""
    return {
        "role": certificate.role,
        "subject": certificate.subject,
        "issuer": certificate.issuer,
        "key": certificate.key,
        "not_before": certificate.not_before,
        "not_after": certificate.not_after,
        "pin": format_pin(certificate.pin),
    }


def advise(learned: Learned) -> Iterator[str]:
    """Say which pins would be good ones."""
    leaf = learned.chain[0]
    yield ""
    yield "compare these pins with what the provider publishes, or look from another network"
    yield "leaf pin: stops every other key; approve a new one when the provider changes its key:"
    yield f"  --approve {format_pin(leaf.pin)}"
    for certificate in learned.chain[1:]:
        if certificate.role == "issuer":
            yield "issuer pin: outlives new leaf keys; does not stop a mis-issuance by this CA:"
            yield f"  --approve {format_pin(certificate.pin)}"
    yield "add --backup with the pin of a key that is not in use yet"


def _verified(
    verifier: AuthorityVerifier, job: dict[str, Any], provider: str, origin: str | None
) -> Learned:
    result = signed_result(verifier, job)
    try:
        seen = msgspec.convert(result.result, _Seen)
        chain = tuple(each.certificate() for each in seen.chain)
    except (msgspec.ValidationError, BadInput):
        raise TrustBroken("the job's result is not of the form that this version knows") from None
    same = result.kind == KIND and seen.provider == provider and origin in (None, seen.origin)
    if not chain or not same:
        raise TrustBroken("the job's result answers another question than the one asked")
    return Learned(provider, seen.origin, chain)
