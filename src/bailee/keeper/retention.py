"""Removing what the journal has kept for long enough, with the authority's word for it."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from bailee.errors import BaileeError
from bailee.journal.chain import Head
from bailee.journal.checkpoint import checkpoint_payload
from bailee.journal.entry import Event
from bailee.journal.retention import outdated, remove_files, without_faults
from bailee.journal.writer import Journal
from bailee.keeper.rounds import every
from bailee.keeper.signing import AuthorityAccess
from bailee.model import DEFAULT_TENANT, Signed
from bailee.store import chains as rows
from bailee.store.chains import StoredChain
from bailee.store.engine import Store
from bailee.vault.authority import AuthorityVerifier, Label

ROUND_SECONDS: Final = 3600.0
_DAY: Final = 86_400.0
_PAGE: Final = 1000
_log = structlog.get_logger("keeper")


class Retention:
    """Removes the files of chains whose last line is older than so many days.

    A removal is signed and stored, then recorded, and only then made: whatever comes in between,
    `journal verify` knows a file that was removed from one that somebody took away.

    Args:
        store: Knows chains and checkpoints.
        access: To the authority.
        verifier: Of the authority of the config.
        journal: Of the role `keeper`, in which each removal is recorded.
        directory: The journal's.
        keep_days: At least 1.
        clock: Unix seconds.
    """

    def __init__(
        self,
        store: Store,
        access: AuthorityAccess,
        verifier: AuthorityVerifier,
        journal: Journal,
        directory: Path,
        keep_days: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._access = access
        self._verifier = verifier
        self._journal = journal
        self._directory = directory
        self._keep_days = keep_days
        self._clock = clock

    def __repr__(self) -> str:
        return f"Retention({self._keep_days} days)"

    async def run(self, draining: asyncio.Event) -> None:
        """Look now and every hour, until `draining` is set."""
        await every(ROUND_SECONDS, draining, self.remove_old)

    async def remove_old(self) -> tuple[Head, ...]:
        """Remove what is old enough; what fails is logged and tried again.

        Returns:
            The last lines of the chains that were removed.
        """
        try:
            removed = await asyncio.to_thread(self._attest)
            for last in removed:
                self._journal.record(self._event(last))
            names = [last.chain for last in removed]
            await asyncio.to_thread(remove_files, self._directory, names)
        except (BaileeError, OSError) as failure:
            _log.error("old files of the journal stay", reason=str(failure))
            return ()
        return removed

    def _attest(self) -> tuple[Head, ...]:
        """Find what is old and without a fault, and store the authority's statement about it."""
        chains = {chain.id: chain for chain in self._chains()}
        before = self._clock() - self._keep_days * _DAY
        old = outdated(self._directory, chains.values(), before)
        if not old:
            return ()
        asked = [chains[name] for name in old]
        good = without_faults(self._directory, asked, self._checkpoints(), self._payload)
        for name in sorted(old.keys() - good):
            _log.error("an old chain of the journal has a fault, and stays", chain=name)
        removed = tuple(old[name] for name in sorted(good))
        if removed:
            now = self._clock()
            payload = checkpoint_payload((), now, removed)
            signed = self._access.authority().sign(Label.CHECKPOINT, payload)
            with self._store.write() as conn:
                rows.insert_checkpoint(conn, signed, now)
        return removed

    def _payload(self, signed: Signed) -> bytes:
        return self._verifier.verify(Label.CHECKPOINT, signed)

    def _chains(self) -> list[StoredChain]:
        found: list[StoredChain] = []
        after: str | None = None
        with self._store.read() as conn:
            while page := rows.list_page(conn, after=after, limit=_PAGE):
                found += page
                after = page[-1].id
        return found

    def _checkpoints(self) -> list[Signed]:
        found: list[Signed] = []
        after: int | None = None
        with self._store.read() as conn:
            while page := rows.list_checkpoints(conn, after=after, limit=_PAGE):
                found += [row.signed for row in page]
                after = page[-1].id
        return found

    def _event(self, last: Head) -> Event:
        return Event(
            kind="journal.removed",
            at=self._clock(),
            actor="keeper",
            tenant=DEFAULT_TENANT,
            target=last.chain,
            detail={"lines": str(last.seq), "hash": last.hash, "keep_days": str(self._keep_days)},
        )
