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
_DAY_SECONDS: Final = 86_400.0
_log = structlog.get_logger("keeper")


@dataclass(frozen=True, slots=True)
class Purging:
    """Deletes expired derived tokens, answers kept for repetitions for a day, old once-keys."""

    store: Store
    clock: Callable[[], float]
    """Unix seconds."""
    once_days: int
    """How old a key of `Bailee-Once` becomes."""

    async def run(self, draining: asyncio.Event, seconds: float = ROUND_SECONDS) -> None:
        """Purge now and every ten minutes, until `draining` is set."""
        await every(seconds, draining, self.purge_and_log)

    async def purge_and_log(self) -> None:
        """Purge; what fails is logged and tried again in the next round."""
        try:
            purged = await asyncio.to_thread(
                purge, self.store, self.clock(), self.once_days * _DAY_SECONDS
            )
        except BaileeError as failure:
            _log.error("nothing was purged", code=failure.code, detail=failure.detail)
            return
        if purged.tokens or purged.replays or purged.once_keys:
            _log.info(
                "purged",
                tokens=purged.tokens,
                answers=purged.replays,
                once_keys=purged.once_keys,
            )
