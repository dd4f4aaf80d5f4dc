"""The node's ledger: several workers never get more than one budget, and all hear of a ban."""

from collections.abc import Iterator

import pytest

from bailee.policy.leases import Ask, Back, Banned, Grant, read_supervisor_line, to_line
from bailee.supervise.bus import Bus

ASK = Ask("k", 20, 1.0, 4, wanted=1)


class FakeWorker:
    """Keeps what it was told."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.lines = b""

    def tell(self, line: bytes) -> None:
        self.lines += line

    def heard(self) -> list[object]:
        """What it was told since the last time."""
        lines, self.lines = self.lines.splitlines(), b""
        return [read_supervisor_line(line) for line in lines]


class Clock:
    """A time that tests set."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """It begins at 100."""
    return Clock()


@pytest.fixture
def bus(clock: Clock) -> Bus:
    """A bus without workers."""
    return Bus(clock)


@pytest.fixture
def workers(bus: Bus) -> Iterator[tuple[FakeWorker, FakeWorker]]:
    """Two workers that have joined."""
    both = FakeWorker(1), FakeWorker(2)
    for worker in both:
        bus.join(worker)
    yield both


def test_leases_when_two_workers_ask(bus: Bus, workers: tuple[FakeWorker, FakeWorker]) -> None:
    """They share one bucket, and whoever asks in vain is told when to ask again."""
    for number in range(6):
        bus.hear(workers[number % 2], to_line(ASK))
    answers = [each for worker in workers for each in worker.heard()]
    assert sum(each.granted for each in answers if isinstance(each, Grant)) == 4
    assert len([each for each in answers if isinstance(each, Grant) and each.wait > 0]) == 2


def test_leases_when_a_worker_dies(bus: Bus, workers: tuple[FakeWorker, FakeWorker]) -> None:
    """What it had is lost; what another returns can be had again."""
    dead, alive = workers
    bus.hear(dead, to_line(Ask("k", 20, 1.0, 4, wanted=4)))
    bus.leave(dead)
    bus.hear(alive, to_line(ASK))
    assert [each.granted for each in alive.heard() if isinstance(each, Grant)] == [0]
    bus.hear(alive, to_line(Back("k", 1, 0.0)))
    bus.hear(alive, to_line(ASK))
    assert [each.granted for each in alive.heard() if isinstance(each, Grant)] == [1]


def test_leases_when_the_limit_changes(bus: Bus, workers: tuple[FakeWorker, FakeWorker]) -> None:
    """The limit comes with each request, and the newest counts."""
    bus.hear(workers[0], to_line(Ask("k", 20, 1.0, 20, wanted=4)))
    bus.hear(workers[1], to_line(Ask("k", 5, 1.0, 2, wanted=4)))
    assert [each.granted for each in workers[1].heard() if isinstance(each, Grant)] == [2]


def test_spare_tokens_when_more_are_asked_for_than_may_be(
    bus: Bus, workers: tuple[FakeWorker, FakeWorker]
) -> None:
    """A worker gets no more in advance than the limit lends in advance."""
    bus.hear(workers[0], to_line(Ask("k", 20, 1.0, 4, wanted=0, spare=3)))
    bus.hear(workers[0], to_line(Ask("large", 2000, 1.0, 400, wanted=0, spare=400)))
    assert [each.granted for each in workers[0].heard() if isinstance(each, Grant)] == [0, 25]


def test_bans_when_one_worker_sees_one(
    bus: Bus, clock: Clock, workers: tuple[FakeWorker, FakeWorker]
) -> None:
    """The others are told at once, once; who comes later is told how much is left."""
    bus.hear(workers[0], to_line(Banned("k", 8.0, 2.0)))
    assert workers[0].heard() == []
    assert workers[1].heard() == [Banned("k", 8.0, 2.0)]
    bus.hear(workers[1], to_line(Banned("k", 8.05, 2.0)))
    assert workers[0].heard() == []
    clock.now += 5
    later = FakeWorker(3)
    bus.join(later)
    assert later.heard() == [Banned("k", 3.0, 2.0)]
    clock.now += 20
    last = FakeWorker(4)
    bus.join(last)
    assert last.heard() == []


def test_lines_when_they_are_no_messages(
    bus: Bus, workers: tuple[FakeWorker, FakeWorker], capsys: pytest.CaptureFixture[str]
) -> None:
    """They are passed over, and logged once; what stands behind them is heard."""
    for line in (b"\xff\n", b"{}\n", b"drain\n", to_line(Grant("k", 9, 0.0))):
        bus.hear(workers[0], line)
    assert workers[0].heard() == []
    bus.hear(workers[0], to_line(ASK))
    assert [each.granted for each in workers[0].heard() if isinstance(each, Grant)] == [1]
    assert capsys.readouterr().out.count("not understood") == 1


def test_lines_when_the_role_makes_no_calls(bus: Bus) -> None:
    """Whoever has not joined gets nothing, and bans nothing."""
    stranger, worker = FakeWorker(1), FakeWorker(2)
    bus.join(worker)
    bus.hear(stranger, to_line(ASK))
    bus.hear(stranger, to_line(Banned("k", 8.0, 0.0)))
    assert stranger.heard() == worker.heard() == []
