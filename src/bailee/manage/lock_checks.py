"""Checks of locks: asked for here, made by the keeper."""

from typing import Final

from bailee.errors import ConnectionRevoked, NoEgressAddress, NotFound
from bailee.manage import jobs
from bailee.model import ConnectionId, ConnectionState, EgressState, Job, Probing, TenantId
from bailee.store import connections as rows
from bailee.store import egress as egress_rows
from bailee.store.engine import Store

CHECK_LOCK: Final = "check_lock"
"""The kind of job that measures a lock. Arguments: `connection`, and `accept` = `risky` if so."""


def request_check(
    store: Store,
    tenant: TenantId,
    connection: ConnectionId,
    now: float,
    *,
    accept_risky: bool = False,
) -> Job:
    """Ask the keeper to measure a connection's lock.

    Args:
        store: The database.
        tenant: Whose connection it is.
        connection: An active connection.
        now: Unix seconds.
        accept_risky: Whether it may be tried from a decoy this once where that may lock the key or
            alarm its user.

    Raises:
        NotFound: The tenant has no such connection.
        ConnectionRevoked: It is revoked.
        NoEgressAddress: The address that its calls leave from is retired.
    """
    with store.write() as conn:
        found = rows.find(conn, tenant, connection)
        if found is None:
            raise NotFound("there is no such connection")
        if found.state is not ConnectionState.ACTIVE:
            raise ConnectionRevoked()
        row = egress_rows.find(conn, found.egress)
        if row is None or row.address.state is not EgressState.ACTIVE:
            raise NoEgressAddress("the connection's egress address is not active")
        arguments = {"connection": str(connection)}
        if accept_risky:
            arguments["accept"] = str(Probing.RISKY)
        return jobs.insert(conn, tenant, CHECK_LOCK, arguments, row.address.name, now)
