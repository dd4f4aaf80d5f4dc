"""Whether slow clients hurt anyone but themselves.

    .venv/bin/python bench/slow.py [--heads 1000] [--bodies 300] [--readers 300] [--watch SECONDS]

`bailee serve` with one worker. All at once: clients that send one byte of a head each second;
clients that send one byte of a body of 1 MiB each second; clients that ask for 64 MiB and read 100
bytes each second. Beside them 50 honest calls a second from `pace` (an open loop: a time runs from
when a call was due). A slow client counts as closed when the worker's socket is no longer
established, which /proc/net/tcp tells, five times a second; what a client has not read yet may keep
the kernel sending after that.

Deadlines: a head `gateway.head_seconds` from its first byte; a body `SLOW_SECONDS` and then 1 KiB a
second; a reader `SLOW_SECONDS` and then 1 KiB a second for what the worker holds for it, which is
`HELD_BYTES` at most; that begins when the kernel's buffers are full, and the provider sends 512 KiB
a second, so that they are within `FILL_SECONDS`. Needs nginx and gcc.
"""

import argparse
import asyncio
import json
import os
import socket
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import uvloop
from measure import MIB, Report, Target, Watch, built, options, percentile, require, start_pace
from world import OTHER_CORE, Bailee, whole_world

HONEST_RATE = 50
HONEST_CONNECTIONS = 16
HEAD_SECONDS = 5.0
SLOW_SECONDS = 5.0
BYTES_PER_SECOND = 1024
HELD_BYTES = 128 * 1024
FILL_SECONDS = 12.0
"""4 MiB of send buffer, as much as Linux gives a connection, and what the client's takes."""
GRACE_SECONDS = 1.0
BIG_BYTES = 64 * MIB
OPENING_SECONDS = 2.0
POLL_SECONDS = 0.2
DEADLINES = {
    "head": HEAD_SECONDS,
    "body": SLOW_SECONDS,
    "reader": FILL_SECONDS + SLOW_SECONDS + HELD_BYTES / BYTES_PER_SECOND,
}


@dataclass(slots=True, eq=False)
class SlowClient:
    """One client that takes its time."""

    kind: str
    sock: socket.socket
    port: int
    begun: float
    closed: float | None = None
    answer: str = ""

    @property
    def age(self) -> float:
        """How old its connection was when the worker closed it, or is now."""
        return (self.closed or time.monotonic()) - self.begun


async def open_one(kind: str, place: Bailee, sent: bytes) -> SlowClient:
    """Connect, and send what it sends at first."""
    loop, sock = asyncio.get_running_loop(), socket.socket()
    if kind == "reader":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.setblocking(False)
    await loop.sock_connect(sock, ("127.0.0.1", place.served.port))
    await loop.sock_sendall(sock, sent)
    return SlowClient(kind, sock, sock.getsockname()[1], time.monotonic())


async def dawdle(client: SlowClient) -> None:
    """Send or read a little each second, until the worker has closed."""
    loop = asyncio.get_running_loop()
    try:
        while client.closed is None:
            await asyncio.sleep(1)
            if client.kind == "reader":
                await loop.sock_recv(client.sock, 100)
            else:
                await loop.sock_sendall(client.sock, b"a")
    except OSError:
        pass  # that is how it learns of it
    while client.closed is None:
        await asyncio.sleep(POLL_SECONDS)
    client.answer = first_line(client)
    client.sock.close()


def first_line(client: SlowClient) -> str:
    """What the worker said before it closed."""
    if client.kind == "reader":
        return "cut"
    try:
        return client.sock.recv(200).split(b"\r\n")[0].decode() or "nothing"
    except OSError as error:
        return type(error).__name__


async def watch_closing(clients: list[SlowClient], port: int) -> None:
    """Note when the worker closes a connection."""
    while any(client.closed is None for client in clients):
        await asyncio.sleep(POLL_SECONDS)
        there, now = set(established(port)), time.monotonic()
        for client in clients:
            if client.closed is None and client.port not in there:
                client.closed = now


def established(port: int) -> Iterator[int]:
    """The far ports of the connections that a local port has."""
    ours = f":{port:04X}"
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, state, *_ = line.split()
        if state == "01" and local.endswith(ours):
            yield int(remote.partition(":")[2], 16)


async def run(place: Bailee, args: argparse.Namespace) -> list[SlowClient]:
    """Open all slow clients within two seconds, and watch them."""
    head, hold = place.target("/v1/balance"), place.target("/v1/hold")
    big = place.target("/big/file")
    bearer = f"Host: here\r\nAuthorization: Bearer {head.token}\r\n"
    begins = {
        "head": f"GET {head.path} HTTP/1.1\r\n{bearer}X-Slow: ",
        "body": f"POST {hold.path} HTTP/1.1\r\n{bearer}Content-Length: {MIB}\r\n\r\n",
        "reader": f"GET {big.path} HTTP/1.1\r\n{bearer}\r\n",
    }
    counts = {"head": args.heads, "body": args.bodies, "reader": args.readers}
    kinds = [kind for kind, count in counts.items() for _ in range(count)]
    clients: list[SlowClient] = []
    async with asyncio.TaskGroup() as tasks:
        dawdling = []
        for kind in kinds:
            client = await open_one(kind, place, begins[kind].encode())
            clients.append(client)
            dawdling.append(tasks.create_task(dawdle(client)))
            await asyncio.sleep(OPENING_SECONDS / len(kinds))
        try:
            async with asyncio.timeout(args.watch):
                await watch_closing(clients, place.served.port)
        except TimeoutError:
            for task in dawdling:
                task.cancel()
    return clients


def judge(clients: list[SlowClient], report: Report) -> None:
    """Tell how the slow ones ended."""
    for kind, deadline in DEADLINES.items():
        those = [client for client in clients if client.kind == kind]
        ages = [client.age for client in those if client.closed is not None]
        answers = Counter(client.answer for client in those if client.closed is not None)
        report.line(
            f"{kind}: {len(those)} slow ones, {len(ages)} closed, after"
            f" {percentile(ages, 0):.1f} to {percentile(ages, 1):.1f} s;"
            f" {dict(answers.most_common(3))}"
        )
        late = sum(client.age > deadline + GRACE_SECONDS for client in those)
        early = sum(age < deadline - GRACE_SECONDS for age in ages) if kind == "head" else 0
        report.figure(f"{kind}: not closed at {deadline + GRACE_SECONDS:g} s", late, at_most=0)
        report.figure(f"{kind}: closed before its deadline", early, at_most=0)


def honest(told: dict[str, float], report: Report) -> None:
    """Tell how the honest ones fared."""
    called = told["called"] + told["unsent"]
    report.line(f"honest: {told}")
    report.figure("honest calls served", 100 * told["answered"] / called, "%", at_least=100)
    report.figure("honest p99", told["due_p99_us"] / 1000, "ms", at_most=250)


def measure(place: Bailee, args: argparse.Namespace, report: Report) -> None:
    """The slow and the honest, at the same time."""
    target: Target = place.target("/v1/balance")
    seconds = args.watch + OPENING_SECONDS
    process = start_pace(target, HONEST_RATE, seconds, HONEST_CONNECTIONS, OTHER_CORE, "constant")
    with process, Watch(place.worker) as watch:
        clients = uvloop.run(run(place, args))
        out, _ = process.communicate()
    honest(json.loads(out), report)
    judge(clients, report)
    report.line(
        f"the worker's memory: {watch.before / MIB:.1f}, at most {watch.most / MIB:.1f} MiB"
    )
    report.figure("workers that died", len(place.served.pids("gateway")) - 1, at_most=0)


def main() -> None:
    """Measure, tell."""
    parser = options(__doc__ or "")
    parser.add_argument("--heads", type=int, default=1000)
    parser.add_argument("--bodies", type=int, default=300)
    parser.add_argument("--readers", type=int, default=300)
    parser.add_argument(
        "--watch", type=float, default=DEADLINES["reader"] + 5, help="seconds, and no longer"
    )
    args = parser.parse_args()
    if args.quick:
        args.heads, args.bodies, args.readers, args.watch = 20, 10, 10, 8.0
    require("nginx", "taskset")
    built("pace.c")
    os.sched_setaffinity(0, {OTHER_CORE})
    report = Report("slow", args)
    report.line(f"# {args.heads} heads, {args.bodies} bodies, {args.readers} readers")
    with tempfile.TemporaryDirectory() as name, whole_world(Path(name)) as (place, upstream):
        with (upstream.directory / "big" / "file").open("wb") as file:
            file.truncate(BIG_BYTES)
        measure(place, args, report)
    report.end()


if __name__ == "__main__":
    main()
