"""What callers see of a provider that breaks, and how often a write reaches it.

    .venv/bin/python bench/faults.py [--repeat 3] [--resets 1000] [--storm 6000] [--late]

`bailee serve` with one worker before the origin of `tests/fault_origin.py`, which breaks in the way
that each request asks for: resets, cut and malformed answers, bad TLS records, answers that nobody
asked for, silence. Three runs:

each fault, GET and POST, on a pooled and on a fresh stream, `--repeat` times: the caller sees what
the fault lets it see, and the next call is served;
so many writes whose connection is reset, half on pooled streams: each reaches the origin once at
most, and its caller is told that the outcome is unknown;
a storm of all faults that don't hang, from four callers with credentials of their own over the same
pool: no caller sees a byte of another's answer, none goes out with another's credential.

An answer that comes unasked is told from the next one only while its stream lies idle: once another
call is on its way there, it is the answer to that one. So it is in the first run alone, unless
`--late` puts it into the storm, to show that. The short form of all this is
`tests/faults/test_upstream_faults.py`.
"""

import argparse
import asyncio
import tempfile
import time
from collections import Counter
from pathlib import Path

from measure import MIB, Report, Watch, options, require
from world import bailee, build_house

from bailee.reference.pki import World
from fault_calls import METHODS, Desk, admit_callers
from fault_origin import FAULTS, LATE, LATE_SECONDS, run_fault_origin

CLIENTS = 16
PATIENCE = {"first_byte_seconds": 1.0, "idle_seconds": 1.0}
"""How long the worker waits for a provider that hangs."""
QUICK = [name for name, fault in FAULTS.items() if not fault.hangs and name != LATE]


async def each_fault(desk: Desk, repeat: int, report: Report) -> None:
    """Every fault, method and kind of stream, one after another."""
    caller, other = desk.callers[:2]
    report.line("fault               method  stream  seen by the caller")
    for fault in FAULTS:
        for method in METHODS:
            for kind, call in (("fresh", desk.on_fresh), ("pooled", desk.on_pooled)):
                seen: Counter[str] = Counter()
                for _ in range(1 if FAULTS[fault].hangs else repeat):
                    seen[str(await call(caller, method, fault))] += 1
                    if fault == LATE:
                        await asyncio.sleep(4 * LATE_SECONDS)
                    await desk.call(other, "GET", "none")
                shown = ", ".join(f"{count} x {told}" for told, count in seen.items())
                report.line(f"{fault:19} {method:7} {kind:7} {shown}")


async def run(args: argparse.Namespace, report: Report, directory: Path) -> None:
    """All three runs before one worker."""
    house, world = build_house(directory / "vault"), World.create(["api.test"])
    async with run_fault_origin(world.leaf) as origin:
        callers = admit_callers(house, world, origin.port)
        first = callers[0]
        with bailee(house, first.connection, first.token, **PATIENCE) as place:
            desk = Desk(place.served.port, origin, callers)
            with Watch(place.worker) as watch:
                await measure(desk, args, report)
            report.line(f"memory: {watch.before / MIB:.1f}, at most {watch.most / MIB:.1f} MiB")
            died = len(place.served.pids("gateway")) - 1
            report.figure("workers that died", died, at_most=0)
        report.figure("calls with another's credential", len(origin.strangers), at_most=0)
    house.store.close()


async def measure(desk: Desk, args: argparse.Namespace, report: Report) -> None:
    """The three runs, and what is to be said of them."""
    await each_fault(desk, args.repeat, report)
    report.figure("faults", len(FAULTS) - 1, at_least=12)
    tell(desk, "each fault", report)
    begun = time.monotonic()
    most = await desk.resets(CLIENTS, args.resets)
    report.line(f"{args.resets} resets in {time.monotonic() - begun:.1f} s")
    report.figure("times that one write reached the origin", most, at_most=1)
    tell(desk, "resets", report)
    begun = time.monotonic()
    await desk.storm(CLIENTS, args.storm, seed=1, faults=[*QUICK, LATE] if args.late else QUICK)
    report.line(f"storm of {args.storm} calls in {time.monotonic() - begun:.1f} s")
    tell(desk, "storm", report)


def tell(desk: Desk, name: str, report: Report) -> None:
    """Tell what was wrong in a run, and forget it."""
    for each in desk.wrong[:20]:
        report.line(f"  {each}")
    strangers = sum("bytes of another" in each for each in desk.wrong)
    report.figure(f"{name}: answers with bytes of another caller", strangers, at_most=0)
    report.figure(f"{name}: whatever else should not be", len(desk.wrong) - strangers, at_most=0)
    desk.wrong.clear()


def main() -> None:
    """Measure, tell."""
    parser = options(__doc__ or "")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--resets", type=int, default=1000)
    parser.add_argument("--storm", type=int, default=6000)
    parser.add_argument("--late", action="store_true", help="late answers in the storm too")
    args = parser.parse_args()
    if args.quick:
        args.repeat, args.resets, args.storm = 1, 64, 320
    require("taskset")
    report = Report("faults", args)
    with tempfile.TemporaryDirectory() as name:
        asyncio.run(run(args, report, Path(name)))
    report.end()


if __name__ == "__main__":
    main()
