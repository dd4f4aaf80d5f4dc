"""`learn_pin` against real TLS servers: what is seen, and who refuses what."""

import dataclasses
import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bailee.errors import BadInput
from bailee.keeper.work.learn_pin import EgressSource
from bailee.manage import egress, providers
from bailee.model import EgressState, JobState, Origin, Provider
from bailee.reference.pki import World
from bailee.secret import Secret
from bailee.vault.keyring import Keyring
from bailee.vault.statements import (
    rebuilt_job_result,
    sign_egress_address,
    verified_job_result,
)
from house import House, make_provider
from keeper_bench import SOURCES, Bench
from origin import run_origin
from pki import bad_leaves

pytestmark = pytest.mark.anyio
ROGUE = World.create(["api.test"], title="Rogue")


def approve(house: House, world: World, port: int, **change: object) -> Provider:
    """Approve a provider on a port; `change` changes its origin."""
    made = make_provider(port, world.root.pem.decode())
    origin: Origin = dataclasses.replace(made.origins[0], **change)  # type: ignore[arg-type]  # any
    made = dataclasses.replace(made, origins=(origin,))
    house.approve_provider(made)
    return made


@contextmanager
def untouched() -> Iterator[int]:
    """A port that nobody may have dialled by the end of the block."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield int(listener.getsockname()[1])
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.mark.parametrize("arguments", [{}, {"origin": "rest"}], ids=["default origin", "named"])
async def test_chain_when_origin_is_good(
    bench: Bench, world: World, arguments: dict[str, str]
) -> None:
    """The verified chain is told leaf first, signed with its question, and the journal says so."""
    async with run_origin(world.leaf) as origin:
        approve(bench.house, world, origin.port)
        job = await bench.learn(bench.order(provider="api", **arguments))
        assert origin.plain_bytes == 0
    assert job.state is JobState.DONE
    assert job.result is not None
    assert job.result_signature is not None
    described = {name: job.result[name] for name in ("provider", "origin", "host", "port")}
    assert described == {
        "provider": "api", "origin": "rest", "host": "api.test", "port": origin.port
    }  # fmt: skip
    chain = job.result["chain"]
    assert isinstance(chain, list)
    assert world.intermediate is not None
    issued = (world.leaf, world.intermediate, world.root)
    assert [each["pin"] for each in chain] == [each.pin_text for each in issued]
    assert [each["role"] for each in chain] == ["leaf", "issuer", "root"]
    assert [each["key"] for each in chain] == ["EC P-256"] * 3
    assert chain[0]["subject"] == "CN=api.test"
    assert chain[0]["issuer"] == chain[1]["subject"]
    assert chain[0]["not_before"] < time.time() < chain[0]["not_after"]

    signed = rebuilt_job_result(job.id, job.kind, job.arguments, job.result, job.result_signature)
    told = verified_job_result(bench.house.verifier, signed, expected=job.id)
    assert (told.kind, told.arguments, told.result) == (job.kind, job.arguments, job.result)

    (file,) = (bench.house.directory / "journal").iterdir()
    lines = [json.loads(line) for line in file.read_bytes().splitlines()]
    (event,) = [line for line in lines if line["type"] == "event"]
    assert (event["kind"], event["target"], event["detail"]["job"]) == ("pin.seen", "api", job.id)
    assert event["detail"]["leaf"] == world.leaf.pin_text


# What lacks an extended key usage is good for every use (RFC 5280, 4.2.1.12): verifiers take it.
NAMES = sorted(bad_leaves(ROGUE, ROGUE).keys() - {"no extended key usage"})


@pytest.mark.parametrize("name", NAMES)
async def test_refused_when_certificate_is(bench: Bench, world: World, name: str) -> None:
    """A chain that one of the two verifiers refuses fails the job, and it says which of them."""
    bad = bad_leaves(world, ROGUE)[name]
    async with run_origin(bad.leaf) as origin:
        made = make_provider(origin.port, bad.root.pem.decode())
        bench.house.approve_provider(made)
        error = await bench.learn_in_vain(bench.order(provider="api"))
    assert error["code"] == "certificate-refused"
    assert "OpenSSL (strict)" in error["detail"] or "cryptography" in error["detail"]
    assert "api.test" in error["detail"]


@pytest.mark.parametrize("name", ["root without keyUsage", "root with lax basicConstraints"])
async def test_openssl_line_when_certificate_is_badly_made(
    bench: Bench, world: World, name: str
) -> None:
    """Where a verifier wants a better CA, the line that makes one is told."""
    bad = bad_leaves(world, ROGUE)[name]
    async with run_origin(bad.leaf) as origin:
        bench.house.approve_provider(make_provider(origin.port, bad.root.pem.decode()))
        error = await bench.learn_in_vain(bench.order(provider="api"))
    assert "openssl req -x509" in error["hint"]


async def test_refused_when_nobody_listens(bench: Bench, world: World) -> None:
    """An origin that can't be reached is named with address, port and source."""
    port = free_port()
    approve(bench.house, world, port)
    error = await bench.learn_in_vain(bench.order(provider="api"))
    assert error["code"] == "provider-unreachable"
    assert f"127.0.0.1 port {port}, from 127.0.0.2" in error["detail"]


async def test_refused_when_address_is_private(bench: Bench, world: World) -> None:
    """A loopback address is not dialled unless the provider's file says so, and then how."""
    with untouched() as port:
        approve(bench.house, world, port, danger_private_addresses=False)
        error = await bench.learn_in_vain(bench.order(provider="api"))
    assert error["code"] == "address-refused"
    assert "danger_private_addresses" in error["hint"]


async def test_refused_when_vault_is_closed(bench: Bench, world: World) -> None:
    """Without the root key, or with another, nobody is dialled and the job says why."""
    with untouched() as port:
        approve(bench.house, world, port)
        none = await bench.learn_in_vain(bench.order(provider="api"), closed=True)
        bench.draining.clear()
        other = Keyring(Secret(bytes(32)))
        wrong = await bench.learn_in_vain(bench.order(provider="api"), keyring=other)
    assert none["code"] == wrong["code"] == "vault-closed"
    assert "root key" in none["detail"]


async def test_refused_when_provider_is_not_approved(bench: Bench, world: World) -> None:
    """What is only proposed is not dialled."""
    made = make_provider(free_port(), world.root.pem.decode())
    providers.propose(bench.house.store, bench.house.verifier, made, time.time())
    error = await bench.learn_in_vain(bench.order(provider="api"))
    assert (error["code"], error["hint"]) == ("provider-not-approved", "approve it first")


async def test_refused_when_row_was_altered(bench: Bench, world: World) -> None:
    """Whoever writes the database sends nobody to another port."""
    with untouched() as port:
        approve(bench.house, world, 9)
        with bench.house.store.write() as conn:
            change = "UPDATE providers SET payload = replace(payload, '\"port\":9', ?)"
            conn.exec_driver_sql(change, (f'"port":{port}',))
        error = await bench.learn_in_vain(bench.order(provider="api"))
    assert error["code"] == "trust-broken"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"provider": "nobody"}, "not-found"),
        ({"provider": "api", "origin": "ws"}, "not-found"),
        ({}, BadInput.code),
    ],
    ids=str,
)
async def test_refused_when_there_is_no_such_origin(
    bench: Bench, world: World, arguments: dict[str, str], code: str
) -> None:
    """A job that names nothing that is approved fails clearly."""
    approve(bench.house, world, free_port())
    assert (await bench.learn_in_vain(bench.order(**arguments)))["code"] == code


async def test_refused_when_egress_address_is_not_ours(bench: Bench, world: World) -> None:
    """Never another address: published, configured, the same, and on this machine, or nothing."""
    with untouched() as port:
        approve(bench.house, world, port)
        for sources, code in [
            ({"a": EgressSource("127.0.0.2", "203.0.113.9")}, "no-egress-address"),
            ({"a": EgressSource("192.0.2.1", "127.0.0.2")}, "egress-address-missing"),
        ]:
            bench.draining.clear()
            error = await bench.learn_in_vain(bench.order(provider="api"), sources=sources)
            assert error["code"] == code
        address = egress.find(bench.house.store, bench.house.verifier, "a")
        retired = dataclasses.replace(address, state=EgressState.RETIRED, serial=2)
        signed = sign_egress_address(bench.house.authority, retired)
        egress.retire(bench.house.store, bench.house.verifier, signed)
        bench.draining.clear()
        error = await bench.learn_in_vain(bench.order(provider="api"), sources=SOURCES)
        assert error["code"] == "no-egress-address"


async def test_refused_when_it_can_not_be_recorded(bench: Bench, world: World) -> None:
    """A look that the journal does not know of is not told."""
    async with run_origin(world.leaf) as origin:
        approve(bench.house, world, origin.port)
        bench.journal.close()
        error = await bench.learn_in_vain(bench.order(provider="api"))
    assert error["code"] == "journal-unavailable"
