"""What a worker holds of the node's budgets, with the node's own ledger at the other end."""

import asyncio
import time

import pytest

from bailee.errors import BaileeError, BudgetExhausted, Overloaded
from bailee.gateway.budgets import WAIT_SECONDS, Budgets, Want
from bailee.policy.budget import Limit
from bailee.policy.leases import Back, Grant, read_worker_line, to_line
from bailee.supervise.bus import Bus
from node_bus import Wire, worker

pytestmark = pytest.mark.anyio

SMALL = Want("caller:a/60", Limit.of(20, 60.0))
"""Four at once, the next one after seconds."""
OTHER = Want("connection:b/60", Limit.of(5, 60.0))
LARGE = Want("egress:p:e/1", Limit.of(2000, 1.0))


class Call:
    """A call that waits."""

    def __init__(self) -> None:
        self.ended = False


async def take(budgets: Budgets, *wants: Want) -> BaileeError | None:
    """Take a token of each, as a call does; the refusal if there is one."""
    answer: asyncio.Future[BaileeError | None] = asyncio.get_running_loop().create_future()
    try:
        if budgets.take(wants):
            return None
        budgets.wait(wants, Call(), answer.set_result)
    except BaileeError as refused:
        return refused
    return await asyncio.wait_for(answer, 5)


def bus() -> Bus:
    """A node without workers."""
    return Bus(time.monotonic)


def returned(wire: Wire) -> int:
    """How many tokens a worker has returned."""
    messages = [read_worker_line(line) for line in wire.said]
    return sum(each.count for each in messages if isinstance(each, Back))


@pytest.mark.parametrize("alone", [True, False], ids=["alone", "on a bus"])
async def test_small_budget_when_it_is_used_up(alone: bool) -> None:
    """The burst is granted and no more; the refusal says when to come again."""
    loop = asyncio.get_running_loop()
    budgets = Budgets(loop.time) if alone else worker(bus())[1]
    answers = [await take(budgets, SMALL) for _ in range(6)]
    assert answers[:4] == [None] * 4
    for refused in answers[4:]:
        assert isinstance(refused, BudgetExhausted)
        assert refused.retry_after == 4
        assert refused.detail == "20 calls in 60 s per caller are used up"


async def test_small_budget_when_workers_share_it() -> None:
    """Whoever asks: together they get what one alone would get."""
    node = bus()
    workers = [worker(node, pid)[1] for pid in range(3)]
    answers = await asyncio.gather(*(take(workers[n % 3], SMALL) for n in range(12)))
    assert answers.count(None) == 4
    one = worker(bus())[1]
    assert [await take(one, SMALL) for _ in range(12)].count(None) == 4


async def test_empty_budget_when_many_calls_come() -> None:
    """They are refused without asking again and again; soon after, one may ask."""
    wire, budgets = worker(bus())
    for _ in range(5):
        await take(budgets, SMALL)
    asked = len(wire.said)
    with pytest.raises(BudgetExhausted):
        budgets.take([SMALL])
    assert len(wire.said) == asked
    await asyncio.sleep(0.12)
    assert isinstance(await take(budgets, SMALL), BudgetExhausted)
    assert len(wire.said) == asked + 1


@pytest.mark.parametrize("alone", [True, False], ids=["alone", "on a bus"])
async def test_several_budgets_when_one_is_used_up(alone: bool) -> None:
    """A call that is refused for one keeps no token of another."""
    loop = asyncio.get_running_loop()
    budgets = Budgets(loop.time) if alone else worker(bus())[1]
    answers = [await take(budgets, SMALL, OTHER) for _ in range(8)]
    assert answers[0] is None
    assert all(isinstance(each, BudgetExhausted) for each in answers[1:])
    assert [await take(budgets, SMALL) for _ in range(4)].count(None) == 3


async def test_large_budget_when_a_few_calls_were_made() -> None:
    """After the first one tokens are at hand, and few messages are said for many calls."""
    wire, budgets = worker(bus())
    assert await take(budgets, LARGE) is None
    said = len(wire.said)
    for _ in range(100):
        assert budgets.take([LARGE])
        for _ in range(3):  # there and back, in this loop
            await asyncio.sleep(0)
    assert len(wire.said) - said < 20


async def test_large_budget_when_tokens_are_not_used() -> None:
    """They go back within a tenth of a second and a bit, and another worker can use them."""
    node = bus()
    wire, budgets = worker(node)
    _, other = worker(node, 2)
    await take(budgets, LARGE)
    assert budgets.take([LARGE])
    assert returned(wire) == 0
    await asyncio.sleep(0.2)
    assert returned(wire) == LARGE.limit.spare - 1
    await asyncio.sleep(0.3)
    answers = [await take(other, LARGE) for _ in range(LARGE.limit.burst)]
    assert answers.count(None) == len(answers)


async def test_tokens_when_the_call_has_ended() -> None:
    """What comes for a client that hung up goes back, and is not lost."""
    wire, budgets = worker(bus())
    call, told = Call(), []
    assert not budgets.take([SMALL, OTHER])
    budgets.wait([SMALL, OTHER], call, told.append)
    call.ended = True
    await asyncio.sleep(0.01)
    assert told == []
    assert returned(wire) == 2


async def test_ledger_when_it_does_not_answer() -> None:
    """A call waits for a second at most; what is granted too late is returned."""
    wire, budgets = worker(bus())
    wire.hold()
    began = time.monotonic()
    refused = await take(budgets, SMALL)
    assert isinstance(refused, Overloaded)
    assert time.monotonic() - began >= WAIT_SECONDS * 0.9
    wire.release()
    await asyncio.sleep(0.01)
    assert returned(wire) == 1
    assert await take(budgets, SMALL) is None


async def test_line_when_it_is_broken() -> None:
    """Without a supervisor there is no token; what it never was asked for is sent back."""
    budgets = Budgets(asyncio.get_running_loop().time, lambda line: False)
    assert isinstance(await take(budgets, SMALL), Overloaded)
    wire, budgets = worker(bus())
    budgets.hear(b"nonsense\n")
    budgets.hear(to_line(Grant("unasked", 3, 0.0)))
    assert returned(wire) == 3


HUGE = Want("egress:q:e/1", Limit.of(1_000_000, 1.0, 200_000))


async def test_large_budget_when_many_calls_come_at_once() -> None:
    """Every call is let through, though the first ones each ask; the ledger keeps most of it."""
    node = bus()
    _, budgets = worker(node)
    for _ in range(3):
        answers = await asyncio.gather(*(take(budgets, HUGE) for _ in range(500)))
        assert answers == [None] * 500
        held = budgets._purses[HUGE.key].count
        assert held <= 1000, "many more are lent than are used"
    other = worker(node, 2)[1]
    assert await asyncio.gather(*(take(other, HUGE) for _ in range(500))) == [None] * 500


async def test_tokens_that_are_late_go_back_before_more_are_asked_for() -> None:
    """What one worker holds too long may be all that there is."""
    wire, budgets = worker(bus())
    assert await take(budgets, LARGE) is None
    held = budgets._purses[LARGE.key].count
    assert held
    time.sleep(0.12)  # noqa: ASYNC251  # in the loop, so that no sweep comes first
    wire.said.clear()
    assert await take(budgets, LARGE) is None
    first = read_worker_line(wire.said[0])
    assert isinstance(first, Back)
    assert first.count == held


async def test_what_is_lent_in_advance_follows_what_is_used() -> None:
    """It grows while it is used up, and shrinks when most of it comes back."""
    _, budgets = worker(bus())
    for _ in range(400):
        assert await take(budgets, HUGE) is None
    grown = budgets._purses[HUGE.key].spare
    assert grown > 100
    await asyncio.sleep(0.3)
    assert budgets._purses[HUGE.key].spare < grown
