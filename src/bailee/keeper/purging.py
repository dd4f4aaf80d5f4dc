"""Deleting rows that are of no use any more."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

from bailee.errors import BaileeError
from bailee.keeper.rounds import every
from bailee.manage.purge import purge
from bailee.store.engine import Store

ROUND_SECONDS: Final = 600.0
_log = structlog.get_logger("keeper")


@dataclass(frozen=True, slots=True)
class Purging:
    """Deletes expired derived tokens, and answers that were kept for repetitions for a day."""

    store: Store
    clock: Callable[[], float]
    """Unix seconds."""

    async def run(self, draining: asyncio.Event, seconds: float = ROUND_SECONDS) -> None:
        """Purge now and every ten minutes, until `draining` is set."""
        await every(seconds, draining, self.purge_and_log)

    async def purge_and_log(self) -> None:
        """Purge; what fails is logged and tried again in the next round."""
        try:
            purged = await asyncio.to_thread(purge, self.store, self.clock())
        except BaileeError as failure:
            _log.error("nothing was purged", code=failure.code, detail=failure.detail)
            return
        if purged.tokens or purged.replays:
            _log.info("purged", tokens=purged.tokens, answers=purged.replays)
