"""The proxies that Bailee is measured beside: what each does, what it needs, how it starts.

None of them looks at a token, a grant or a budget, or writes a journal; which pin is said of each.
Their settings lie in `peers/`. The wheels get an environment each under `.cache/bench/`.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from measure import CACHE
from world import SOURCE, Provider, filled, running

HERE = Path(__file__).with_name("peers")
Running = AbstractContextManager["subprocess.Popen[bytes]"]
Start = Callable[[Provider, Path, int, int], Running]
"""Starts a peer: the upstream, a directory of its own, its port, its core."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A proxy to measure."""

    name: str
    does: str
    start: Start
    debian: str = ""
    """The Debian package that it is in."""
    wheel: str = ""
    """The name of its requirement file in `peers/`."""
    version: tuple[str, ...] = ()
    """The command that tells its version."""

    @property
    def installed(self) -> bool:
        """Whether it can be started now."""
        return bool(shutil.which(self.name)) if self.debian else _is_made(self.wheel)

    def install(self) -> None:
        """Make its environment; what Debian has is not installed from here."""
        if self.debian:
            if not self.installed:
                raise SystemExit(f"{self.name} is missing: apt-get install {self.debian}")
        elif not self.installed:
            _make(self.wheel)

    def tell_version(self) -> str:
        """Its version, in a few words."""
        command = [str(place) for place in self.version]
        if self.wheel:
            command[0] = str(program(self.wheel, command[0]))
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        return lines[0].removeprefix(f"{command[0]} ")[:80]


def program(wheel: str, name: str) -> Path:
    """A program of a peer's environment."""
    return CACHE / wheel / "bin" / name


def _stamp(wheel: str) -> str:
    return hashlib.sha256(HERE.joinpath(f"{wheel}.txt").read_bytes()).hexdigest()


def _is_made(wheel: str) -> bool:
    stamp = CACHE / wheel / "stamp"
    return stamp.is_file() and stamp.read_text() == _stamp(wheel)


def _make(wheel: str) -> None:
    """Make a peer's environment anew, from its hashed requirements."""
    place = CACHE / wheel
    print(f"installing {wheel} into {place.relative_to(CACHE.parents[1])} ...", file=sys.stderr)
    venv.create(place, with_pip=True, clear=True)
    requirements = str(HERE / f"{wheel}.txt")
    pip = [str(place / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, "--require-hashes", "-r", requirements], check=True)
    if wheel == "go":
        _build_go(place)
    (place / "stamp").write_text(_stamp(wheel))


def _build_go(place: Path) -> None:
    settings = {"GOCACHE": str(place / "gocache"), "GOTOOLCHAIN": "local", "GOPROXY": "off"}
    environment = {**os.environ, **settings, "GO111MODULE": "off", "CGO_ENABLED": "0"}
    environment["GOPATH"] = str(place / "gopath")
    target = str(place / "bin" / "reverse_proxy")
    command = [str(place / "bin" / "go"), "build", "-o", target, str(HERE / "reverse_proxy.go")]
    subprocess.run(command, check=True, env=environment)


def _nginx(upstream: Provider, directory: Path, port: int, core: int) -> Running:
    config = _config("nginx.conf", upstream, directory, port)
    return running(core, "nginx", "-c", str(config), "-p", str(directory))


def _haproxy(upstream: Provider, directory: Path, port: int, core: int) -> Running:
    return running(
        core, "haproxy", "-db", "-f", str(_config("haproxy.cfg", upstream, directory, port))
    )


def _envoy(upstream: Provider, directory: Path, port: int, core: int) -> Running:
    config = str(_config("envoy.yaml", upstream, directory, port))
    quiet = ("--log-level", "error", "--disable-hot-restart", "--concurrency", "1")
    return running(core, str(program("envoy", "envoy")), "-c", config, *quiet)


def _go(upstream: Provider, directory: Path, port: int, core: int) -> Running:
    words = (str(port), str(upstream.port), str(upstream.ca), _pin(upstream), SOURCE)
    environment = {"GOMAXPROCS": "1"}
    return running(core, str(program("go", "reverse_proxy")), *words, environment=environment)


def _mitmproxy(upstream: Provider, directory: Path, port: int, core: int) -> Running:
    command = [str(program("mitmproxy", "mitmdump")), "--quiet", "--listen-host", "127.0.0.1"]
    command += ["--listen-port", str(port), "--mode", f"reverse:https://127.0.0.1:{upstream.port}"]
    for setting in (
        f"confdir={directory}",
        f"ssl_verify_upstream_trusted_ca={upstream.ca}",
        "tls_version_server_min=TLS1_3",
        f"connect_addr={SOURCE}",
        "http2=false",
    ):
        command += ["--set", setting]
    return running(core, *command)


def _aiohttp(upstream: Provider, directory: Path, port: int, core: int) -> Running:
    script = str(HERE / "aiohttp_proxy.py")
    words = (str(port), str(upstream.port), str(upstream.ca), SOURCE)
    return running(core, str(program("aiohttp", "python")), script, *words)


def _config(template: str, upstream: Provider, directory: Path, port: int) -> Path:
    return filled(
        template,
        directory / template,
        dir=directory,
        port=port,
        upstream=upstream.port,
        ca=upstream.ca,
        source=SOURCE,
        pin=_pin(upstream),
    )


def _pin(upstream: Provider) -> str:
    return upstream.world.leaf.pin_text.removeprefix("sha256/")


PEERS = (
    Peer("nginx", "chain and name, no pin", _nginx, debian="nginx-light", version=("nginx", "-v")),
    Peer("haproxy", "chain and name, no pin", _haproxy, "haproxy", version=("haproxy", "-v")),
    Peer("envoy", "chain, name and pin", _envoy, wheel="envoy", version=("envoy", "--version")),
    Peer("go", "chain, name and pin", _go, wheel="go", version=("go", "version")),
    Peer(
        "mitmproxy",
        "chain and name, no pin",
        _mitmproxy,
        wheel="mitmproxy",
        version=("mitmdump", "--version"),
    ),
    Peer(
        "aiohttp",
        "chain and name, no pin; on uvloop",
        _aiohttp,
        wheel="aiohttp",
        version=("python", "-c", "import aiohttp; print('aiohttp', aiohttp.__version__)"),
    ),
)
