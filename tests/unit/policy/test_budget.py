"""Budgets: no window of time sees more calls than it may, whoever holds the tokens."""

from collections.abc import Sequence
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bailee.policy.budget import (
    LEASE_SECONDS,
    LENT_SECONDS,
    Bucket,
    Ledger,
    Limit,
    refilled,
    returned,
    taken,
)

SMALL: Final = Limit.of(20, 1.0)
LARGE: Final = Limit.of(2000, 1.0)
LIMITS: Final = (
    SMALL,
    LARGE,
    Limit.of(1, 3.0),
    Limit.of(5, 0.5, burst=1),
    Limit.of(7, 2.0, burst=7),
    Limit.of(6000, 60.0),
    Limit.of(400, 1.0, burst=400),
)
Spent = list[float]


def most_in_window(times: Sequence[float], seconds: float) -> int:
    """The most of some times that lie in one window, which does not hold its end."""
    first, most = 0, 0
    for last, time in enumerate(times):
        while times[first] <= time - seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


@pytest.mark.parametrize("limit", LIMITS)
def test_limit_when_it_is_made(limit: Limit) -> None:
    """The burst and what flows in during a window are the calls; spare tokens are few."""
    assert limit.burst + limit.flow * limit.seconds == pytest.approx(limit.calls + 1, rel=1e-5)
    assert 16 * limit.spare <= limit.burst


@pytest.mark.parametrize(
    ("calls", "burst", "made"),
    [(20, None, 4), (1, None, 1), (4, None, 1), (10, 3, 3), (10, 30, 10)],
)
def test_burst_when_given_or_not(calls: int, burst: int | None, made: int) -> None:
    """A fifth of the calls without one, at least one, and never more than the calls."""
    assert Limit.of(calls, 1.0, burst).burst == made


def test_spare_tokens_when_calls_are_few() -> None:
    """Where calls are few, or the burst is small beside them, tokens are lent one at a time."""
    assert SMALL.spare == 0
    assert Limit.of(2000, 1.0, burst=40).spare == 0
    assert LARGE.spare > 1


def test_take_when_there_are_tokens_and_when_not() -> None:
    """A full bucket gives its burst, and then says how long the next token takes."""
    ledger = Ledger()
    assert [ledger.take("k", SMALL, 1, 5.0)[0] for _ in range(5)] == [1, 1, 1, 1, 0]
    granted, wait = ledger.take("k", SMALL, 1, 5.0)
    assert granted == 0
    assert wait == pytest.approx(1 / 17, rel=1e-3)
    assert ledger.take("k", SMALL, 1, 5.0 + wait + 1e-9) == (1, 0.0)
    assert ledger.take("other", SMALL, 1, 5.0) == (1, 0.0)


def test_take_when_more_is_wanted_than_there_is() -> None:
    """What is there is granted, with the time until there is more."""
    granted, wait = Ledger().take("k", SMALL, 9, 5.0)
    assert granted == 4
    assert wait > 0


def test_spare_tokens_when_another_may_need_them() -> None:
    """At most half of what is left goes out in advance, so that no worker takes all."""
    bucket = Bucket(11.0, 1.0)
    left, answer = taken(bucket, LARGE, 1, 1.0, spare=50)
    assert answer == (6, 0.0)
    assert left.level == 5.0


def test_wait_when_all_room_is_lent() -> None:
    """While every token is out, none flows in: the wait says so."""
    limit = Limit.of(400, 1.0, burst=400)
    ledger = Ledger()
    assert ledger.take("k", limit, 400, 0.0)[0] == 400
    granted, wait = ledger.take("k", limit, 1, 0.0)
    assert granted == 0
    assert wait > LEASE_SECONDS
    assert ledger.take("k", limit, 1, wait + 2.0) == (1, 0.0)


def test_give_back_when_a_token_was_not_used() -> None:
    """It can be taken again; what flowed in while it was out is taken off."""
    ledger = Ledger()
    ledger.take("k", SMALL, 4, 5.0)
    ledger.give_back("k", 1, 5.0)
    assert ledger.take("k", SMALL, 1, 5.0) == (1, 0.0)
    bucket = returned(Bucket(0.0, 5.0), SMALL, 1, age=0.01, now=5.0)
    assert bucket.level == pytest.approx(1 - 0.17, rel=1e-3)
    assert returned(Bucket(4.0, 5.0), SMALL, 3, age=0.0, now=5.0).level == 4.0
    ledger.give_back("never seen", 1, 5.0)
    assert len(ledger) == 1


def test_give_back_when_spare_tokens_come_too_late() -> None:
    """In time all of them are good again; later they count as used."""
    bucket, answer = taken(Bucket(100.0, 0.0), LARGE, 0, 0.0, spare=10)
    assert answer.granted == 10
    in_time = returned(bucket, LARGE, 10, LEASE_SECONDS, 0.12)
    late = returned(bucket, LARGE, 10, LEASE_SECONDS, 0.16)
    assert in_time.level - refilled(bucket, LARGE, 0.12).level == 10
    assert late.level == refilled(bucket, LARGE, 0.16).level


def test_give_back_when_only_some_come_in_time() -> None:
    """No more are good again than still count as lent."""
    bucket, _ = taken(Bucket(100.0, 0.0), LARGE, 10, 0.0)
    bucket, _ = taken(bucket, LARGE, 2, 0.1)
    back = returned(bucket, LARGE, 12, LEASE_SECONDS, 0.16)
    assert back.level - refilled(bucket, LARGE, 0.16).level == 2
    assert back.out == 0


def test_window_when_tokens_are_used_at_the_last_moment() -> None:
    """What was lent in advance counts where it is used: the bucket has not filled up behind it."""
    node = Node(LARGE, workers=2)
    for _ in range(90):
        node.step(0, "ask", 57)
        node.wait(0.001)
    for _ in range(2000):
        node.step(0, "spend", 0)
        node.step(1, "ask", 2)
        node.step(1, "spend", 0)
        node.wait(0.0005)
    assert most_in_window(node.spent, LARGE.seconds) <= LARGE.calls


def test_limit_when_it_changes() -> None:
    """The newest one counts at once: what stands in the bucket shrinks, and does not grow."""
    ledger = Ledger()
    ledger.take("k", SMALL, 1, 5.0)
    smaller = Limit.of(5, 1.0)
    assert ledger.take("k", smaller, 3, 5.0)[0] == 1
    assert ledger.take("k", SMALL, 3, 5.0)[0] == 0


def test_clock_when_it_goes_back() -> None:
    """It stands still, and nothing flows in twice."""
    ledger = Ledger()
    ledger.take("k", SMALL, 4, 5.0)
    assert ledger.take("k", SMALL, 1, 4.0)[0] == 0
    assert ledger.take("k", SMALL, 1, 5.0)[0] == 0
    assert ledger.take("k", SMALL, 1, 5.1)[0] == 1


def test_ledger_when_it_is_full() -> None:
    """A full bucket makes room; where all are in use, nothing is granted."""
    ledger = Ledger(keys_limit=2)
    assert ledger.take("a", SMALL, 1, 5.0)[0] == 1
    assert ledger.take("b", SMALL, 4, 5.0)[0] == 4
    assert ledger.take("c", SMALL, 1, 5.0) == (0, SMALL.seconds)
    assert ledger.take("c", SMALL, 1, 5.1)[0] == 1
    assert len(ledger) == 2
    assert ledger.take("b", SMALL, 4, 5.1)[0] == 1


class Node:
    """A ledger and workers that use what it lends, as they may: at once, late, or not at all."""

    def __init__(self, limit: Limit, workers: int) -> None:
        self.limit = limit
        self.ledger = Ledger()
        self.ledger.take("k", limit, 0, 0.0)  # its clock begins where ours does
        self.held: list[list[tuple[float, int]]] = [[] for _ in range(workers)]
        self.now = 0.0
        self.highest = 0.0
        self.spent: Spent = []

    def step(self, worker: int, action: str, amount: int) -> None:
        """Do one thing with one worker. The ledger looks at the clock whenever we do."""
        self.ledger.take("k", self.limit, 0, self.now)
        self.highest = max(self.highest, self.now)
        held = self.held[worker]
        match action:
            case "ask":
                at = self.highest
                spare = amount if self.limit.spare else 0
                granted, _ = self.ledger.take("k", self.limit, amount % 3, self.now, spare)
                if self.limit.spare:
                    held.append((at, granted))
                elif amount % 2:
                    self.ledger.give_back("k", granted, self.now)
                else:
                    self.spent += [at] * granted
            case "spend":
                self._expire(held)
                self.spent += [self.highest] * sum(count for _, count in held)
                held.clear()
            case "back":
                while held:
                    self.ledger.give_back("k", held.pop(0)[1], self.now, LEASE_SECONDS)
            case "die":
                held.clear()

    def _expire(self, held: list[tuple[float, int]]) -> None:
        for at, count in list(held):
            if self.highest >= at + LEASE_SECONDS:
                held.remove((at, count))
                self.ledger.give_back("k", count, self.now, self.highest - at)

    def wait(self, seconds: float) -> None:
        """Let the clock step; back steps don't count as time."""
        self.now += seconds


actions = st.tuples(
    st.integers(0, 3),
    st.sampled_from(["ask", "ask", "spend", "spend", "back", "die"]),
    st.integers(0, 60),
    st.one_of(st.just(0.0), st.floats(0.0, 0.2), st.floats(0.0, 5.0), st.floats(-3.0, 0.0)),
)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(LIMITS), st.lists(actions, min_size=20, max_size=120))
def test_windows_when_workers_do_what_they_like(
    limit: Limit, steps: list[tuple[int, str, int, float]]
) -> None:
    """However workers lease, use, return and lose tokens, no window sees more than the calls."""
    node = Node(limit, workers=4)
    for worker, action, amount, seconds in steps:
        node.wait(seconds)
        node.step(worker, action, amount)
    assert most_in_window(node.spent, limit.seconds) <= limit.calls


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("workers", [1, 3])
def test_throughput_when_workers_want_all(limit: Limit, workers: int) -> None:
    """Whether one worker asks or several: what flows in can be used, and never more."""
    node, windows = Node(limit, workers), 4
    steps = min(20_000, int(windows * limit.flow * limit.seconds * 6) + 1)
    for number in range(steps):
        node.wait(windows * limit.seconds / steps)
        worker = number % workers
        node.step(worker, "ask", 2)
        node.step(worker, "spend", 0)
    assert most_in_window(node.spent, limit.seconds) <= limit.calls
    flowed = limit.flow * limit.seconds * (windows - 1)
    assert len(node.spent) >= 0.9 * flowed


def test_what_was_lent_is_told_apart_by_moments_only() -> None:
    """However often tokens are lent, few entries are kept of it, and none ends too early."""
    ledger, most = Ledger(), 0
    for number in range(20_000):
        now = 10.0 + number / 20_000
        ledger.take("k", Limit.of(1_000_000, 1.0), 1, now)
        bucket = ledger._buckets["k"][0]
        most = max(most, len(bucket.lent))
        assert bucket.lent[-1].until >= now + LENT_SECONDS
    assert most <= 40
