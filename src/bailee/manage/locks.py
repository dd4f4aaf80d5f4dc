"""Locks: what the keeper measured, and how many connections stand how."""

from bailee.errors import NotFound
from bailee.manage.forms import parse_limit
from bailee.model import ConnectionId, LockState, ProviderId, TenantId
from bailee.store import locks as rows
from bailee.store.engine import Store
from bailee.store.locks import LockCount, LockStanding, StoredLock
from bailee.store.scope import Scope


def put(store: Store, lock: StoredLock) -> bool:
    """Store what was measured of a connection, in the place of the last measurement.

    Returns:
        False when the connection was rotated, revoked or erased meanwhile: nothing is stored.
    """
    with store.write() as conn:
        return rows.put(conn, lock)


def show(store: Store, tenant: TenantId, connection: ConnectionId) -> LockStanding:
    """Tell the lock of a connection: `unchecked` when nothing was measured of it as it is now.

    Raises:
        NotFound: The tenant has no such connection.
    """
    with store.read() as conn:
        found = rows.find(conn, tenant, connection)
    if found is None:
        raise NotFound("there is no such connection")
    return found


def page(
    store: Store,
    scope: Scope,
    *,
    provider: ProviderId | None = None,
    state: LockState | None = None,
    after: str | None = None,
    limit: int = 100,
) -> list[LockStanding]:
    """List the locks of active connections, unchecked ones too, in the order of their ids.

    Raises:
        BadInput: `limit` is not 1 to 1000.
    """
    with store.read() as conn:
        return rows.list_page(
            conn, scope, provider=provider, state=state, after=after, limit=parse_limit(limit)
        )


def exposure(store: Store, scope: Scope) -> list[LockCount]:
    """Count active connections by provider and state of their lock; what counts 0 is left out."""
    with store.read() as conn:
        return rows.count(conn, scope)
