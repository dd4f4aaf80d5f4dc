"""Whether a worker stays as it was: 200,000 calls, then a GiB in each direction.

    .venv/bin/python bench/soak.py [--calls 200000] [--gib 1]

`bailee serve` with one worker. Memory (RSS) of the worker at rest, before its first call, and after
the first 32. Then calls on 32 kept connections, a quarter each: the same GET, a GET with another
query each time, a GET of another path each time, a POST of 100 bytes; what the worker remembers of
them is in its growth. Before and after them, when the pool of idle streams has emptied
itself, descriptors and threads are counted; event-loop tasks can't be seen from outside,
`tests/faults/test_many_calls.py` counts them. At last a body each way, made by the reference API or
for it, whose SHA-256 is compared while the worker's memory is sampled every 20 ms. Run as root:
only root may count a worker's descriptors. Needs nginx, wrk and gcc.
"""

import argparse
import hashlib
import json
import os
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography import x509
from measure import MIB, Report, Standing, Watch, options, pace, require, resident, standing, wrk
from world import OTHER_CORE, Bailee, bailee, build_house, whole_world

from bailee.egress.pin import compute_pin  # `world` has set the path
from bailee.egress.pool import IDLE_SECONDS
from bailee.reference.streams import pseudo_random, pseudo_random_sha256
from house import make_provider
from reference_server import start_api
from served import admit

MIXED = """
local n = 0
local body = string.rep("x", 100)
request = function()
  n = n + 1
  if n % 4 == 0 then return wrk.format("GET", "{path}") end
  if n % 4 == 1 then return wrk.format("GET", "{path}?n=" .. n) end
  if n % 4 == 2 then return wrk.format("GET", "{path}/" .. n) end
  return wrk.format("POST", "{path}", nil, body)
end
"""
SETTLE_SECONDS = 1.5
SLICE_SECONDS = 10
BODY_SECONDS = 300.0


def soak(place: Bailee, calls: int, report: Report, *, quick: bool) -> None:
    """Make so many calls; memory, descriptors and threads before and after."""
    pid, target = place.worker, place.target("/v1/balance")
    time.sleep(SETTLE_SECONDS)
    report.figure("a worker at rest", resident([pid]) / MIB, "MiB", at_most=64)
    script = MIXED.format(path=target.path)
    pace(target, 32, 1, 32, OTHER_CORE, "constant")
    at_first = rested(pid, quick=quick)
    memory, done = resident([pid]), 0
    with Watch(pid) as watch:
        while done < calls:
            done += wrk(target, 1 if quick else SLICE_SECONDS, 32, OTHER_CORE, script).calls
            report.line(f"{done} calls, {resident([pid]) / MIB:.1f} MiB")
    at_last = rested(pid, quick=quick)
    growth = (resident([pid]) - memory) / MIB
    report.line(f"most during the calls: {watch.most / MIB:.1f} MiB")
    report.line(f"before: {at_first}, after: {at_last}")
    report.figure(f"growth over {done} calls", growth, "MiB", at_most=20)
    more = at_last.descriptors - at_first.descriptors
    report.figure("descriptors more than before", more, at_most=0)
    report.figure("threads more than before", at_last.threads - at_first.threads, at_most=0)
    report.figure("workers that died", len(place.served.pids("gateway")) - 1, at_most=0)


def rested(pid: int, *, quick: bool) -> Standing:
    """What a worker holds when its idle streams are gone; in a smoke test soon."""
    time.sleep(SETTLE_SECONDS + (0 if quick else IDLE_SECONDS))
    return standing(pid)


@contextmanager
def before_reference_api(directory: Path) -> Iterator[Bailee]:
    """Bailee before the reference API, which makes and digests large bodies."""
    house = build_house(directory / "vault")
    with start_api(directory / "api") as api:
        pin = compute_pin(x509.load_pem_x509_certificate(api.files.certificate.read_bytes()))
        made = make_provider(api.port, api.files.ca.read_text())
        connection, token = admit(house, made, pin, api.make_key(["127.0.0.2"]))
        with bailee(house, connection, token) as place:
            yield place
    house.store.close()


def bodies(place: Bailee, count: int, report: Report) -> None:
    """Pass a body in each direction, once small and once large."""
    for size, told in ((MIB, False), (count, True)):
        for name, passed in (("download", download), ("upload", upload)):
            begun = time.monotonic()
            with Watch(place.worker) as watch:
                equal = passed(place, size)
            if not told:
                continue
            report.line(f"{name} of {size / MIB:.0f} MiB in {time.monotonic() - begun:.1f} s")
            report.figure(f"{name}: growth", watch.growth / MIB, "MiB", at_most=64)
            report.figure(f"{name}: hash equal", int(equal), at_least=1)


@contextmanager
def sent(place: Bailee, method: str, path: str, *more: str) -> Iterator[socket.socket]:
    """A connection on which the head of a request was sent."""
    target = place.target(path)
    with socket.create_connection(("127.0.0.1", target.port), timeout=BODY_SECONDS) as client:
        lines = [f"{method} {target.path} HTTP/1.1", "Host: here", "Connection: close"]
        lines += [f"Authorization: Bearer {target.token}", *more]
        client.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        yield client


def download(place: Bailee, count: int) -> bool:
    """Read so many bytes of the API; whether they are the right ones."""
    digest, length, buffer = hashlib.sha256(), 0, memoryview(bytearray(MIB))
    with (
        sent(place, "GET", f"/v1/bytes?count={count}") as client,
        client.makefile("rb", buffering=65536) as answer,
    ):
        while answer.readline() not in (b"\r\n", b""):
            pass
        while got := answer.readinto(buffer):
            digest.update(buffer[:got])
            length += got
    return (length, digest.hexdigest()) == (count, pseudo_random_sha256(count))


def upload(place: Bailee, count: int) -> bool:
    """Send so many bytes to the API; whether it got the right ones."""
    digest = hashlib.sha256()
    with sent(place, "POST", "/v1/sink", f"Content-Length: {count}") as client:
        for piece in pseudo_random(count, seed=7):
            digest.update(piece)
            client.sendall(piece)
        with client.makefile("rb") as answer:
            told = json.loads(answer.read().partition(b"\r\n\r\n")[2])
    return bool(told == {"length": count, "sha256": digest.hexdigest()})


def main() -> None:
    """Measure, tell."""
    parser = options(__doc__ or "")
    parser.add_argument("--calls", type=int, default=200_000)
    parser.add_argument("--gib", type=float, default=1.0)
    args: argparse.Namespace = parser.parse_args()
    if args.quick:
        args.calls, args.gib = 2000, 0.03
    if os.geteuid():
        raise SystemExit("run this bench as root: only root may count a worker's descriptors")
    require("nginx", "wrk", "taskset")
    report = Report("soak", args)
    with tempfile.TemporaryDirectory() as name, whole_world(Path(name)) as (place, _):
        soak(place, args.calls, report, quick=args.quick)
    with tempfile.TemporaryDirectory() as name, before_reference_api(Path(name)) as place:
        bodies(place, int(args.gib * 1024) * MIB, report)
    report.end()


if __name__ == "__main__":
    main()
