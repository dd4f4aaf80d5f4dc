"""Checkpoints over a real journal and store: signed, found by `verify`, sparing."""

import asyncio
import json

import pytest

from bailee.app.chains import StoreChains
from bailee.errors import VaultClosed
from bailee.journal.checkpoint import Checkpoint, parse_checkpoint
from bailee.journal.finding import Kind
from bailee.journal.verify import Report, verify
from bailee.journal.writer import Journal
from bailee.keeper.checkpoints import Checkpoints
from bailee.store import chains as rows
from bailee.vault.authority import Label
from journal_support import intent, write_calls
from keeper_bench import Bench

pytestmark = pytest.mark.anyio


@pytest.fixture
def gateway(bench: Bench) -> Journal:
    """The journal of another role in the same directory."""
    house = bench.house
    return Journal.open(house.directory / "journal", "gateway", StoreChains(house.store))


@pytest.fixture
def checkpoints(bench: Bench) -> Checkpoints:
    return Checkpoints(bench.house.store, bench.access(bench.house.keyring), bench.journal)


def stored(bench: Bench) -> list[Checkpoint]:
    """The stored checkpoints, verified."""
    with bench.house.store.read() as conn:
        found = rows.list_checkpoints(conn, after=None, limit=100)
    verifier = bench.house.verifier
    return [parse_checkpoint(verifier.verify(Label.CHECKPOINT, each.signed)) for each in found]


def report(bench: Bench) -> Report:
    with bench.house.store.read() as conn:
        known = rows.list_page(conn, after=None, limit=100)
        marks = [each.signed for each in rows.list_checkpoints(conn, after=None, limit=100)]
    verifier = bench.house.verifier
    return verify(
        bench.house.directory / "journal",
        known,
        marks,
        lambda signed: verifier.verify(Label.CHECKPOINT, signed),
    )


def kinds(found: Report) -> set[Kind]:
    return {finding.kind for finding in found.findings}


async def test_signed_when_chains_moved(
    bench: Bench, gateway: Journal, checkpoints: Checkpoints
) -> None:
    """The first states every chain, the next ones what moved; the journal verifies with them."""
    await checkpoints.sign_and_record()
    write_calls(gateway, 3)
    gateway.store_head()
    bench.journal.store_head()
    await checkpoints.sign_and_record()
    first, second = stored(bench)
    assert {head.chain.split("-")[0] for head in first.heads} == {"gateway", "keeper"}
    assert gateway.head() in second.heads
    gateway.close()
    bench.journal.close()
    assert kinds(report(bench)) == set()
    assert report(bench).checkpoints == 2


async def test_recorded_when_signed(bench: Bench, checkpoints: Checkpoints) -> None:
    """The keeper's own chain says that a checkpoint was made, and of what."""
    await checkpoints.sign_and_record()
    (file,) = (bench.house.directory / "journal").glob("keeper-*")
    events = [json.loads(line) for line in file.read_bytes().splitlines()]
    (event,) = [each for each in events if each["type"] == "event"]
    assert (event["kind"], len(event["detail"]["sha256"])) == ("journal.checkpoint", 64)


async def test_nothing_signed_when_nothing_moved(
    bench: Bench, gateway: Journal, checkpoints: Checkpoints
) -> None:
    """An idle node's database does not grow: the keeper's line about a checkpoint is no news."""
    for _ in range(3):
        await checkpoints.sign_and_record()
        bench.journal.store_head()
    assert len(stored(bench)) == 1
    gateway.intend(intent(1))
    gateway.store_head()
    await checkpoints.sign_and_record()
    assert len(stored(bench)) == 2
    gateway.close()


async def test_last_one_when_keeper_leaves(
    bench: Bench, gateway: Journal, checkpoints: Checkpoints
) -> None:
    """At the end the keeper's own closed chain is signed too."""
    await checkpoints.sign_and_record()
    bench.journal.close()
    assert checkpoints.sign(last=True) is not None
    assert bench.journal.head() in stored(bench)[-1].heads
    assert checkpoints.sign(last=True) is None
    gateway.close()


async def test_found_when_head_and_file_are_rolled_back(
    bench: Bench, gateway: Journal, checkpoints: Checkpoints
) -> None:
    """Whoever cuts a chain and its head in the database alike is found by the signature."""
    write_calls(gateway, 3)
    gateway.store_head()
    await checkpoints.sign_and_record()
    (file,) = (bench.house.directory / "journal").glob("gateway-*")
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:2]))
    head = json.loads(lines[1])
    with bench.house.store.write() as conn:
        conn.exec_driver_sql(
            "UPDATE journal_chains SET head_seq = ?, head_hash = ? WHERE role = 'gateway'",
            (head["seq"], head["hash"]),
        )
    assert kinds(report(bench)) & {Kind.HEAD, Kind.CHECKPOINT, Kind.CUT}
    gateway.close()


async def test_nothing_signed_when_vault_is_closed(bench: Bench) -> None:
    """Without the root key the keeper goes on, and signs nothing."""
    closed = Checkpoints(bench.house.store, bench.access(None), bench.journal)
    await closed.sign_and_record()
    with pytest.raises(VaultClosed):
        closed.sign()
    assert stored(bench) == []


async def test_signed_again_when_seconds_are_over(
    bench: Bench, gateway: Journal, checkpoints: Checkpoints
) -> None:
    """The round signs at once, then each time, and ends with the drain."""
    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        tasks.create_task(checkpoints.run(0.01, bench.draining))
        for number in range(3):
            gateway.intend(intent(number))
            gateway.store_head()
            while gateway.head() not in [h for each in stored(bench) for h in each.heads]:
                await asyncio.sleep(0.01)
        bench.draining.set()
    gateway.close()
