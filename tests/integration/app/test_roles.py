"""The composition roots as real processes: they serve, drain, and hold what they may hold."""

import asyncio
import http.client
import json
import re
import signal
import time
from collections import Counter
from typing import Any

import pytest

from bailee.journal.checkpoint import parse_checkpoint
from bailee.journal.verify import verify
from bailee.reference.pki import World
from bailee.secret import Secret
from bailee.store import chains as rows
from bailee.vault.authority import Label
from house import House, make_provider
from integration.app.conftest import Installation
from origin import run_origin
from role_process import RoleProcess, start_role

FORBIDDEN = re.compile(r"bailee\.(vault\.(opening|keyring|backends)|egress|gateway|keeper)\b")


def ask(
    port: int, target: str, token: str = "", method: str = "GET", document: object = None
) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=40)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    body = None
    if document is not None:
        headers["Content-Type"] = "application/json"
        body = json.dumps(document)
    try:
        connection.request(method, target, body, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def lines_of(role: RoleProcess) -> list[dict[str, Any]]:
    """The log, which must be JSON in every line."""
    return [json.loads(line) for line in role.log().splitlines()]


@pytest.mark.parametrize("role", ["admin", "public"])
def test_served_and_drained(installation: Installation, role: str) -> None:
    """The role serves on the socket it was lent, says so, and leaves with 0 when asked."""
    with start_role(role, installation.config) as process:
        process.wait_ready()
        assert ask(process.port, "/healthz") == (200, {"status": "ok"})
        assert process.drain() == 0
        assert process.log() == ""


@pytest.mark.parametrize("role", ["admin", "public", "keeper"])
def test_left_when_signalled(installation: Installation, role: str) -> None:
    """SIGTERM drains like the supervisor does."""
    key = installation.house.root if role == "keeper" else None
    with start_role(role, installation.config, root_key=key, listens=role != "keeper") as process:
        process.wait_ready()
        assert process.terminate() == 0


@pytest.mark.parametrize("role", ["admin", "public", "keeper"])
def test_left_when_supervisor_is_gone(installation: Installation, role: str) -> None:
    """The end of the line means drain: no orphan stays."""
    with start_role(role, installation.config, listens=role != "keeper") as process:
        process.wait_ready()
        process.control.close()
        assert process.process.wait(30) == 0


def test_public_when_asked_for_more(installation: Installation) -> None:
    """Public serves its few paths to GET, and answers all else with problems."""
    with start_role("public", installation.config) as process:
        process.wait_ready()
        assert ask(process.port, "/")[1]["code"] == "not-found"
        assert ask(process.port, "/v1/status")[1]["code"] == "not-found"
        status, told = ask(process.port, "/healthz", method="POST", document={})
        assert (status, told["code"]) == (405, "method-refused")


@pytest.mark.parametrize("role", ["admin", "public"])
def test_no_key_and_no_opening_code(installation: Installation, role: str) -> None:
    """With the root key unreadable the role runs; what it imported and holds open has no key.

    `-X importtime` names every module that the running process imports, also late ones.
    """
    house = installation.house
    (house.directory / "root.key").unlink()
    with start_role(role, installation.config, options=["-X", "importtime"]) as process:
        process.wait_ready()
        use(process, house, role)
        opened = process.open_files()
        assert process.drain() == 0
        imported = {line.rpartition("|")[2].strip() for line in process.log().splitlines()}
    assert f"bailee.{role}.api.app" in imported or f"bailee.{role}.app" in imported
    assert sorted(name for name in imported if FORBIDDEN.match(name)) == []
    assert not [path for path in opened if "root.key" in path]
    # The event loop has pipes to itself, of which both ends are here; what was handed over has one.
    pipes = Counter(path for path in opened if path.startswith("pipe:"))
    assert set(pipes.values()) <= {2}


def use(process: RoleProcess, house: House, role: str) -> None:
    """Go through the routes that do most."""
    assert ask(process.port, "/healthz")[0] == 200
    if role == "public":
        assert ask(process.port, "/egress/ranges.json")[0] == 503
    if role == "admin":
        token = house.operator_token()
        for target in ("/readyz", "/v1/status", "/v1/egress", "/v1/pins", "/v1/tenant/key"):
            assert ask(process.port, target, token)[0] == 200
        added = ask(process.port, "/v1/callers", token, "POST", {"name": "app"})
        assert added[0] == 201


def test_forbidden_pattern_when_keeper_runs(installation: Installation) -> None:
    """The same look at the keeper finds the key and the code: the look can fail."""
    with start_role(
        "keeper",
        installation.config,
        root_key=installation.house.root,
        listens=False,
        options=["-X", "importtime"],
    ) as process:
        process.wait_ready()
        assert process.drain() == 0
        imported = {line.rpartition("|")[2].strip() for line in process.log().splitlines()}
    assert [name for name in imported if FORBIDDEN.match(name)] != []


def test_admin_logs_nothing_secret(installation: Installation) -> None:
    """Refused requests are logged as JSON, without tokens, queries and bodies."""
    token = installation.house.operator_token()
    with start_role("admin", installation.config) as process:
        process.wait_ready()
        canary = "canary-Zq7"
        assert ask(process.port, f"/v1/status?x={canary}", token + canary)[0] == 401
        assert ask(process.port, "/v1/callers", token, "POST", {"name": canary + "\n{}"})[0] == 422
        assert ask(process.port, f"/v1/callers/{canary}", token)[0] == 404
        assert process.drain() == 0
        told = lines_of(process)
        assert {line["code"] for line in told} == {"unauthenticated"}
        assert {line["role"] for line in told} == {"admin"}
        assert canary not in process.log()
        assert token not in process.log()


def test_drained_while_somebody_waits(installation: Installation) -> None:
    """A request that waits for a job is answered at the drain, and the journal is closed."""
    house = installation.house
    world = World.create(["api.test"])
    house.approve_provider(make_provider(9, world.root.pem.decode()))
    token = house.operator_token()
    with start_role("admin", installation.config) as process:
        process.wait_ready()
        order = {"kind": "learn_pin", "arguments": {"provider": "api"}}
        _, job = ask(process.port, "/v1/jobs", token, "POST", order)
        connection = http.client.HTTPConnection("127.0.0.1", process.port, timeout=40)
        headers = {"Authorization": f"Bearer {token}"}
        connection.request("GET", f"/v1/jobs/{job['id']}?wait=30", headers=headers)
        time.sleep(0.5)
        began = time.monotonic()
        process.control.send(b"drain\n")
        answer = connection.getresponse()
        assert json.loads(answer.read())["state"] == "waiting"
        connection.close()
        assert process.process.wait(10) == 0
        assert time.monotonic() - began < 10
    with house.store.read() as conn:
        (chain,) = rows.list_page(conn, after=None, limit=10)
    assert chain.closed_at is not None


def test_job_when_admin_asks_and_keeper_does(installation: Installation) -> None:
    """Admin answers 202 and waits; the keeper dials; its chain and checkpoints verify."""
    house = installation.house
    world = World.create(["api.test"])
    token = house.operator_token()

    async def story() -> dict[str, Any]:
        async with run_origin(world.leaf) as origin:
            house.approve_provider(make_provider(origin.port, world.root.pem.decode()))
            return await asyncio.to_thread(learn)

    def learn() -> dict[str, Any]:
        with (
            start_role("admin", installation.config) as admin,
            start_role("keeper", installation.config, root_key=house.root, listens=False) as keeper,
        ):
            admin.wait_ready()
            keeper.wait_ready()
            order = {"kind": "learn_pin", "arguments": {"provider": "api"}}
            status, job = ask(admin.port, "/v1/jobs", token, "POST", order)
            assert status == 202
            told: dict[str, Any] = ask(admin.port, f"/v1/jobs/{job['id']}?wait=20", token)[1]
            assert admin.drain() == 0
            assert keeper.drain() == 0
            assert keeper.log() == ""
            return told

    told = asyncio.run(story())
    assert told["state"] == "done"
    assert told["result"]["chain"][0]["pin"] == world.leaf.pin_text
    with house.store.read() as conn:
        chains = rows.list_page(conn, after=None, limit=10)
        marks = [each.signed for each in rows.list_checkpoints(conn, after=None, limit=10)]
    assert {chain.role for chain in chains} == {"admin", "keeper"}
    assert all(chain.closed_at for chain in chains)
    check = house.verifier.verify
    report = verify(
        house.directory / "journal", chains, marks, lambda each: check(Label.CHECKPOINT, each)
    )
    assert (report.findings, report.notices) == ((), ())
    last = parse_checkpoint(check(Label.CHECKPOINT, marks[-1]))
    (keeper,) = (chain for chain in chains if chain.role == "keeper")
    assert (keeper.id, keeper.head_seq) in {(head.chain, head.seq) for head in last.heads}


@pytest.mark.parametrize("key", [None, Secret(b"short"), Secret(bytes(32))], ids=repr)
def test_keeper_stays_up_when_root_key_is_wrong(
    installation: Installation, key: Secret | None
) -> None:
    """Without the root key, with half of one, or with another's, the keeper answers jobs so."""
    house = installation.house
    world = World.create(["api.test"])
    house.approve_provider(make_provider(9, world.root.pem.decode()))
    token = house.operator_token()
    with (
        start_role("admin", installation.config) as admin,
        start_role("keeper", installation.config, root_key=key, listens=False) as keeper,
    ):
        admin.wait_ready()
        keeper.wait_ready()
        order = {"kind": "learn_pin", "arguments": {"provider": "api"}}
        _, job = ask(admin.port, "/v1/jobs", token, "POST", order)
        told = ask(admin.port, f"/v1/jobs/{job['id']}?wait=20", token)[1]
        assert (told["state"], told["error"]["code"]) == ("failed", "vault-closed")
        assert keeper.process.poll() is None
        assert keeper.drain() == 0
        assert [line["level"] for line in lines_of(keeper)].count("error") >= 1


def test_killed_admin_loses_nothing(installation: Installation) -> None:
    """After kill -9 every change that was answered is in the database and in the journal."""
    token = installation.house.operator_token()
    with start_role("admin", installation.config) as process:
        process.wait_ready()
        for number in range(5):
            assert ask(process.port, "/v1/callers", token, "POST", {"name": f"c{number}"})[0] == 201
        process.process.send_signal(signal.SIGKILL)
        process.process.wait(10)
    (file,) = (installation.house.directory / "journal").glob("admin-*")
    entries = [json.loads(line) for line in file.read_bytes().splitlines()]
    done = [e for e in entries if e["type"] == "event" and e["detail"]["step"] == "done"]
    assert [event["detail"]["name"] for event in done] == [f"c{n}" for n in range(5)]
