"""The tokens that this worker holds of the node's budgets.

The buckets lie in the supervisor (`supervise/bus.py`); without a control line, in here. Of a large
budget a few tokens are kept at hand, so that no call waits; unused ones go back after 0.1 s. Of a
small one a token is asked for by the call that wants it.
"""

import asyncio
import math
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from bailee.errors import BaileeError, BudgetExhausted, Overloaded
from bailee.gateway.limited import Limited, connection_key, egress_key
from bailee.gateway.purse import Applicant, Purse, Waiting
from bailee.gateway.route import Route
from bailee.model import CallerId, CallerLimits
from bailee.policy.budget import LEASE_SECONDS, Ledger, Limit
from bailee.policy.leases import Ask, Back, Banned, FromWorker, Grant, read_supervisor_line, to_line

WAIT_SECONDS: Final = 1.0
"""How long a call waits for the answer of the ledger."""
EMPTY_SECONDS: Final = 0.1
"""How long at most the ledger's word is believed that nothing is left: others return tokens."""
RESTOCK_SECONDS: Final = 0.01
SWEEP_SECONDS: Final = 0.025
PURSES_LIMIT: Final = 10_000
"""Budgets that are remembered; over it those that hold nothing are forgotten."""


class Want(NamedTuple):
    """A budget that a call needs a token of."""

    key: str
    limit: Limit


def wants_of(
    caller: CallerId, limits: CallerLimits, calls_per_second: int, route: Route
) -> tuple[Want, ...]:
    """Find the budgets that a call counts in; most have none.

    Args:
        caller: Who calls.
        limits: Its own.
        calls_per_second: For a caller that has no limit of its own; 0 for as many as it likes.
        route: Where the call goes.
    """
    own = limits.calls_per_second
    calls = calls_per_second if own is None else own
    wants = [Want(f"caller:{caller}/1", Limit.of(calls, 1.0))] if calls else []
    for budget in route.view.provider.budgets:
        key = egress_key(route) if budget.per == "egress" else connection_key(route)
        limit = Limit.of(budget.calls, budget.seconds, budget.burst)
        wants.append(Want(f"{key}/{budget.seconds:g}", limit))
    return tuple(wants)


class Budgets:
    """What one worker holds and knows. It never has more tokens than the ledger lent it.

    Args:
        clock: Seconds that never go back.
        say: Sends a line to the supervisor; None where there is none, and the ledger is here.
    """

    def __init__(
        self, clock: Callable[[], float], say: Callable[[bytes], bool] | None = None
    ) -> None:
        self._clock = clock
        self._say = say
        self._ledger = Ledger() if say is None else None
        self._purses: dict[str, Purse] = {}
        self._stocked: set[Purse] = set()
        self._loop = asyncio.get_running_loop()
        self._sweeping = False
        self.bans = Limited(clock, self._tell)

    def __repr__(self) -> str:
        return f"Budgets({len(self._purses)} keys, {self.bans})"

    def hear(self, line: bytes) -> None:
        """Take in a line of the supervisor."""
        message = read_supervisor_line(line)
        match message:
            case Grant():
                self._granted(message)
            case Banned():
                self.bans.hear(message)

    def take(self, wants: Sequence[Want]) -> bool:
        """Take a token of each budget, if all are at hand; else none.

        Returns:
            False if some must be asked for: then `wait`.

        Raises:
            BudgetExhausted: One is used up. Nothing was taken.
        """
        now = self._clock()
        if self._ledger is not None:
            _take_here(self._ledger, wants, now)
            return True
        purses = self._purses
        for want in wants:
            found = purses.get(want.key)
            if found is None or found.good_until <= now or found.limit is not want.limit:
                if not self._are_at_hand(wants, now):
                    return False
                break
        for want in wants:
            purse = purses[want.key]
            purse.pop()
            if purse.count <= purse.few:
                self._restock(purse, now)
        return True

    def _are_at_hand(self, wants: Sequence[Want], now: float) -> bool:
        at_hand = True
        for want in wants:
            purse = self._purse(want)
            if not purse.has(now):
                if now < purse.empty_until:
                    raise _exhausted(want, purse.refilled_at - now)
                at_hand = False
        return at_hand

    def wait(
        self,
        wants: Sequence[Want],
        applicant: Applicant,
        done: Callable[[BaileeError | None], None],
    ) -> None:
        """Ask for what is not at hand, and tell when all has come.

        Args:
            wants: A token of each.
            applicant: Who waits. If it ends meanwhile, the tokens go back.
            done: Called later, within `WAIT_SECONDS`: with None, or with why there are none, and
                then none was kept. It is not called when the applicant has ended.
        """
        now = self._clock()
        waiting = Waiting(applicant, done)
        for want in wants:
            purse = self._purse(want)
            if purse.has(now):
                waiting.got.append((purse, purse.pop()))
            else:
                purse.waiting.append(waiting)
                waiting.missing.append(purse)
                if len(purse.waiting) > purse.wanted:
                    self._ask(purse, now, wanted=1)
        waiting.timer = self._loop.call_later(WAIT_SECONDS, self._too_late, waiting)

    # --- what is said to the ledger, and what it answers ---

    def _purse(self, want: Want) -> Purse:
        purse = self._purses.get(want.key)
        if purse is None:
            if len(self._purses) >= PURSES_LIMIT:
                self._purses = {key: kept for key, kept in self._purses.items() if not kept.idle}
            purse = self._purses[want.key] = Purse(*want)
        purse.obey(want.limit)
        return purse

    def _restock(self, purse: Purse, now: float) -> None:
        """Ask in advance when few tokens are left of a large budget."""
        if purse.few >= 0 and not purse.asks and now >= purse.restock_at:
            purse.used_up()
            self._ask(purse, now, wanted=0)

    def _ask(self, purse: Purse, now: float, wanted: int) -> None:
        late = purse.take_late(now)
        if late:  # before it is asked: it may be all that there is
            self._tell(Back(purse.key, late, LEASE_SECONDS))
        spare = 0 if purse.asks else purse.spare
        purse.asks.append((now, wanted))
        purse.wanted += wanted
        limit = purse.limit
        self._tell(Ask(purse.key, limit.calls, limit.seconds, limit.burst, wanted, spare))

    def _tell(self, message: FromWorker) -> None:
        """Say it; what can't be said is lost, and calls that wait for an answer are refused."""
        if self._say is not None:
            self._say(to_line(message))

    def _granted(self, grant: Grant) -> None:
        purse, now = self._purses.get(grant.key), self._clock()
        if purse is None:
            self._tell(Back(grant.key, grant.granted, WAIT_SECONDS))
            return
        if not purse.asks:  # nobody thought that an answer would come any more
            self._put(purse, now - WAIT_SECONDS, grant.granted, now)
            return
        asked_at, wanted = purse.asks.popleft()
        purse.wanted -= wanted
        if grant.granted < wanted:
            purse.refilled_at = now + grant.wait
            purse.empty_until = now + min(grant.wait, EMPTY_SECONDS)
        if not grant.granted:
            purse.restock_at = now + RESTOCK_SECONDS
        self._put(purse, asked_at, grant.granted, now)
        while len(purse.waiting) > purse.wanted:
            self._refuse(purse.waiting[0], _exhausted(Want(purse.key, purse.limit), grant.wait))

    # --- what becomes of tokens, and of those who wait for them ---

    def _put(self, purse: Purse, asked_at: float, count: int, now: float) -> None:
        """Hand tokens to the calls that wait for them, keep spare ones, and return the rest."""
        while count and purse.waiting:
            waiting = purse.waiting.popleft()
            waiting.missing.remove(purse)
            waiting.got.append((purse, asked_at))
            count -= 1
            if not waiting.missing:
                self._finish(waiting)
        if not count:
            return
        if purse.limit.spare and now < asked_at + LEASE_SECONDS:
            purse.add(asked_at, count)
            self._stocked.add(purse)
            self._sweep_soon()
        else:
            self._tell(Back(purse.key, count, max(0.0, now - asked_at)))

    def _finish(self, waiting: Waiting) -> None:
        if waiting.timer is not None:
            waiting.timer.cancel()
        if waiting.applicant.ended:
            self._give_up(waiting)
        else:
            waiting.done(None)

    def _refuse(self, waiting: Waiting, error: BaileeError) -> None:
        if waiting.timer is not None:
            waiting.timer.cancel()
        self._give_up(waiting)
        if not waiting.applicant.ended:
            waiting.done(error)

    def _give_up(self, waiting: Waiting) -> None:
        """Wait for nothing more, and let others have what has come."""
        for purse in waiting.missing:
            purse.waiting.remove(waiting)
        now = self._clock()
        for purse, asked_at in waiting.got:
            self._put(purse, asked_at, 1, now)

    def _too_late(self, waiting: Waiting) -> None:
        for purse in waiting.missing:
            purse.asks.clear()
            purse.wanted = 0
        self._refuse(waiting, Overloaded("the node's ledger of budgets does not answer"))

    def _sweep_soon(self) -> None:
        if not self._sweeping:
            self._sweeping = True
            self._loop.call_later(SWEEP_SECONDS, self._sweep)

    def _sweep(self) -> None:
        """Return what was not used in time."""
        self._sweeping = False
        now = self._clock()
        for purse in list(self._stocked):
            late = purse.take_late(now)
            if late:
                self._tell(Back(purse.key, late, LEASE_SECONDS))
            if not purse.count:
                self._stocked.discard(purse)
        if self._stocked:
            self._sweep_soon()


def _take_here(ledger: Ledger, wants: Sequence[Want], now: float) -> None:
    for count, want in enumerate(wants):
        granted, seconds = ledger.take(want.key, want.limit, 1, now)
        if not granted:
            for taken in wants[:count]:
                ledger.give_back(taken.key, 1, now)
            raise _exhausted(want, seconds)


def _exhausted(want: Want, seconds: float) -> BudgetExhausted:
    whose, limit = want.key.partition(":")[0], want.limit
    refused = BudgetExhausted(
        f"{limit.calls} calls in {limit.seconds:g} s per {whose} are used up", _HINTS[whose]
    )
    refused.retry_after = max(1, math.ceil(seconds))
    return refused


_HINTS: Final = {
    "caller": "bailee caller limit, if it should have more",
    "connection": "the [[budget]] in the provider's file, if it is not the provider's own",
    "egress": "the [[budget]] in the provider's file, if it is not the provider's own",
}
