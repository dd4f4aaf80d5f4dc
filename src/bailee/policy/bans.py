"""What providers have told to wait for: until when no call of a key may leave."""

from typing import Final, NamedTuple

FIRST_SECONDS: Final = 1.0
"""How long after an answer 429 that does not say how long."""
LONGEST_SECONDS: Final = 60.0
"""Up to here that is doubled while such answers go on."""
BANNED_SECONDS: Final = 120.0
"""How long after a 418 that does not say how long: the address is banned, not one key limited."""
BELIEVED_SECONDS: Final = 3600.0
BELIEVED_BANNED_SECONDS: Final = 3 * 86400.0
"""What a 418 may say; binance bans an address for as long."""
SLACK_SECONDS: Final = 0.1
"""What was told is kept so much longer. So an end that is later by less than that is no news, and a
hundred answers that say the same need not be told to everyone."""
STREAK_SECONDS: Final = 10.0
"""A limit that is met within this after the last one ended is the same one going on."""
KEYS_LIMIT: Final = 5_000


class Ban(NamedTuple):
    """A key that has to wait. `length` is what the next doubling doubles; 0 if it was told."""

    until: float
    length: float


class Bans:
    """Until-times by key, of a bounded number: those that end first make room for others."""

    def __init__(self, keys_limit: int = KEYS_LIMIT) -> None:
        self._keys_limit = keys_limit
        self._bans: dict[str, Ban] = {}

    def __repr__(self) -> str:
        return f"Bans({len(self._bans)} keys)"

    def __bool__(self) -> bool:
        """Whether any is remembered. Where none is, there is nothing to look for."""
        return bool(self._bans)

    def see(self, key: str, status: int, told_seconds: float | None, now: float) -> Ban:
        """Take note of an answer that limits a key, and return what follows from it.

        Args:
            key: What has to wait.
            status: The answer's; 418 is a ban of the address.
            told_seconds: How long it said; None if it did not, or not clearly.
            now: Seconds of a clock that never goes back.
        """
        last = self._bans.get(key)
        if told_seconds is not None and told_seconds > 0:
            longest = BELIEVED_BANNED_SECONDS if status == 418 else BELIEVED_SECONDS
            ban = Ban(now + min(told_seconds, longest) + SLACK_SECONDS, 0.0)
        elif status == 418:
            ban = Ban(now + BANNED_SECONDS, 0.0)
        elif last is not None and now < last.until:
            # Its call had left before the last limit was known: it says nothing new.
            return last
        else:
            length = _doubled(last, now)
            ban = Ban(now + length, length)
        return self.hear(key, ban, now)

    def hear(self, key: str, ban: Ban, now: float) -> Ban:
        """Take over what somebody else saw, unless what is known says as much; what counts now."""
        last = self._bans.get(key)
        if last is not None and last.until + SLACK_SECONDS >= ban.until:
            return last
        if last is None and len(self._bans) >= self._keys_limit:
            self._make_room(now)
        self._bans[key] = ban
        return ban

    def left(self, key: str, now: float) -> float:
        """How many seconds a key has to wait yet; 0 if it may go."""
        ban = self._bans.get(key)
        return 0.0 if ban is None else max(0.0, ban.until - now)

    def current(self, now: float) -> list[tuple[str, Ban]]:
        """All that holds now."""
        return [(key, ban) for key, ban in self._bans.items() if ban.until > now]

    def forget_ended(self, now: float) -> None:
        """Forget what ended so long ago that the next one is the first again."""
        self._bans = {
            key: ban for key, ban in self._bans.items() if ban.until + STREAK_SECONDS > now
        }

    def _make_room(self, now: float) -> None:
        """Forget what ended, or else the tenth that ends first: not one, so that it is rarely."""
        self.forget_ended(now)
        if len(self._bans) >= self._keys_limit:
            by_end = sorted(self._bans.items(), key=lambda item: item[1].until)
            self._bans = dict(by_end[max(1, self._keys_limit // 10) :])


def _doubled(last: Ban | None, now: float) -> float:
    if last is None or not last.length or now >= last.until + STREAK_SECONDS:
        return FIRST_SECONDS
    return min(2 * last.length, LONGEST_SECONDS)
