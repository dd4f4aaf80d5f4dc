"""A place to run commands in: a directory with files, perhaps a vault, an admin, a whole server."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import bailee
from bailee.operate.setup import create_vault, parse_egress
from bailee.reference.pki import World
from bailee.reference.provider_file import provider_file
from reference_server import start_api
from transcript import Done, Step, run_step

READY_SECONDS = 30.0
DECOY = '\n[[decoy]]\nname = "d"\nbind = "127.0.1.3"\n'
PROVIDER = """\
id = "ref"
name = "{name}"
[origin.rest]
url = "https://{host}:{port}"
address = "127.0.0.1"
ca_file = "ca.pem"
danger_private_addresses = true
[auth]
scheme = "place"
header = "Authorization"
value = "Bearer {{api_key}}"
"""
BAD_PROVIDER = """\
id = "bad"
colour = "red"
[origin.rest]
url = "http://api.test"
ca_file = "absent.pem"
[auth]
scheme = "place"
header = "Authorization"
value = "Bearer {api_key}"
"""
KEYS = """\
{{"provider": "ref", "subject": "u1", "credential": {{"api_key": "{key}"}}}}
{{"provider": "ref", "subject": "u1", "credential": {{"api_key": "{key}"}}}}
{{"provider": "ref", "subject": "u2", "ref": "cold", "credential": {{"api_key": "{key}"}}}}
"""
BAD_KEYS = """\
{{"provider": "ref", "subject": "u3", "credential": {{"api_key": "{key}"}}}}
{key}

{{"provider": "absent", "subject": "u4", "credential": {{"api_key": "{key}"}}}}
{{"provider": "ref", "subject": "u5", "credential": {{"api_key": "{key}", "pin": "1"}}}}
{{"provider": "ref", "subject": "u6", "{key}": "1", "credential": {{"api_key": "{key}"}}}}
{{"provider": "ref", "subject": "u1", "credential": {{"api_key": "{key}"}}}}
"""


@dataclass(slots=True)
class Site:
    """Where commands run, and what the transcript may call by name."""

    directory: Path
    environ: dict[str, str]
    bound: dict[str, str]

    def run(self, step: Step) -> Done:
        """Run one command here."""
        return run_step(step, self.directory, self.environ, self.bound)


@contextmanager
def open_site(needs: str, directory: Path) -> Iterator[Site]:
    """Make a place that has what a transcript needs, and take it down again."""
    environ = {name: it for name, it in os.environ.items() if not name.startswith("BAILEE_")}
    environ |= {"PYTHONPATH": str(Path(bailee.__file__).parents[1]), "COLUMNS": "100"}
    bound = {"tmp": str(directory)}
    needs, _, decoy = needs.partition(" with ")
    with ExitStack() as held:
        if needs == "server":
            api = held.enter_context(start_api(directory))
            bound |= {"key": api.make_key(["127.0.0.2"]), "api_port": str(api.port)}
            _write_files(directory, api.port, bound["key"])
            open_key = json.dumps({"api_key": api.make_key(None)})
            (directory / "open.json").write_text(open_key)
        elif needs != "nothing":
            (directory / "ca.pem").write_bytes(World.create().root.pem)
            _write_files(directory, 9443, "k-3f9a1c")
        if needs != "nothing":
            create_vault(directory / "d", parse_egress(["127.0.0.2"], []))
            if decoy:
                with (directory / "d" / "bailee.toml").open("a") as config:
                    config.write(DECOY)
            ports = _free_ports()
            bound |= {name: str(port) for name, port in ports.items()}
            environ["BAILEE_CONFIG"] = str(directory / "d" / "bailee.toml")
            for role in ("gateway", "public", "admin"):
                environ[f"BAILEE_{role.upper()}__LISTEN"] = f"127.0.0.1:{ports[f'{role}_port']}"
        if needs in ("admin", "server"):
            role = "serve" if needs == "server" else "admin"
            held.enter_context(_running(role, directory, environ))
        yield Site(directory, environ, bound)


def _write_files(directory: Path, port: int, key: str) -> None:
    files = {
        "probed.toml": _probed(port),
        "ref.toml": PROVIDER.format(name="Reference", host="api.test", port=port),
        "renamed.toml": PROVIDER.format(name="Renamed", host="api.test", port=port),
        "moved.toml": PROVIDER.format(name="Reference", host="other.test", port=port),
        "bad.toml": BAD_PROVIDER,
        "credential.json": f'{{"api_key": "{key}"}}\n',
        "surplus.json": '{"api_key": "canary", "pin": "1234"}\n',
        "empty.json": "",
        "passphrase": "correct horse battery staple\n",
        "wrong": "another passphrase altogether\n",
        "keys.jsonl": KEYS.format(key=key),
        "bad.jsonl": BAD_KEYS.format(key=key),
        "unnamed.jsonl": f'{{"subject": "u9", "credential": {{"api_key": "{key}"}}}}\n',
    }
    for name, text in files.items():
        (directory / name).write_text(text)


def _probed(port: int) -> str:
    """The reference API with all that a check of its locks needs."""
    return provider_file(
        f"https://api.test:{port}", address="127.0.0.1", ca_file="ca.pem", private=True
    )


def _free_ports() -> dict[str, int]:
    names = ("gateway_port", "public_port", "admin_port")
    sockets = [socket.socket() for _ in names]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return {name: each.getsockname()[1] for name, each in zip(names, sockets, strict=True)}
    finally:
        for each in sockets:
            each.close()


@contextmanager
def _running(command: str, directory: Path, environ: dict[str, str]) -> Iterator[None]:
    """Run a server until the end; it must leave with 0 when it is asked to."""
    log = directory / "server.log"
    with (
        log.open("wb") as stderr,
        subprocess.Popen(
            [sys.executable, "-m", "bailee", command], env=environ, stderr=stderr
        ) as process,
    ):
        try:
            deadline = time.monotonic() + READY_SECONDS
            while b'"event": "serving"' not in log.read_bytes():
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.05)
            yield
            process.send_signal(signal.SIGTERM)
            assert process.wait(READY_SECONDS) == 0
        finally:
            process.kill()
