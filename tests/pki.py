"""Certificates that a verifier must refuse, beside the good ones of `bailee.reference.pki`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from bailee.reference.pki import (
    Extension,
    Issued,
    World,
    ca_extensions,
    create_leaf,
    create_root,
    leaf_extensions,
    sign_certificate,
)

NAME = "api.test"


@dataclass(frozen=True, slots=True)
class Bad:
    """A server certificate that must be refused, and the root that the client trusts."""

    leaf: Issued
    root: Issued


def bad_leaves(world: World, rogue: World) -> dict[str, Bad]:
    """Everything that a client of `api.test` that trusts `world` must refuse, by its fault.

    One verifier alone takes some of them: OpenSSL takes a leaf without extended key usage, so does
    `cryptography` unless its policy requires one, and Python's `ssl` takes a common name unless
    `hostname_checks_common_name` is off.
    """
    return {
        "expired": Bad(expired_leaf(world.issuer), world.root),
        "not yet valid": Bad(future_leaf(world.issuer), world.root),
        "wrong name": Bad(create_leaf(world.issuer, ["other.test"]), world.root),
        "common name alone": Bad(
            leaf_without(world.issuer, x509.SubjectAlternativeName), world.root
        ),
        "no extended key usage": Bad(leaf_without(world.issuer, x509.ExtendedKeyUsage), world.root),
        "clientAuth alone": Bad(client_leaf(world.issuer), world.root),
        "root without keyUsage": under(root_without_key_usage()),
        "root with lax basicConstraints": under(root_with_lax_constraints()),
        "rogue CA": Bad(rogue.leaf, world.root),
        "rogue CA, good issuer appended": Bad(with_appended(rogue.leaf, world), world.root),
        "self-signed": Bad(self_signed_leaf(), world.root),
    }


def under(root: Issued) -> Bad:
    """A faultless leaf below a faulty root that the client trusts."""
    return Bad(create_leaf(root, [NAME]), root)


def expired_leaf(issuer: Issued, names: Sequence[str] = (NAME,)) -> Issued:
    """A leaf that ended an hour ago."""
    now = datetime.now(UTC)
    starts, ends = now - timedelta(days=2), now - timedelta(hours=1)
    return sign_certificate(names[0], issuer, leaf_extensions(names), starts=starts, ends=ends)


def future_leaf(issuer: Issued, names: Sequence[str] = (NAME,)) -> Issued:
    """A leaf that starts in an hour."""
    starts = datetime.now(UTC) + timedelta(hours=1)
    return sign_certificate(names[0], issuer, leaf_extensions(names), starts=starts)


def leaf_without(issuer: Issued, kind: type[x509.ExtensionType]) -> Issued:
    """A leaf that lacks one extension: without SAN its name stands in the common name alone."""
    kept = [each for each in leaf_extensions([NAME]) if not isinstance(each.value, kind)]
    return sign_certificate(NAME, issuer, kept)


def client_leaf(issuer: Issued) -> Issued:
    """A leaf that is for clients alone."""
    kept = [e for e in leaf_extensions([NAME]) if not isinstance(e.value, x509.ExtendedKeyUsage)]
    client = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
    return sign_certificate(NAME, issuer, [*kept, Extension(client, critical=False)])


def root_without_key_usage() -> Issued:
    """A root as many a how-to makes it: OpenSSL's strict mode and `cryptography` refuse it."""
    kept = [each for each in ca_extensions() if not isinstance(each.value, x509.KeyUsage)]
    return create_root("lax root", extensions=kept)


def root_with_lax_constraints() -> Issued:
    """A root whose basicConstraints are not critical."""
    lax = [
        Extension(each.value, each.critical and not isinstance(each.value, x509.BasicConstraints))
        for each in ca_extensions()
    ]
    return create_root("lax root", extensions=lax)


def self_signed_leaf() -> Issued:
    """A leaf that nobody signed but itself."""
    return sign_certificate(NAME, None, leaf_extensions([NAME]))


def with_appended(leaf: Issued, other: World) -> Issued:
    """The same leaf, presented with the other world's issuers behind its own.

    A pin that is looked for in what was presented, and not in the chain that was verified, is
    found there.
    """
    others = [each.certificate for each in (other.intermediate, other.root) if each is not None]
    return replace(leaf, above=(*leaf.above, *others))
