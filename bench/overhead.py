"""What a proxy adds to one call: one connection, one call after another.

    .venv/bin/python bench/overhead.py [--all | --peers nginx,...] [--seconds 5] [--rounds 3]

The same calls go to the upstream directly, over TLS on a kept connection, and through each proxy in
turn, whose upstream connection is kept too. What is added is the proxy's quantile less the direct
one's. The proxy has core 0; load and upstream share core 1. One call at a time: nothing queues, so
that nothing is omitted. Each round measures the direct way anew. Needs nginx and wrk.
"""

import argparse
import statistics
import tempfile
from pathlib import Path

from measure import Report, Target, options, require, wrk
from relay import BAILEE, WARM_UP_SECONDS, chosen, started
from world import OTHER_CORE, provider

DIRECT = "direct"
Quantiles = dict[str, list[tuple[float, float]]]


def measure_all(
    names: list[str], args: argparse.Namespace, report: Report, directory: Path
) -> Quantiles:
    """Median and p99 in microseconds, of every round."""
    seen: Quantiles = {name: [] for name in [DIRECT, BAILEE, *names]}
    with provider(directory) as upstream:
        direct = Target(upstream.port, "/v1/balance", "t" * 60, "https")
        for number in range(args.rounds):
            for name, kept in seen.items():
                if name == DIRECT:
                    kept.append(calls(direct, args))
                else:
                    with started(name, upstream, directory, OTHER_CORE) as (_, target):
                        kept.append(calls(target, args))
                p50, p99 = kept[-1]
                report.line(f"round {number + 1} {name}: p50 {p50:.1f} us, p99 {p99:.1f} us")
    return seen


def calls(target: Target, args: argparse.Namespace) -> tuple[float, float]:
    """One round on one connection."""
    wrk(target, WARM_UP_SECONDS, 1, OTHER_CORE)
    told = wrk(target, args.seconds, 1, OTHER_CORE)
    return told.p50_us, told.p99_us


def main() -> None:
    """Measure, tell."""
    parser = options(__doc__ or "")
    parser.add_argument("--peers", default="", help="names, with commas between them")
    parser.add_argument("--all", action="store_true", help="refuse to run without one of the peers")
    parser.add_argument("--install", action="store_true", help="install the peers that are wheels")
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    if args.quick:
        args.seconds, args.rounds = 1, 1
    require("nginx", "wrk", "taskset")
    peers = chosen(args)
    report = Report("overhead", args)
    for peer in peers:
        report.line(f"# {peer.name}: {peer.tell_version()}; {peer.does}")
    with tempfile.TemporaryDirectory() as name:
        seen = measure_all([peer.name for peer in peers], args, report, Path(name))
    added = tell(seen, report)
    if "nginx" in added:
        report.figure("added time beside nginx's", added[BAILEE] / added["nginx"], at_most=1.3)
    report.end()


def tell(seen: Quantiles, report: Report) -> dict[str, float]:
    """Print what each adds, medians of the rounds; the added medians."""
    added = {}
    report.line()
    report.line("proxy     p50 us  p99 us  added at p50  added at p99")
    for name, rounds in seen.items():
        p50, p99 = (statistics.median(each[part] for each in rounds) for part in (0, 1))
        more = [
            statistics.median(
                ours[part] - bare[part] for ours, bare in zip(rounds, seen[DIRECT], strict=True)
            )
            for part in (0, 1)
        ]
        added[name] = more[0]
        report.line(f"{name:9} {p50:6.1f} {p99:7.1f} {more[0]:13.1f} {more[1]:13.1f}")
    return added


if __name__ == "__main__":
    main()
