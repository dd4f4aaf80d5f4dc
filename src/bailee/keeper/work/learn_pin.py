"""Look at the certificate chain of an origin, from the address that calls will leave from."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

from bailee.egress.chain import VerifiedChain
from bailee.egress.dial import Door, observe_chain
from bailee.egress.pin import compute_pin
from bailee.egress.resolve import Resolver
from bailee.errors import BadInput, NoEgressAddress, NotFound
from bailee.journal.entry import Event
from bailee.journal.writer import Journal
from bailee.keeper.jobs import Finished
from bailee.keeper.signing import AuthorityAccess
from bailee.manage import egress
from bailee.manage.providers import find_approved
from bailee.model import Job, Origin, ProviderId
from bailee.policy.pin import format_pin
from bailee.store.engine import Store
from bailee.vault.authority import AuthorityVerifier
from bailee.vault.statements import JobResult, sign_job_result

NAME_CHARACTERS = 300
"""Of a certificate's subject or issuer; more is cut, for the peer chose it."""
_CURVES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}


@dataclass(frozen=True, slots=True)
class EgressSource:
    """An address that this node can dial from (`bind`), and what the outside sees (`public`)."""

    bind: str
    public: str


@dataclass(frozen=True, slots=True)
class LearnPin:
    """The work `learn_pin`. Arguments of the job: `provider`, and `origin` or none for the default.

    The result is `{provider, origin, host, port, chain: [{subject, issuer, pin, key, not_before,
    not_after, role}]}`: the chain that both verifiers accepted, leaf first; times are Unix seconds.
    """

    store: Store
    verifier: AuthorityVerifier
    access: AuthorityAccess
    resolver: Resolver
    journal: Journal
    sources: Mapping[str, EgressSource]
    """By the name of the `[[egress]]` entry."""
    clock: Callable[[], float] = time.time

    async def __call__(self, job: Job) -> Finished:
        """Do the job. The peer gets a ClientHello, and nothing of ours after it.

        Raises:
            VaultClosed: The result could not be signed; nobody was dialled.
            NotFound, ProviderNotApproved, TrustBroken: No such origin is approved.
            NoEgressAddress: The address is not published, or not as this node's config says.
            NameUnresolved, AddressRefused, EgressAddressMissing, ProviderUnreachable,
            CertificateRefused: As the look at the chain found it.
            JournalUnavailable: It can't be recorded.
        """
        authority = await asyncio.to_thread(self.access.authority)
        origin, door = await asyncio.to_thread(self._find, job)
        chain = await observe_chain(door, self.resolver)
        result: dict[str, object] = {
            "provider": job.arguments["provider"],
            "origin": origin.name,
            "host": origin.host,
            "port": origin.port,
            "chain": describe_chain(chain),
        }
        signed = sign_job_result(authority, JobResult(job.id, job.kind, job.arguments, result))
        self.journal.record(self._event(job, origin, chain))
        return Finished(result, signed.signature)

    def _find(self, job: Job) -> tuple[Origin, Door]:
        """The origin as the authority approved it, and where to leave from."""
        provider = job.arguments.get("provider")
        if provider is None:
            raise BadInput("the job names no provider")
        with self.store.read() as conn:
            approved = find_approved(conn, self.verifier, ProviderId(provider))
        origin = approved.origin(job.arguments.get("origin"))
        if origin is None:
            raise NotFound("the provider has no such origin")
        return origin, Door(origin, self._source(job.egress))

    def _source(self, name: str) -> str:
        try:
            published = egress.find(self.store, self.verifier, name)
        except NotFound as error:
            raise NoEgressAddress(f"egress address {name} is not active") from error
        source = self.sources.get(name)
        if source is None or source.public != published.public:
            raise NoEgressAddress(
                f"this node has no [[egress]] {name} for {published.public}",
                "correct [[egress]], or publish the address that it has",
            )
        return source.bind

    def _event(self, job: Job, origin: Origin, chain: VerifiedChain) -> Event:
        leaf = format_pin(compute_pin(chain.certificates[0]))
        return Event(
            kind="pin.seen",
            at=self.clock(),
            actor="keeper",
            tenant=job.tenant,
            target=job.arguments["provider"],
            detail={"job": job.id, "origin": origin.name, "egress": job.egress, "leaf": leaf},
        )


def describe_chain(chain: VerifiedChain) -> list[dict[str, object]]:
    """Describe a verified chain, leaf first, in values of JSON."""
    last = len(chain.certificates) - 1
    return [
        {
            "subject": _name(certificate.subject),
            "issuer": _name(certificate.issuer),
            "pin": format_pin(compute_pin(certificate)),
            "key": _kind_of_key(certificate),
            "not_before": int(certificate.not_valid_before_utc.timestamp()),
            "not_after": int(certificate.not_valid_after_utc.timestamp()),
            "role": "leaf" if place == 0 else "root" if place == last else "issuer",
        }
        for place, certificate in enumerate(chain.certificates)
    ]


def _name(name: x509.Name) -> str:
    """A name as RFC 4514 writes it, which the peer chose: what can't be printed is escaped."""
    text = name.rfc4514_string()
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return shown[:NAME_CHARACTERS]


def _kind_of_key(certificate: x509.Certificate) -> str:
    key = certificate.public_key()
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"EC {_CURVES.get(key.curve.name, key.curve.name)}"
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA {key.key_size}"
    if isinstance(key, ed25519.Ed25519PublicKey):
        return "Ed25519"
    if isinstance(key, ed448.Ed448PublicKey):
        return "Ed448"
    return "unknown"
