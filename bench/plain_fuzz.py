"""Look for a message that the compiled parser and llhttp read differently, for as long as is said.

    .venv/bin/python bench/plain_fuzz.py [--seconds 60] [--seed N]

It changes real messages at random, gives each to the gateway with the compiled parser and without,
sends another one after it, and compares all that became of them. It ends with 1 and prints the
message when the two differ. The suite does the same for a second:
tests/contract/http/test_plain_parser.py.
"""

import argparse
import asyncio
import random
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "src")]

from bailee.http.plain import compiled_of, read_plain_answer, read_plain_request
from two_parsers import (
    ANSWERS,
    PROBE,
    PROBE_ANSWER,
    REQUESTS,
    answer_outcome,
    llhttp_alone,
    mutated,
    request_outcome,
)

SLICE = 1000


async def main() -> int:
    """Fuzz; 0 when nothing was found."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000_007)
    given = parser.parse_args()
    if compiled_of() is None:
        return say("there is no compiled parser: python hatch_build.py") or 1
    chance, ends = random.Random(given.seed), time.monotonic() + given.seconds
    kinds = {"requests": 0, "answers": 0}
    taken = dict(kinds)
    say(f"seed {given.seed}, {given.seconds:g} s")
    while time.monotonic() < ends:
        for _ in range(SLICE):
            kind = chance.choice(list(kinds))
            data, is_taken = one_of(chance, kind)
            kinds[kind] += 1
            taken[kind] += is_taken
            if data is not None:
                say(f"read differently, {kind}: {data!r}")
                return 1
    for kind, count in kinds.items():
        say(f"{count} {kind}, {taken[kind] / max(count, 1):.0%} of them plain: none is different")
    return 0


def one_of(chance: random.Random, kind: str) -> tuple[bytes | None, bool]:
    """Try one message: itself if it is read differently, and whether it is plain."""
    if kind == "requests":
        data = mutated(chance, list(REQUESTS.values()))
        reads = (data, PROBE, data)
        with llhttp_alone():
            expected = request_outcome(*reads)
        same, is_taken = request_outcome(*reads) == expected, read_plain_request(data) is not None
    else:
        data = mutated(chance, list(ANSWERS.values()))
        method = chance.choice(["GET", "GET", "POST", "HEAD"])
        with llhttp_alone():
            expected = answer_outcome(method, data, PROBE_ANSWER, data)
        same = answer_outcome(method, data, PROBE_ANSWER, data) == expected
        is_taken = read_plain_answer(data) is not None
    return None if same else data, is_taken


def say(line: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
