"""What every bench measures with, and how it tells it."""

import argparse
import hashlib
import json
import math
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

ROOT = Path(__file__).resolve().parents[1]
RAW = ROOT / "docs" / "performance" / "raw"
CACHE = ROOT / ".cache" / "bench"
TICKS = os.sysconf("SC_CLK_TCK")
MIB = 1024**2
SAMPLE_SECONDS = 0.02
_UNITS = {"us": 1.0, "ms": 1e3, "s": 1e6, "m": 6e7}


# --- processes ---


def family(pid: int) -> list[int]:
    """A process and all below it."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [pid, *(below for child in text.split() for below in family(int(child)))]


def cpu_seconds(pids: Sequence[int]) -> float:
    """User and system time of processes so far."""
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def resident(pids: Sequence[int]) -> int:
    """How much memory of processes is resident, bytes; what they share counts for each."""
    total = 0
    for pid in pids:
        found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
        total += int(found[1]) * 1024 if found else 0
    return total


class Standing(NamedTuple):
    """What a process holds."""

    descriptors: int
    threads: int


def standing(pid: int) -> Standing:
    """Count descriptors (only root may, of a worker) and threads of a process."""
    place = Path(f"/proc/{pid}")
    return Standing(len(list((place / "fd").iterdir())), len(list((place / "task").iterdir())))


class Watch:
    """Samples the memory of a process while its block runs."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.before = self.most = resident([pid])
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample)

    @property
    def growth(self) -> int:
        """By how much it has grown at most, bytes."""
        return self.most - self.before

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._over.wait(SAMPLE_SECONDS):
            self.most = max(self.most, resident([self._pid]))


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as trial:
        return int(trial.getsockname()[1])


def wait_for(port: int, seconds: float = 20.0) -> None:
    """Until a port answers."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with socket.socket() as trial:
            if trial.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise SystemExit(f"nothing listens on {port}")


def percentile(values: Sequence[float], part: float) -> float:
    """The value below which a part of them lies; not a number where there are none."""
    return sorted(values)[int(part * (len(values) - 1))] if values else math.nan


# --- loads ---


@dataclass(frozen=True, slots=True)
class Target:
    """Where a load goes."""

    port: int
    path: str
    token: str = ""
    scheme: str = "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}{self.path}"

    def request(self) -> bytes:
        """The one request that `pace` sends."""
        lines = [f"GET {self.path} HTTP/1.1", f"Host: 127.0.0.1:{self.port}"]
        lines.append(f"Authorization: Bearer {self.token}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode()


class Seen(NamedTuple):
    """What wrk saw."""

    calls: int
    seconds: float
    p50_us: float
    p99_us: float


def wrk(
    target: Target, seconds: int, connections: int, core: int, script: str = "", threads: int = 1
) -> Seen:
    """A closed loop: each connection calls again when it was answered. Errors end the bench."""
    command = ["taskset", "-c", str(core), "wrk", f"-t{threads}", f"-c{connections}"]
    command += [f"-d{seconds}", "--latency", "--timeout", "10s"]
    command += ["-H", f"Authorization: Bearer {target.token}"]
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        if script:
            file.write(script)
            file.flush()
            command += ["-s", file.name]
        done = subprocess.run([*command, target.url], capture_output=True, text=True, check=True)
    text = done.stdout
    calls = re.search(r"(\d+) requests in ([\d.]+)(s|m)", text)
    shown = {part: re.search(rf"{part}%\s+([\d.]+)(us|ms|s|m)", text) for part in (50, 99)}
    p50, p99 = shown[50], shown[99]
    if "Non-2xx" in text or "Socket errors" in text or not (calls and p50 and p99):
        raise SystemExit(f"the load saw errors:\n{text}")
    return Seen(
        calls=int(calls[1]),
        seconds=float(calls[2]) * (60 if calls[3] == "m" else 1),
        p50_us=float(p50[1]) * _UNITS[p50[2]],
        p99_us=float(p99[1]) * _UNITS[p99[2]],
    )


def pace(
    target: Target, rate: float, seconds: float, connections: int, core: int, arrivals: str
) -> dict[str, float]:
    """An open loop: calls come at a fixed rate, answered or not; see `pace.c`."""
    with start_pace(target, rate, seconds, connections, core, arrivals) as process:
        out, _ = process.communicate()
    if process.returncode:
        raise SystemExit("pace failed")
    told: dict[str, float] = json.loads(out)
    return told


def start_pace(
    target: Target, rate: float, seconds: float, connections: int, core: int, arrivals: str
) -> "subprocess.Popen[bytes]":
    """Start an open loop; its last line of stdout is what it saw."""
    numbers = [str(target.port), str(rate), str(seconds), str(connections), arrivals]
    process = subprocess.Popen(
        ["taskset", "-c", str(core), str(built("pace.c")), *numbers],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    process.stdin.write(target.request())
    process.stdin.close()
    process.stdin = None
    return process


def built(source: str) -> Path:
    """Compile a C file of this folder, once for each of its versions."""
    path = Path(__file__).with_name(source)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    program = CACHE / f"{path.stem}-{digest}"
    if not program.exists():
        compiler = shutil.which("cc")
        if compiler is None:
            raise SystemExit("this bench needs a C compiler: apt-get install gcc libc6-dev")
        CACHE.mkdir(parents=True, exist_ok=True)
        subprocess.run([compiler, "-O2", "-Wall", "-o", str(program), str(path), "-lm"], check=True)
    return program


def require(*programs: str) -> None:
    """Refuse to begin without these programs."""
    missing = [name for name in programs if shutil.which(name) is None]
    if missing:
        raise SystemExit(
            f"this bench needs {' and '.join(missing)}: apt-get install nginx-light wrk"
        )


# --- telling ---


def options(description: str) -> argparse.ArgumentParser:
    """The options that every bench has."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick", action="store_true", help="a smoke test: its figures say nothing"
    )
    parser.add_argument(
        "--record", action="store_true", help="keep the output under docs/performance/raw"
    )
    parser.add_argument(
        "--check", action="store_true", help="exit with 1 when a stated figure is not reached"
    )
    return parser


class Report:
    """Prints lines and figures, and keeps them."""

    def __init__(self, name: str, arguments: argparse.Namespace) -> None:
        self._name = name
        self._record: bool = arguments.record
        self._check: bool = arguments.check
        self._lines: list[str] = []
        self._missed: list[str] = []
        words = [word for word in sys.argv[1:] if word not in ("--record", "--check")]
        self.line(f"# {' '.join(['bench/' + name + '.py', *words])}")
        self.line(f"# {time.strftime('%Y-%m-%d %H:%M', time.gmtime())} UTC, {machine()}")
        load = Path("/proc/loadavg").read_text().split()[0]
        self.line(f"# load average before: {load}" + (", --quick" if arguments.quick else ""))

    def line(self, text: str = "") -> None:
        """Print a line."""
        print(text, flush=True)
        self._lines.append(text)

    def figure(
        self,
        what: str,
        value: float,
        unit: str = "",
        *,
        at_most: float | None = None,
        at_least: float | None = None,
    ) -> None:
        """Print a value beside the figure to reach."""
        reached = (at_most is None or value <= at_most) and (at_least is None or value >= at_least)
        wanted = f"<= {at_most:g}" if at_most is not None else f">= {at_least:g}"
        verdict = "pass" if reached and not math.isnan(value) else "FAIL"
        if verdict == "FAIL":
            self._missed.append(what)
        self.line(f"{verdict}  {what}: {value:.4g} {unit}".rstrip() + f" (figure: {wanted})")

    def end(self) -> None:
        """Keep what was printed, where asked to, and exit with the status that is due."""
        self.line(f"# {len(self._missed)} of the stated figures not reached")
        if self._record:
            RAW.mkdir(parents=True, exist_ok=True)
            path = _unused(f"{self._name}-{time.strftime('%Y-%m-%d', time.gmtime())}")
            path.write_text("\n".join(self._lines) + "\n")
            print(f"kept in {path.relative_to(ROOT)}", file=sys.stderr)
        sys.exit(1 if self._check and self._missed else 0)


def _unused(stem: str) -> Path:
    """A file that is not there yet: no run takes the place of another."""
    for number in range(1, 1000):
        path = RAW / (f"{stem}.txt" if number == 1 else f"{stem}-{number}.txt")
        if not path.exists():
            return path
    raise SystemExit(f"too many files are called {stem}")


def machine() -> str:
    """What this runs on, in one line."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    memory = int(Path("/proc/meminfo").read_text().split()[1]) / MIB
    return (
        f"{next(names, platform.machine())}, {os.cpu_count()} cores, {memory:.0f} GiB, "
        f"Linux {platform.release()}, Python {platform.python_version()}"
    )
