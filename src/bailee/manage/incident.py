"""The incident button: many connections are revoked at once, and it is known whom to tell."""

from bailee.model import ProviderId
from bailee.store import revoking as rows
from bailee.store.engine import Store
from bailee.store.revoking import RevokedConnection
from bailee.store.scope import Scope


def revoke_many(
    store: Store,
    scope: Scope,
    now: float,
    *,
    provider: ProviderId | None = None,
    subject: str | None = None,
) -> list[RevokedConnection]:
    """Revoke all active connections of a scope that fit each filter given.

    Their credentials are deleted, and the grants and derived tokens that name them are revoked, all
    in one transaction: either all are revoked or none. Gateways follow within a second.

    Args:
        store: The database.
        scope: One tenant, or `ALL_TENANTS`.
        now: Unix seconds.
        provider: Only connections to this one.
        subject: Only connections of this one.

    Returns:
        What was active until now, in the order of the ids: whom to tell.
    """
    with store.write() as conn:
        return rows.revoke_many(conn, scope, now, provider=provider, subject=subject)
