"""One gateway worker beside nginx's bare reverse proxy: same upstream, same load, same run.

    .venv/bin/python bench/relay.py [--seconds 5] [--rounds 3] [--connections 32] [--varied]
                                    [--one-core]

The upstream is nginx with TLS 1.3 and a 1 KB JSON answer. The load is wrk. Each proxy runs alone,
in turn, pinned to core 0; upstream and load share core 1, or with `--one-core` core 0 too: then no
write has to wake a sleeping core, which on a virtual machine costs the writer microseconds that
the fastest proxy is spared. CPU is the proxy's own time (user + system) from /proc, so that the
ratio holds on a noisy machine. With `--varied` every request has another query, so that nothing
that Bailee remembers of a whole request head can serve it. nginx proxies bare: no token, no grant,
no pin, no journal. Needs Debian's nginx and wrk.
"""

import argparse
import json
import os
import platform
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "src")]

from bailee.reference.pki import World  # the path is set above
from house import SOURCE, build_house, make_provider  # the path is set above

UPSTREAM = """
daemon off; worker_processes 1; pid {dir}/up.pid; error_log {dir}/up.err;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 100000000;
  server {{
    listen 127.0.0.1:{port} ssl; server_name api.test;
    ssl_certificate {cert}; ssl_certificate_key {key}; ssl_protocols TLSv1.3;
    location / {{ default_type application/json; return 200 '{body}'; }}
  }}
}}
"""
PROXY = """
daemon off; worker_processes 1; pid {dir}/px.pid; error_log {dir}/px.err;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 100000000;
  upstream api {{ server 127.0.0.1:{upstream}; keepalive 64; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass https://api; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Host api.test; proxy_bind {source};
      proxy_ssl_protocols TLSv1.3; proxy_ssl_verify on; proxy_ssl_trusted_certificate {ca};
      proxy_ssl_name api.test; proxy_ssl_server_name on;
    }}
  }}
}}
"""
VARIED = """
local n = 0
request = function()
  n = n + 1
  return wrk.format("GET", "{path}?n=" .. n)
end
"""
Figures = dict[str, float]
TICKS = os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as trial:
        return int(trial.getsockname()[1])


def cpu_seconds(pids: list[int]) -> float:
    """User and system time of processes so far."""
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def children(pid: int) -> list[int]:
    """A process and its children."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [pid, *(int(child) for child in text.split())]


@contextmanager
def running(core: int, *command: str, **more: object) -> Iterator[subprocess.Popen[bytes]]:
    """A process pinned to a core, ended by its pid."""
    process = subprocess.Popen(["taskset", "-c", str(core), *command], **more)  # type: ignore[call-overload]  # passed through as given
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(40)


def load(port: int, path: str, token: str, seconds: int, args: argparse.Namespace) -> Figures:
    """Run wrk and read what it says."""
    command = ["taskset", "-c", str(args.others), "wrk", "-t1", f"-c{args.connections}"]
    command += [f"-d{seconds}", "--latency", "-H", f"Authorization: Bearer {token}"]
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        if args.varied:
            script.write(VARIED.format(path=path))
            script.flush()
            command += ["-s", script.name]
        command.append(f"http://127.0.0.1:{port}{path}")
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    text = done.stdout
    if "Non-2xx" in text or "Socket errors" in text:
        raise SystemExit(f"the load saw errors:\n{text}")
    calls = re.search(r"(\d+) requests in", text)
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s)", text)
    p50 = re.search(r"50%\s+([\d.]+)(us|ms|s)", text)
    assert calls and p99 and p50
    unit = {"us": 1.0, "ms": 1e3, "s": 1e6}
    return {
        "calls": float(calls[1]),
        "p50_us": float(p50[1]) * unit[p50[2]],
        "p99_us": float(p99[1]) * unit[p99[2]],
    }


def measure(pid: int, port: int, path: str, token: str, args: argparse.Namespace) -> Figures:
    """Warm up, then one measured round."""
    load(port, path, token, 1, args)
    pids = children(pid)
    before, started = cpu_seconds(pids), time.monotonic()
    seen = load(port, path, token, args.seconds, args)
    cpu, wall = cpu_seconds(pids) - before, time.monotonic() - started
    seen["calls_per_second"] = seen["calls"] / wall
    seen["cpu_us_per_call"] = cpu / seen["calls"] * 1e6
    seen["calls_per_cpu_second"] = seen["calls"] / cpu
    return seen


def wait_for(port: int) -> None:
    """Until a port answers, 10 seconds at most."""
    for _ in range(500):
        with socket.socket() as trial:
            if trial.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise SystemExit(f"nothing listens on {port}")


def main() -> None:
    """Build the world, run both in turn, print a table and JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--varied", action="store_true")
    parser.add_argument("--one-core", action="store_true")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    args.others = 0 if args.one_core else 1
    if not shutil.which("nginx") or not shutil.which("wrk"):
        raise SystemExit("this bench needs nginx and wrk: apt-get install nginx-light wrk")
    with tempfile.TemporaryDirectory() as name:
        results = run(Path(name), args)
    report(results, args)


def run(directory: Path, args: argparse.Namespace) -> dict[str, list[Figures]]:
    """All rounds."""
    world = World.create(["api.test"])
    cert, key = world.leaf.write(directory, "leaf")
    (directory / "ca.pem").write_bytes(world.root.pem)
    upstream, nginx, gateway = free_port(), free_port(), free_port()
    body = json.dumps({"balance": "1" * 1008})
    (directory / "up.conf").write_text(
        UPSTREAM.format(dir=directory, port=upstream, cert=cert, key=key, body=body)
    )
    (directory / "px.conf").write_text(
        PROXY.format(
            dir=directory, port=nginx, upstream=upstream, ca=directory / "ca.pem", source=SOURCE
        )
    )
    house = build_house(directory / "vault")
    provider = make_provider(upstream, world.root.pem.decode())
    house.approve_provider(provider)
    house.approve_pins(provider.id, [world.leaf.pin])
    connection = house.add_connection(provider, {"api_key": "k" * 40})
    token = house.add_caller()
    house.grant(connection, "GET /v1/**")
    config = house.write_config(gateway, free_port(), free_port())
    results: dict[str, list[Figures]] = {"nginx": [], "bailee": []}
    with running(args.others, "nginx", "-c", str(directory / "up.conf"), "-p", str(directory)):
        wait_for(upstream)
        for _ in range(args.rounds):
            with running(0, "nginx", "-c", str(directory / "px.conf"), "-p", str(directory)) as px:
                wait_for(nginx)
                results["nginx"].append(measure(px.pid, nginx, "/v1/balance", token, args))
            with gateway_worker(config, gateway, house.root.reveal()) as worker:
                wait_for(gateway)
                path = f"/{connection}/v1/balance"
                results["bailee"].append(measure(worker.pid, gateway, path, token, args))
    return results


@contextmanager
def gateway_worker(config: Path, port: int, root_key: bytes) -> Iterator[subprocess.Popen[bytes]]:
    """One worker, started as the supervisor starts it."""
    reading, writing = os.pipe()
    os.write(writing, root_key)
    os.close(writing)
    with socket.create_server(("127.0.0.1", port), backlog=4096) as listening:
        command = [sys.executable, "-m", "bailee.app.gateway", "--config", str(config)]
        command += ["--listen-fd", str(listening.fileno()), "--root-key-fd", str(reading)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
        with running(
            0, *command, pass_fds=(listening.fileno(), reading), env=environment
        ) as process:
            os.close(reading)
            yield process


def report(results: dict[str, list[Figures]], args: argparse.Namespace) -> None:
    """The best round of each, and the ratio of the medians of CPU per call."""
    print(f"# {platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(
        f"# {args.connections} connections, {args.rounds} rounds of {args.seconds} s, 1 KB JSON, "
        f"{'varied' if args.varied else 'same'} requests, "
        f"{'one core for all' if args.one_core else 'a core for the proxy'}"
    )
    print("proxy    calls/s   cpu us/call  calls/cpu-s   p50 us   p99 us")
    medians = {}
    for name, rounds in results.items():
        ordered = sorted(rounds, key=lambda seen: seen["cpu_us_per_call"])
        median = medians[name] = ordered[len(ordered) // 2]
        print(
            f"{name:8} {median['calls_per_second']:8.0f} {median['cpu_us_per_call']:12.1f}"
            f" {median['calls_per_cpu_second']:12.0f} {median['p50_us']:8.0f}"
            f" {median['p99_us']:8.0f}"
        )
    ratio = medians["bailee"]["calls_per_cpu_second"] / medians["nginx"]["calls_per_cpu_second"]
    print(f"bailee / nginx, calls per CPU second: {ratio:.2f}")
    if args.json:
        args.json.write_text(json.dumps({"rounds": results, "ratio": ratio}, indent=1))


if __name__ == "__main__":
    main()
