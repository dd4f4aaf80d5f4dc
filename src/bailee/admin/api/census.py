"""How many of what there are, over all tenants, for /metrics."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from bailee.model import EgressState, LockState
from bailee.store import counts, egress, locks, revision
from bailee.store.engine import Store
from bailee.store.scope import ALL_TENANTS


@dataclass(frozen=True, slots=True)
class Census:
    """Counts by state, each state with 0 too; of no tenant alone."""

    revision: int
    by_state: Mapping[str, Mapping[str, int]]


def take_census(store: Store) -> Census:
    """Count all rows at one moment. It reads them all.

    Raises:
        StoreUnavailable: The database does not answer.
    """
    with store.read() as conn:
        counted = counts.count(conn, ALL_TENANTS)
        addresses = Counter(row.address.state for row in egress.list_all(conn))
        measured: Counter[LockState] = Counter()
        for each in locks.count(conn, ALL_TENANTS):
            measured[each.state] += each.connections
        current = revision.current(conn)
    return Census(
        current,
        {
            "connections": counted.connections,
            "jobs": counted.jobs,
            "locks": {str(state): measured[state] for state in LockState},
            "callers": {"live": counted.callers},
            "grants": {"live": counted.grants},
            "egress_addresses": {str(state): addresses[state] for state in EgressState},
        },
    )
