"""The decoys of this node, and what providers made of them lately."""

import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from hashlib import blake2b
from ipaddress import ip_address
from re import compile as pattern
from typing import Final, TypeVar

from bailee.egress.address import is_local
from bailee.keeper.exchange import Answered, http_date
from bailee.lock.neighbours import are_neighbours
from bailee.lock.run import Cause, Observation

DAY: Final = 86_400.0
HOLD_SECONDS: Final = 900.0
"""How long a decoy rests when a provider limits it and names no time."""
LEAST_HOLD_SECONDS: Final = 60.0
REMEMBERED_LIMIT: Final = 10_000
"""Pairs of decoy and provider that are remembered; over it the oldest go."""
_Kept = TypeVar("_Kept")
_CHANGING: Final = pattern(rb"[0-9a-fA-F-]{6,}|[0-9]+")


@dataclass(frozen=True, slots=True)
class Decoy:
    """An address that no call leaves from and that is never published."""

    name: str
    bind: str
    public: str


class Decoys:
    """Chooses decoys and remembers, in this process alone, when a provider wants none.

    Args:
        decoys: Of the configuration; the first that fits is taken.
    """

    def __init__(self, decoys: Iterable[Decoy]) -> None:
        self._decoys = tuple(decoys)
        self._held: dict[tuple[str, str], float] = {}
        self._wrong: dict[tuple[str, str], Observation] = {}
        self._key = os.urandom(32)

    def __repr__(self) -> str:
        return f"Decoys({[decoy.name for decoy in self._decoys]}, {len(self._held)} held)"

    def choose(
        self, provider: str, source: str, published: Collection[str], now: float
    ) -> Decoy | Cause:
        """Choose a decoy for a provider, or say why there is none.

        Args:
            provider: Whose API is to be asked.
            source: The egress address (`bind`): the decoy is of the same family.
            published: What no decoy may be near to: all egress addresses, other nodes' too.
            now: Unix seconds.
        """
        family = ip_address(source).version
        usable = [
            decoy
            for decoy in self._decoys
            if ip_address(decoy.bind).version == family
            and not any(are_neighbours(decoy.public, address) for address in published)
            and is_local(decoy.bind)
        ]
        for decoy in usable:
            if self._held.get((decoy.name, provider), 0.0) <= now:
                return decoy
        return Cause.DECOY_HELD if usable else Cause.NO_DECOY

    def hold(self, decoy: Decoy, provider: str, answer: Answered | None, now: float) -> None:
        """Let a decoy rest: a provider limited or banned it, and perhaps said for how long."""
        named = None if answer is None else _retry_seconds(answer.retry_after, now)
        seconds = HOLD_SECONDS if named is None else min(max(named, LEAST_HOLD_SECONDS), DAY)
        self._held[decoy.name, provider] = now + seconds
        _forget_oldest(self._held)

    def wrong(self, decoy: Decoy, provider: str, now: float) -> Observation | None:
        """What a wrong credential was answered less than a day ago; None when it may be tried."""
        seen = self._wrong.get((decoy.name, provider))
        return seen if seen is not None and 0.0 <= now - seen.at < DAY else None

    def keep_wrong(self, decoy: Decoy, provider: str, seen: Observation) -> None:
        """Keep what a wrong credential was answered."""
        self._wrong.pop((decoy.name, provider), None)
        self._wrong[decoy.name, provider] = seen
        _forget_oldest(self._wrong)

    def shape(self, answer: Answered) -> str:
        """Tell refusals apart: the same for answers that differ in numbers and ids alone.

        It is keyed by this process: of what a provider echoed, nothing can be learned from it.
        """
        text = b"%d %b" % (answer.status, _CHANGING.sub(b"#", answer.body))
        return blake2b(text, key=self._key, digest_size=16).hexdigest()


def _retry_seconds(text: str, now: float) -> float | None:
    """Read Retry-After: seconds, or a date."""
    if text.isascii() and text.isdigit():
        return float(text[:12])
    at = http_date(text)
    return None if at is None else at - now


def _forget_oldest(remembered: dict[tuple[str, str], _Kept]) -> None:
    while len(remembered) > REMEMBERED_LIMIT:
        del remembered[next(iter(remembered))]
