"""What is of no use any more is deleted, a little at a time: the keeper asks for it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from bailee.manage.replays import KEPT_SECONDS
from bailee.store import once, replays, tokens
from bailee.store.engine import Store

AT_ONCE: Final = 1000
"""Rows of one transaction: other writers need not wait long."""


@dataclass(frozen=True, slots=True)
class Purged:
    """How many rows were deleted."""

    tokens: int
    replays: int
    once_keys: int


def purge(store: Store, now: float, once_seconds: float) -> Purged:
    """Delete expired derived tokens, answers kept for a day, and once-keys as old as is told."""
    return Purged(
        tokens=_all(store, lambda conn: tokens.purge_derived(conn, now, AT_ONCE)),
        replays=_all(store, lambda conn: replays.purge(conn, now - KEPT_SECONDS, AT_ONCE)),
        once_keys=_all(store, lambda conn: once.purge(conn, now - once_seconds, AT_ONCE)),
    )


def _all(store: Store, some: Callable[[Connection], int]) -> int:
    whole = 0
    while True:
        with store.write() as conn:
            deleted = some(conn)
        whole += deleted
        if deleted < AT_ONCE:
            return whole
