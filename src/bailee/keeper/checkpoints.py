"""Checkpoints: the authority's signature under where all chains of the journal stood."""

import asyncio
import hashlib
import time
from collections.abc import Callable, Iterator
from typing import Final

import structlog
from sqlalchemy import Connection

from bailee.errors import BaileeError
from bailee.journal.chain import Head
from bailee.journal.checkpoint import checkpoint_payload
from bailee.journal.entry import Event
from bailee.journal.writer import Journal
from bailee.keeper.rounds import every
from bailee.keeper.signing import AuthorityAccess
from bailee.model import DEFAULT_TENANT
from bailee.store import chains as rows
from bailee.store.engine import Store
from bailee.vault.authority import Label

_PAGE: Final = 1000
_log = structlog.get_logger("keeper")


class Checkpoints:
    """Signs the heads that the store knows.

    The first checkpoint of a start states every chain; the later ones, what has moved since: a
    mark once signed holds for good. Nothing is signed while nobody but the keeper writes.

    Args:
        store: Knows the chains; keeps the checkpoints.
        access: To the authority.
        journal: Of the role `keeper`, in which each checkpoint is recorded.
        clock: Unix seconds.
    """

    def __init__(
        self,
        store: Store,
        access: AuthorityAccess,
        journal: Journal,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._access = access
        self._journal = journal
        self._clock = clock
        self._signed: dict[str, Head] = {}

    def __repr__(self) -> str:
        return f"Checkpoints({len(self._signed)} chains)"

    async def run(self, seconds: float, draining: asyncio.Event) -> None:
        """Sign a checkpoint now and every `seconds`, until `draining` is set."""
        await every(seconds, draining, self.sign_and_record)

    async def sign_and_record(self) -> None:
        """Sign a checkpoint and write it into the journal; what fails is logged and tried again."""
        try:
            payload = await asyncio.to_thread(self.sign)
            if payload is not None:
                self._journal.record(self._event(payload))
        except BaileeError as failure:
            _log.error("no checkpoint", code=failure.code, detail=failure.detail, hint=failure.hint)

    def sign(self, *, last: bool = False) -> bytes | None:
        """Sign what has moved, and store it.

        Args:
            last: Whether the keeper's own chain has moved for the last time, and so counts.

        Returns:
            The payload; None when nothing has moved.

        Raises:
            VaultClosed: There is no root key to sign with.
            StoreUnavailable: The database does not answer.
        """
        with self._store.read() as conn:
            heads = {head.chain: head for head in _heads(conn)}
        moved = {chain: h for chain, h in heads.items() if h != self._signed.get(chain)}
        own = self._journal.head().chain
        if not moved or (not last and moved.keys() == {own} and own in self._signed):
            return None
        payload = checkpoint_payload(moved.values(), self._clock())
        signed = self._access.authority().sign(Label.CHECKPOINT, payload)
        with self._store.write() as conn:
            rows.insert_checkpoint(conn, signed, self._clock())
        self._signed = heads
        return payload

    def _event(self, payload: bytes) -> Event:
        return Event(
            kind="journal.checkpoint",
            at=self._clock(),
            actor="keeper",
            tenant=DEFAULT_TENANT,
            target="",
            detail={"sha256": hashlib.sha256(payload).hexdigest()},
        )


def _heads(conn: Connection) -> Iterator[Head]:
    after: str | None = None
    while page := rows.list_page(conn, after=after, limit=_PAGE):
        for chain in page:
            if chain.head_seq and chain.head_hash:
                yield Head(chain.id, chain.head_seq, chain.head_hash)
        after = page[-1].id
