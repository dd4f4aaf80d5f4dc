"""The world of a bench: an nginx as the provider, a vault with all limits on, `bailee serve`."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from string import Template

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "src")]

from measure import Target, free_port, wait_for

from bailee.manage import callers  # the path is set above
from bailee.model import DEFAULT_TENANT, CallerLimits, ConnectionId
from bailee.reference.pki import World
from house import SOURCE, House, build_house, make_provider
from served import Served

BODY = '{"balance":"' + "1" * 1008 + '"}'
BIG_RATE = 512 * 1024
"""Bytes a second of each of the large files: the provider's own work stays small."""
BUDGETS = """
[[budget]]
per = "egress"
calls = 1000000
seconds = 1
burst = 200000
[[budget]]
per = "connection"
calls = 1000000
seconds = 1
burst = 200000
"""
"""They are counted, and too wide to refuse anything."""
CALLS_PER_SECOND = 1_000_000
CALLER_CONCURRENT = 100_000
PROXY_CORE = 0
OTHER_CORE = 1
_DRAIN_SECONDS = 40


@contextmanager
def running(
    core: int, *command: str, environment: Mapping[str, str] | None = None
) -> Iterator["subprocess.Popen[bytes]"]:
    """A process pinned to a core, ended by its pid."""
    process = subprocess.Popen(
        ["taskset", "-c", str(core), *command],
        stdin=subprocess.DEVNULL,
        env=None if environment is None else {**os.environ, **environment},
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_DRAIN_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def filled(template: str, place: Path, **values: object) -> Path:
    """Fill in a template of `peers/`, and write it to a place."""
    text = Path(__file__).with_name("peers").joinpath(template).read_text()
    place.write_text(Template(text).substitute(values))
    return place


@dataclass(frozen=True, slots=True)
class Provider:
    """A running upstream, and what trusts it."""

    world: World
    port: int
    ca: Path
    directory: Path


@contextmanager
def provider(directory: Path, core: int = OTHER_CORE) -> Iterator[Provider]:
    """An nginx with TLS 1.3 that answers 1 KB of JSON; `/big/...` are files of its directory."""
    world = World.create(["api.test", "127.0.0.1"])
    certificate, key = world.leaf.write(directory, "leaf")
    ca = directory / "ca.pem"
    ca.write_bytes(world.root.pem)
    directory.chmod(0o755)  # nginx's workers are of another user
    (directory / "big").mkdir()
    port = free_port()
    config = filled(
        "origin.conf",
        directory / "origin.conf",
        dir=directory,
        port=port,
        certificate=certificate,
        key=key,
        body=BODY,
        big_rate=BIG_RATE,
    )
    with running(core, "nginx", "-c", str(config), "-p", str(directory)):
        wait_for(port)
        yield Provider(world, port, ca, directory)


@dataclass(frozen=True, slots=True)
class Bailee:
    """A running `bailee serve` with one worker."""

    served: Served
    connection: ConnectionId
    token: str

    @property
    def worker(self) -> int:
        """The worker's pid; it must be the first one still."""
        (pid,) = self.served.running("gateway")
        return pid

    def target(self, path: str) -> Target:
        """Where calls for a path of the provider go."""
        return Target(self.served.port, f"/{self.connection}{path}", self.token)


def furnish(
    house: House, port: int, world: World, concurrent: int = CALLER_CONCURRENT
) -> tuple[ConnectionId, str]:
    """Let a caller in, with a grant, pins, and limits and budgets that are counted."""
    made = make_provider(port, world.root.pem.decode(), BUDGETS)
    house.approve_provider(made)
    house.approve_pins(made.id, [world.leaf.pin])
    connection = house.add_connection(made, {"api_key": "k" * 40})
    limits = CallerLimits(CALLS_PER_SECOND, concurrent)
    added = callers.add(house.store, DEFAULT_TENANT, "app", time.time(), limits=limits)
    house.grant(connection, "* /v1/**", "* /big/**")
    return connection, added.token.text.reveal().decode()


@contextmanager
def bailee(
    house: House,
    connection: ConnectionId,
    token: str,
    *,
    core: int = OTHER_CORE,
    **settings: object,
) -> Iterator[Bailee]:
    """Serve a house with one worker on the proxy's core; keeper, admin and public on the other.

    Args:
        house: The vault.
        connection: What calls go through.
        token: Of a caller that may.
        core: Where everything but the worker runs.
        settings: Keys of `[gateway]`.
    """
    environ = {f"BAILEE_GATEWAY__{name.upper()}": str(value) for name, value in settings.items()}
    with Served(house, workers=1, environ=environ) as served:
        served.wait_for("serving")
        started = Bailee(served, connection, token)
        for pid in served.processes():
            os.sched_setaffinity(pid, {core})
        os.sched_setaffinity(started.worker, {PROXY_CORE})
        yield started


@contextmanager
def whole_world(directory: Path, **settings: object) -> Iterator[tuple[Bailee, Provider]]:
    """Bailee before an nginx."""
    with provider(directory) as upstream:
        house = build_house(directory / "vault")
        try:
            connection, token = furnish(house, upstream.port, upstream.world)
            with bailee(house, connection, token, **settings) as served:
                yield served, upstream
        finally:
            house.store.close()


__all__ = [
    "OTHER_CORE",
    "PROXY_CORE",
    "SOURCE",
    "Bailee",
    "House",
    "Provider",
    "bailee",
    "build_house",
    "filled",
    "furnish",
    "provider",
    "running",
    "whole_world",
]
