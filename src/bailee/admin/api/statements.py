"""Statements that operators send: the authority's signature is looked at before anything else.

A false signature in a request is the sender's fault (422). The same in a row of the database is
`trust-broken`, and the operator's to mend.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from bailee.admin.api.forms import Statement
from bailee.errors import BadInput, TrustBroken
from bailee.model import EgressAddress, PinSet, ProviderId, Signed, TenantId
from bailee.vault.authority import AuthorityVerifier
from bailee.vault.statements import (
    verified_egress_address,
    verified_pin_set,
    verified_provider,
    verified_tenant_key,
)


def provider_approval(
    verifier: AuthorityVerifier, statement: Statement, provider: ProviderId
) -> Signed:
    """Return the approval of that very provider.

    Raises:
        BadInput: The authority did not sign it, or it is about another provider.
    """
    with _of_the_sender():
        verified_provider(verifier, statement.signed, expected=provider)
    return statement.signed


def pin_set(
    verifier: AuthorityVerifier, statement: Statement, provider: ProviderId
) -> tuple[PinSet, Signed]:
    """Return the pins of one of that provider's origins.

    Raises:
        BadInput: The authority did not sign it, or it is about another provider.
    """
    with _of_the_sender():
        pins = verified_pin_set(verifier, statement.signed)
    if pins.provider != provider:
        raise BadInput("the statement is about another provider than the path")
    return pins, statement.signed


def egress_address(
    verifier: AuthorityVerifier, statement: Statement
) -> tuple[EgressAddress, Signed]:
    """Return an egress address as the authority wants it published.

    Raises:
        BadInput: The authority did not sign it.
    """
    with _of_the_sender():
        address = verified_egress_address(verifier, statement.signed)
    return address, statement.signed


def tenant_key(verifier: AuthorityVerifier, statement: Statement, tenant: TenantId) -> Signed:
    """Return the public half of that very tenant's key.

    Raises:
        BadInput: The authority did not sign it, or it is another tenant's.
    """
    with _of_the_sender():
        verified_tenant_key(verifier, statement.signed, tenant=tenant)
    return statement.signed


@contextmanager
def _of_the_sender() -> Iterator[None]:
    try:
        yield
    except TrustBroken as error:
        raise BadInput(
            f"the statement is refused: {error.detail}",
            "sign it with the root key and the config of this installation",
        ) from None
