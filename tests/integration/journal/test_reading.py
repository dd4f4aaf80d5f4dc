"""Reading for people: order, conditions, following."""

from collections import deque
from pathlib import Path

from bailee.journal.entry import Event, Intent, Outcome, encode
from bailee.journal.reading import JournalReader, Record, Wanted
from bailee.journal.writer import Journal
from bailee.model import TenantId
from journal_support import MemoryRegister, intent, outcome


def open_two(directory: Path) -> tuple[Journal, Journal]:
    register = MemoryRegister()
    clock = iter(range(1, 1000))
    return (
        Journal.open(directory, "gateway", register, clock=lambda: float(next(clock))),
        Journal.open(directory, "keeper", register, clock=lambda: float(next(clock))),
    )


def calls(records: list[Record]) -> list[str]:
    return [r.entry.call for r in records if isinstance(r.entry, Intent | Outcome)]


def test_all_chains_are_one_list_in_time(tmp_path: Path) -> None:
    """Entries of two chains come in the order of their times."""
    one, two = open_two(tmp_path)
    for number in range(0, 20, 2):
        one.intend(intent(number))
        two.intend(intent(number + 1))
    records = list(JournalReader(tmp_path).poll())
    assert calls(records) == [f"call{number}" for number in range(20)]
    assert len({record.chain for record in records}) == 2
    assert records[0].seq == 1
    one.close()
    two.close()


def test_a_chains_own_order_is_kept_when_the_clock_goes_back(tmp_path: Path) -> None:
    """What was written later is shown later."""
    one, two = open_two(tmp_path)
    one.intend(intent(1, at=5000.0))
    one.intend(intent(2, at=4000.0))
    two.intend(intent(3, at=4500.0))
    assert calls(list(JournalReader(tmp_path).poll())) == ["call3", "call1", "call2"]
    one.close()
    two.close()


def test_following_gives_each_line_once(tmp_path: Path) -> None:
    """A second poll gives what is new, of old chains and of one begun since."""
    one, two = open_two(tmp_path)
    one.intend(intent(1))
    reader = JournalReader(tmp_path)
    assert [r.entry for r in deque(reader.poll(), maxlen=1)] == [intent(1)]
    assert list(reader.poll()) == []
    two.intend(intent(2))
    assert calls(list(reader.poll())) == ["call2"]
    three = Journal.open(tmp_path, "gateway", MemoryRegister())
    three.intend(intent(3))
    assert calls(list(reader.poll())) == ["call3"]
    for journal in (one, two, three):
        journal.close()


def test_half_a_line_is_left_for_the_next_poll(tmp_path: Path) -> None:
    """A line that is being written is shown when it is whole; a damaged one is counted."""
    one, two = open_two(tmp_path)
    two.close()
    path = tmp_path / f"{one.head().chain}.jsonl"
    reader = JournalReader(tmp_path)
    list(reader.poll())
    line = encode(intent(7))[:-1] + b',"seq":2,"hash":"' + b"0" * 64 + b'"}\n'
    with path.open("ab", buffering=0) as file:
        file.write(line[:50])
        assert list(reader.poll()) == []
        file.write(line[50:])
        assert calls(list(reader.poll())) == ["call7"]
        file.write(b"rubbish\n")
        assert list(reader.poll()) == []
        assert list(reader.poll()) == []
        file.write(line.replace(b"0" * 64, b"0" * 63 + b"x"))
        assert list(reader.poll()) == []
    assert reader.unreadable == 2
    one.close()


def test_lines_of_a_block_are_numbered(tmp_path: Path) -> None:
    """Each line of a block is read with its number, over several polls."""
    journal = Journal.open(tmp_path, "gateway", MemoryRegister())
    reader = JournalReader(tmp_path)
    journal.intend(intent(1), intent(2))
    assert [record.seq for record in reader.poll()] == [1, 2, 3]
    journal.outcome(outcome(1))
    journal.intend(intent(3), intent(4))
    records = list(reader.poll())
    assert [(record.seq, record.entry) for record in records] == [
        (4, outcome(1)),
        (5, intent(3)),
        (6, intent(4)),
    ]
    assert journal.head().seq == 6
    journal.close()


def test_conditions_choose_calls_with_their_outcomes(tmp_path: Path) -> None:
    """An outcome names only its call; it is wanted when its intent was."""
    one, two = open_two(tmp_path)
    two.close()
    one.intend(intent(1, tenant="a", caller="x"))
    one.intend(intent(2, tenant="b", caller="x"))
    one.outcome(outcome(1))
    one.outcome(outcome(2))
    one.record(Event("pin-learned", 1100.0, "keeper", TenantId("b"), "exchange", {}))
    one.close()

    def chosen(wanted: Wanted) -> list[str]:
        return [
            f"{type(r.entry).__name__} {getattr(r.entry, 'call', '')}".strip()
            for r in JournalReader(tmp_path, wanted).poll()
        ]

    assert chosen(Wanted(tenant="a")) == ["Intent call1", "Outcome call1"]
    assert chosen(Wanted(tenant="b")) == ["Intent call2", "Outcome call2", "Event"]
    assert chosen(Wanted(call="call2")) == ["Intent call2", "Outcome call2"]
    assert chosen(Wanted(caller="x", tenant="b")) == ["Intent call2", "Outcome call2"]
    assert chosen(Wanted(connection="none")) == []
    assert chosen(Wanted(since=1001.5, until=1002.5)) == ["Intent call2", "Outcome call1"]
