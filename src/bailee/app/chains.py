"""The journal's side of the store: where every role makes its chains known."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import structlog

from bailee.errors import BaileeError, Conflict, NotFound, StoreUnavailable
from bailee.journal.writer import Journal
from bailee.store.chains import ChainRows
from bailee.store.engine import Store

HEAD_STORE_SECONDS: Final = 0.5
"""How often a chain's head is stored: promised is at most one second (R43)."""
_log = structlog.get_logger()


class StoreChains:
    """A `journal.writer.ChainRegister` over the store's rows. Any thread may call it.

    A row that was deleted under a living chain, or stands in the way of a new one, is a store that
    does not answer as it should: the journal knows that error, and goes on as soon as it can.
    """

    def __init__(self, store: Store) -> None:
        self._rows = ChainRows(store)

    def __repr__(self) -> str:
        return "StoreChains()"

    def register(self, chain: str, role: str, file: str, started_at: float) -> None:
        """Note a chain before its file exists.

        Raises:
            StoreUnavailable: The database did not answer, or knows a chain of that id.
        """
        with _translated():
            self._rows.register(chain, role, file, started_at)

    def store_head(self, chain: str, seq: int, hash: str, at: float) -> None:
        """Note how far a chain has come.

        Raises:
            StoreUnavailable: The database did not answer, or has lost the chain.
        """
        with _translated():
            self._rows.store_head(chain, seq, hash, at)

    def close(self, chain: str, seq: int, hash: str, at: float) -> None:
        """Note the last line of a chain, which is its end record.

        Raises:
            StoreUnavailable: The database did not answer, or has lost the chain.
        """
        with _translated():
            self._rows.close(chain, seq, hash, at)


async def store_heads_forever(journal: Journal) -> None:
    """Store the head of a journal in a thread, again and again, until cancelled."""
    while True:
        await asyncio.sleep(HEAD_STORE_SECONDS)
        try:
            await asyncio.to_thread(journal.store_head)
        except BaileeError as failure:
            _log.error("the journal's head is not stored", code=failure.code, detail=failure.detail)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except NotFound as error:
        raise StoreUnavailable(
            "the database has lost a chain of the journal", "look who can write to the database"
        ) from error
    except Conflict as error:
        raise StoreUnavailable("the database knows this chain of the journal already") from error
