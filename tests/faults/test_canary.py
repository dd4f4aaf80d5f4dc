"""Canaries: a credential and tokens are looked for wherever they must not be, in every form."""

import base64
import json
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import quote

import pytest

from bailee.model import ConnectionId, Pin, Provider
from bailee.reference.pki import World
from canary import files, find, new_canary, processes, spellings
from house import House, build_house, make_provider
from integration.supervise.serving import eventually, free_ports, is_running
from recording_origin import RecordingOrigin, run_recording_origin
from served import Reply, Served, call

PLACES = {
    "header": 'header = "X-Api-Key"\nvalue = "{api_key}"',
    "query": 'query = "api_key"\nvalue = "{api_key}"',
    "path": 'path = "/bot{api_key}"',
    "basic": 'basic = "{api_key}:"',
}
LOUD = {"PYTHONASYNCIODEBUG": "1"}
"""The most that a role can be made to say."""
PAGES = ("/healthz", "/v1/status", "/v1/providers", "/v1/providers/query", "/v1/connections",
         "/v1/callers", "/v1/grants", "/v1/egress", "/v1/journal/chains", "/v1/tenant/key",
         "/v1/pins?provider=query", "/openapi.json", "/metrics")  # fmt: skip


@dataclass
class Run:
    """One vault through which everything has gone, and all that anybody was told."""

    house: House
    served: Served
    origin: RecordingOrigin
    providers: dict[str, Provider]
    credential: str
    operator: str
    token: str = ""
    shown: str = ""
    """The command's output that shows the token, which is the only one that may."""
    connections: dict[str, ConnectionId] = field(default_factory=dict)
    said: dict[str, bytes] = field(default_factory=dict)

    def command(self, *words: str, stdin: str = "", code: int = 0, secret: bool = False) -> str:
        """Run a command and keep what it says."""
        done = self.served.cli(*words, stdin=stdin, BAILEE_TOKEN=self.operator)
        assert done.returncode == code, done
        said = done.stdout + done.stderr
        self.said[f"{len(self.said)} bailee {' '.join(words)}"] = b"" if secret else said.encode()
        return said if secret else done.stdout

    def ask(self, method: str, target: str, token: str | None, body: bytes | None = None) -> Reply:
        """Call through the gateway and keep the answer."""
        return self._keep(f"{method} {target}", call(self.served.port, method, target, token, body))

    def manage(self, method: str, target: str, value: object = None, token: str = "") -> Reply:
        """Ask the admin API and keep the answer."""
        body = None if value is None else json.dumps(value).encode()
        reply = call(self.served.admin, method, target, token or self.operator, body)
        return self._keep(f"admin {method} {target}", reply)

    def _keep(self, name: str, reply: Reply) -> Reply:
        head = "".join(f"{name}: {value}\n" for name, value in reply.headers.items())
        self.said[f"{len(self.said)} {name}"] = head.encode() + b"\n" + reply.body
        return reply

    def everything(self) -> dict[str, bytes]:
        """All that may be searched: the vault's files, logs among them, answers and processes."""
        return (
            files(self.house.directory, without=["root.key"])
            | processes(self.served.processes())
            | self.said
        )


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """A vault after good calls, refused ones, broken ones, and commands of every kind."""
    directory = tmp_path_factory.mktemp("canary")
    house, world = build_house(directory / "vault"), World.create(["api.test"])
    with run_recording_origin(directory / "origin", world.leaf) as origin:
        providers = approve_all(house, world, origin.port)
        with Served(house, environ=LOUD) as served:
            served.wait_for("serving")
            run = Run(house, served, origin, providers, new_canary(), house.operator_token())
            manage_all(run)
            call_all(run)
            read_all(run)
            yield run
    house.store.close()


def approve_all(house: House, world: World, port: int) -> dict[str, Provider]:
    """One provider for each place of a credential, one with a wrong pin, one that is not there."""
    ca = world.root.pem.decode()
    made = {name: make_provider(port, ca, auth=auth, id=name) for name, auth in PLACES.items()}
    made["mispinned"] = make_provider(port, ca, id="mispinned")
    made["away"] = make_provider(free_ports(1)[0], ca, id="away")
    for name, provider in made.items():
        house.approve_provider(provider)
        pin = Pin(bytes(32)) if name == "mispinned" else world.leaf.pin
        house.approve_pins(provider.id, [pin])
    return made


def manage_all(run: Run) -> None:
    """Connections and a caller by the command line, right and wrong; plain credentials to admin."""
    fields = {"api_key": run.credential}
    good = json.dumps(fields)
    made = run.command("connection", "add", "query", "--subject", "u1", "-o", "json", stdin=good)
    run.connections["query"] = ConnectionId(json.loads(made)["id"])
    for name in run.providers.keys() - {"query"}:
        run.connections[name] = run.house.add_connection(run.providers[name], fields)
    bad = (
        json.dumps({"api_key": run.credential, "pin": run.credential}),
        json.dumps({run.credential: run.credential}),
        json.dumps({"api_key": run.credential + "\n"}),
        json.dumps([run.credential]),
        good[:-1],
    )
    for text in bad:
        run.command("connection", "add", "query", "--subject", "u1", stdin=text, code=1)
    run.command("connection", "rotate", run.connections["query"], stdin=good)
    run.shown = run.command("caller", "add", "app", "-o", "json", secret=True)
    run.token = json.loads(run.shown[: run.shown.rindex("}") + 1])["token"]
    for connection in run.connections.values():
        run.house.grant(connection, "* /ok/**")
    plain = {"id": "x", "provider": "query", "subject": "u1", "credential": fields}
    assert run.manage("POST", "/v1/connections", plain).status >= 400
    assert run.manage("POST", "/v1/connections", {"ciphertext": run.credential}).status >= 400
    assert run.manage("POST", f"/v1/{quote(run.credential)}", [run.credential]).status >= 400


def call_all(run: Run) -> None:
    """Calls that are served, and calls that fail at each step of their way."""
    for name in PLACES:
        for method, body in (("GET", None), ("POST", b"{}")):
            target = f"/{run.connections[name]}/ok/{name}?x=1"
            assert run.ask(method, target, run.token, body).status == 200
    refusals = {
        f"/{run.connections['mispinned']}/ok/1": "pin-mismatch",
        f"/{run.connections['away']}/ok/1": "provider-unreachable",
        f"/{run.connections['query']}/no": "denied",
        f"/{run.connections['query']}/ok/1?api_key=mine": "reserved-parameter",
        f"/{run.connections['query']}/ok/../1": "path-refused",
        "/unknown/ok": "connection-not-found",
    }
    assert {target: run.ask("GET", target, run.token).error for target in refusals} == refusals
    wrong = run.token[:-1] + ("a" if run.token[-1] != "a" else "b")
    assert run.ask("GET", f"/{run.connections['query']}/ok/1", wrong).status == 401
    assert run.ask("BREW", f"/{run.connections['query']}/ok/1", run.token).status >= 400
    assert run.ask("GET", f"/{run.connections['query']}/ok/1", run.operator).status == 401
    assert run.manage("GET", "/v1/connections", token=run.token).status in (401, 403)


def read_all(run: Run) -> None:
    """Whatever can be read."""
    for page in PAGES:
        run.manage("GET", page)
    for words in (("status",), ("doctor",), ("connection", "list"), ("journal", "tail"),
                  ("connection", "show", run.connections["query"])):  # fmt: skip
        run.command(*words)


def test_credential_when_it_was_used(run: Run) -> None:
    """The credential reached the provider in each of its places, and stands nowhere else."""
    arrived = run.origin.heads()
    plain, coded = run.credential, quote(run.credential, safe="")
    basic = base64.b64encode(f"{plain}:".encode()).decode()
    assert any(f"X-Api-Key: {plain}\r\n" in head for head in arrived)
    assert any(f"?x=1&api_key={coded} " in head for head in arrived)
    assert any(head.startswith(f"GET /bot{plain}/ok/path?x=1 ") for head in arrived)
    assert any(f"Authorization: Basic {basic}\r\n" in head for head in arrived)
    assert find(run.credential, run.everything()) == []


def test_token_when_it_was_used(run: Run) -> None:
    """Tokens stand where they were shown once, and nowhere else; no provider sees one."""
    everything = run.everything() | {"origin": run.origin.record.read_bytes()}
    assert run.token in run.shown
    assert find(run.token, everything) == []
    assert find(run.operator, everything) == []


def test_credential_when_all_goes_wrong(run: Run) -> None:
    """A database that lost its tables and a worker that dies say nothing of the credential."""
    with run.house.store.write() as connection:
        connection.exec_driver_sql("UPDATE sealed_versions SET ciphertext = x'00'")
    eventually(lambda: run.ask("GET", f"/{run.connections['query']}/ok/1", run.token).status == 503)
    with run.house.store.write() as connection:
        connection.exec_driver_sql("DROP TABLE grants")
    assert run.manage("GET", "/v1/grants").status >= 500
    call(run.served.port, "GET", f"/{run.connections['path']}/ok/1", run.token)
    (pid,) = run.served.running("gateway")
    os.kill(pid, signal.SIGABRT)
    eventually(lambda: not is_running(pid))
    everything = run.everything()
    assert find(run.credential, everything) == []
    assert find(run.token, everything) == []


def test_search_when_a_secret_is_there() -> None:
    """The search finds every form at every alignment, and does not find what is not there."""
    secret = new_canary()
    for before in (b"", b"x", b"xy"):
        hidden = {
            "base64": base64.b64encode(before + secret.encode() + b"z"),
            "base64url": base64.urlsafe_b64encode(before + secret.encode()),
            "hex": (before + secret.encode()).hex().encode(),
            "raw": before + secret.encode(),
            "url": before + quote(secret).encode(),
            "half": before + secret[:40].encode(),
        }
        found = find(secret, hidden)
        assert {each.partition(":")[0] for each in found} == set(hidden)
    assert find(new_canary(), hidden) == []
    assert len(spellings(secret)) == 42
