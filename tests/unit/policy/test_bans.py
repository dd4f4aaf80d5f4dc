"""What providers told to wait for: how long, doubled while it goes on, never beyond belief."""

import pytest

from bailee.policy.bans import (
    BANNED_SECONDS,
    BELIEVED_BANNED_SECONDS,
    BELIEVED_SECONDS,
    LONGEST_SECONDS,
    SLACK_SECONDS,
    STREAK_SECONDS,
    Ban,
    Bans,
)


@pytest.mark.parametrize(
    ("status", "told", "seconds"),
    [
        (429, None, 1.0),
        (200, None, 1.0),
        (429, 7.0, 7.0 + SLACK_SECONDS),
        (429, 0.0, 1.0),
        (429, 1e9, BELIEVED_SECONDS + SLACK_SECONDS),
        (418, None, BANNED_SECONDS),
        (418, 7.0, 7.0 + SLACK_SECONDS),
        (418, 1e9, BELIEVED_BANNED_SECONDS + SLACK_SECONDS),
    ],
)
def test_first_answer_when_it_limits(status: int, told: float | None, seconds: float) -> None:
    """As long as was told and can be believed, else as long as the status deserves."""
    bans = Bans()
    assert not bans
    bans.see("k", status, told, 100.0)
    assert bans
    assert bans.left("k", 100.0) == pytest.approx(seconds)
    assert bans.left("k", 100.0 + seconds + 0.01) == 0
    assert bans.left("another", 100.0) == 0


def test_answers_when_they_go_on() -> None:
    """Without a told time each limit is twice as long as the one before, up to a minute."""
    bans, now, lengths = Bans(), 0.0, []
    for _ in range(8):
        bans.see("k", 429, None, now)
        lengths.append(bans.left("k", now))
        now += lengths[-1] + 0.5
    assert lengths == [1, 2, 4, 8, 16, 32, LONGEST_SECONDS, LONGEST_SECONDS]
    bans.see("k", 429, None, now + STREAK_SECONDS)
    assert bans.left("k", now + STREAK_SECONDS) == 1


def test_answers_when_their_calls_had_left_before() -> None:
    """What comes while the key waits already is the same limit, and doubles nothing."""
    bans = Bans()
    for _ in range(10):
        bans.see("k", 429, None, 0.5)
    assert bans.left("k", 0.5) == 1


def test_answers_when_they_tell_different_times() -> None:
    """The later end counts, whichever came first."""
    bans = Bans()
    bans.see("k", 429, 5.0, 0.0)
    bans.see("k", 429, 2.0, 0.0)
    assert bans.left("k", 0.0) == 5 + SLACK_SECONDS
    bans.see("k", 429, 9.0, 0.0)
    assert bans.left("k", 0.0) == 9 + SLACK_SECONDS


def test_news_when_another_worker_saw_it() -> None:
    """It is taken over with its length, so that the next one doubles; an equal one is no news."""
    bans, ban = Bans(), Ban(4.0, 4.0)
    assert bans.hear("k", ban, 0.0) is ban
    assert bans.hear("k", Ban(4.05, 4.0), 0.0) is ban
    assert bans.hear("k", Ban(3.0, 1.0), 0.0) is ban
    assert bans.see("k", 429, None, 5.0).length == 8
    assert bans.current(5.0) == [("k", Ban(13.0, 8.0))]
    assert bans.current(13.0) == []


def test_forgetting_when_a_ban_ended() -> None:
    """It is remembered for as long as the next one may be its continuation, and no longer."""
    bans = Bans()
    bans.see("k", 429, None, 0.0)
    bans.forget_ended(STREAK_SECONDS)
    assert bans
    bans.forget_ended(STREAK_SECONDS + 1.1)
    assert not bans


def test_bans_when_there_are_too_many() -> None:
    """The number is bounded: what ended goes first, then what ends first."""
    bans = Bans(keys_limit=2)
    bans.see("a", 429, 1.0, 0.0)
    bans.see("b", 429, 50.0, 0.0)
    bans.see("c", 429, 40.0, 20.0)
    assert [key for key, _ in bans.current(20.0)] == ["b", "c"]
    bans.see("d", 429, 60.0, 20.0)
    assert [key for key, _ in bans.current(20.0)] == ["c", "d"]
