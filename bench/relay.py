"""One worker of `bailee serve` beside other proxies: same upstream, same load, same core, one run.

    .venv/bin/python bench/relay.py [--all | --peers nginx,haproxy,...] [--install]
                                    [--seconds 5] [--rounds 3] [--connections 32]
                                    [--varied] [--one-core] [--arrivals poisson] [--json FILE]

The upstream is an nginx with TLS 1.3 and a 1 KB JSON answer. Each proxy runs in turn, pinned to
core 0; upstream and load share core 1, or with `--one-core` core 0 too: then no write has to wake a
sleeping core, which on a virtual machine costs the writer microseconds that the fastest proxy is
spared. Connections are kept on both sides.

Two loads. First wrk, a closed loop: what a proxy carries at most. Its quantiles there leave out
what callers would have waited who come at their own time (coordinated omission). Then `pace`, an
open loop: half of the rate that Bailee has just carried, offered to each proxy alike; its times run
from when a call was *due*, so that nothing is left out. Arrivals are evenly spaced as wrk2's, or
by `--arrivals poisson` as of callers who know nothing of each other. On two cores the load shares
its core with the upstream, so what it measures holds both; that is the same for each proxy.

CPU is the proxy's own time (user + system, all of its processes) from /proc, so that the ratio
holds on a noisy machine. With `--varied` every request has another query, so that nothing that
Bailee remembers of a whole request head can serve it.

Bailee does all that it does: token, grant, caller's limits, budgets, journal, deadlines, pin, the
head made anew, the credential placed and looked for in the answer. What a peer does is in its line.
Needs Debian's nginx, wrk and gcc. Without `--all` those peers are measured that are there;
`--install` makes the environments of those that are wheels.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from measure import (
    Report,
    Target,
    cpu_seconds,
    family,
    free_port,
    options,
    pace,
    require,
    resident,
    wait_for,
    wrk,
)
from peers import PEERS, Peer
from world import OTHER_CORE, PROXY_CORE, Provider, bailee, build_house, furnish, provider

VARIED = """
local n = 0
request = function()
  n = n + 1
  return wrk.format("GET", "{path}?n=" .. n)
end
"""
Figures = dict[str, float]
WARM_UP_SECONDS = 1
BAILEE = "bailee"


@contextmanager
def started(
    name: str, upstream: Provider, directory: Path, core: int
) -> Iterator[tuple[int, Target]]:
    """Start a proxy by its name: its pid, and where its calls go."""
    place = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=directory))
    place.chmod(0o755)
    if name == BAILEE:
        house = build_house(place / "vault")
        try:
            connection, token = furnish(house, upstream.port, upstream.world)
            with bailee(house, connection, token, core=core) as served:
                yield served.worker, served.target("/v1/balance")
        finally:
            house.store.close()
        return
    (peer,) = (each for each in PEERS if each.name == name)
    port = free_port()
    with peer.start(upstream, place, port, PROXY_CORE) as process:
        wait_for(port)
        yield process.pid, Target(port, "/v1/balance", "t" * 60)


def saturate(pid: int, target: Target, args: argparse.Namespace) -> Figures:
    """Warm up, then one round of the closed loop."""
    script = VARIED.format(path=target.path) if args.varied else ""
    wrk(target, WARM_UP_SECONDS, args.connections, args.others, script)
    pids = family(pid)
    before, begun = cpu_seconds(pids), time.monotonic()
    seen = wrk(target, args.seconds, args.connections, args.others, script)
    cpu, wall = cpu_seconds(pids) - before, time.monotonic() - begun
    return {
        "calls_per_second": seen.calls / wall,
        "cpu_us": cpu / seen.calls * 1e6,
        "p50_us": seen.p50_us,
        "p99_us": seen.p99_us,
        "rss_mib": resident(pids) / 2**20,
    }


def offer(target: Target, rate: float, args: argparse.Namespace) -> Figures:
    """One round of the open loop."""
    pace(target, rate, WARM_UP_SECONDS, args.connections, args.others, args.arrivals)
    return pace(target, rate, args.seconds, args.connections, args.others, args.arrivals)


def measure_all(
    names: list[str], args: argparse.Namespace, report: Report, directory: Path
) -> dict[str, list[Figures]]:
    """All rounds: in each, every proxy in turn, Bailee first, for its rate is offered to all."""
    rounds: dict[str, list[Figures]] = {name: [] for name in [BAILEE, *names]}
    with provider(directory, args.others) as upstream:
        for number in range(args.rounds):
            rate = 0.0
            for name, kept in rounds.items():
                with started(name, upstream, directory, args.others) as (pid, target):
                    figures = saturate(pid, target, args)
                    rate = rate or figures["calls_per_second"] / 2
                    offered = offer(target, rate, args)
                figures |= {"offered": rate, **{f"open_{key}": v for key, v in offered.items()}}
                kept.append(figures)
                shown = ", ".join(f"{key} {value:.4g}" for key, value in figures.items())
                report.line(f"round {number + 1} {name}: {shown}")
    return rounds


def table(rounds: dict[str, list[Figures]], report: Report) -> dict[str, Figures]:
    """Print the median of each proxy."""
    medians = {
        name: {key: statistics.median(each[key] for each in seen) for key in seen[0]}
        for name, seen in rounds.items()
    }
    report.line()
    report.line("medians; the last two at the same offered rate, from when a call was due")
    report.line("proxy      calls/s  CPU us  p50 us  p99 us  RSS MiB  offered/s  p50 us   p99 us")
    for name, each in medians.items():
        kept = each["open_answered"] >= 0.99 * (each["open_called"] + each["open_unsent"])
        due = f"{each['open_due_p50_us']:7.0f} {each['open_due_p99_us']:8.0f}"
        report.line(
            f"{name:9} {each['calls_per_second']:8.0f} {each['cpu_us']:7.1f} {each['p50_us']:7.0f}"
            f" {each['p99_us']:7.0f} {each['rss_mib']:8.1f} {each['offered']:10.0f}"
            f" {due if kept else 'not carried'}"
        )
    return medians


def judge(medians: dict[str, Figures], report: Report) -> None:
    """Print ratios, and the figures that are to be reached."""
    ours = medians[BAILEE]
    report.line()
    for name, each in medians.items():
        if name != BAILEE:
            report.line(
                f"bailee / {name}, calls a CPU second: {each['cpu_us'] / ours['cpu_us']:.2f}"
            )
    if "nginx" in medians:
        nginx = medians["nginx"]
        report.figure(
            "of nginx's calls a CPU second", nginx["cpu_us"] / ours["cpu_us"], at_least=0.5
        )
        report.figure(
            "p99 beside nginx's at the same offered rate",
            ours["open_due_p99_us"] / nginx["open_due_p99_us"],
            at_most=1.5,
        )
    if "go" in medians:
        ratio = medians["go"]["cpu_us"] / ours["cpu_us"]
        report.figure("of Go's calls a CPU second", ratio, at_least=2.0)


def chosen(args: argparse.Namespace) -> list[Peer]:
    """Whom to measure."""
    asked = args.peers.split(",") if args.peers else [peer.name for peer in PEERS]
    unknown = set(asked) - {peer.name for peer in PEERS}
    if unknown:
        raise SystemExit(f"unknown peers: {', '.join(sorted(unknown))}")
    peers = [peer for peer in PEERS if peer.name in asked]
    for peer in peers:
        if args.all or args.peers or (args.install and peer.wheel):
            peer.install()
    return [peer for peer in peers if peer.installed]


def main() -> None:
    """Measure, tell."""
    parser = options(__doc__ or "")
    parser.add_argument("--peers", default="", help="names, with commas between them")
    parser.add_argument("--all", action="store_true", help="refuse to run without one of the peers")
    parser.add_argument("--install", action="store_true", help="install the peers that are wheels")
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--varied", action="store_true")
    parser.add_argument("--one-core", action="store_true")
    parser.add_argument("--arrivals", choices=("constant", "poisson"), default="constant")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    if args.quick:
        args.seconds, args.rounds = 1, 1
    args.others = PROXY_CORE if args.one_core else OTHER_CORE
    require("nginx", "wrk", "taskset")
    peers = chosen(args)
    report = Report("relay", args)
    report.line(
        f"# {args.connections} connections, {args.rounds} rounds of {args.seconds} s, 1 KB JSON, "
        f"{'varied' if args.varied else 'same'} requests, {args.arrivals} arrivals, "
        f"{'one core for all' if args.one_core else 'a core for the proxy'}"
    )
    for peer in peers:
        report.line(f"# {peer.name}: {peer.tell_version()}; {peer.does}")
    with tempfile.TemporaryDirectory() as name:
        rounds = measure_all([peer.name for peer in peers], args, report, Path(name))
    judge(table(rounds, report), report)
    if args.json:
        args.json.write_text(json.dumps(rounds, indent=1))
    report.end()


if __name__ == "__main__":
    main()
