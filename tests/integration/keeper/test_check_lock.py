"""`check_lock` against an origin that answers probe by probe: what is sent, and what is not."""

import dataclasses
import json
import time
from email.utils import formatdate

import pytest

from bailee.errors import (
    BadInput,
    BaileeError,
    Conflict,
    ConnectionRevoked,
    JournalUnavailable,
    NoEgressAddress,
    NotFound,
    PinMismatch,
    ProbingNotAccepted,
    TrustBroken,
    VaultClosed,
)
from bailee.keeper.decoys import Decoy
from bailee.keeper.probing import Prober
from bailee.keeper.target import Targets
from bailee.keeper.work.learn_pin import EgressSource
from bailee.lock.run import Cause
from bailee.manage import connections, jobs
from bailee.model import DEFAULT_TENANT, JobState, LockState, Probing, TenantId
from bailee.reference.pki import World
from bailee.vault.statements import rebuilt_job_result, verified_job_result
from keeper_bench import SOURCES, Bench
from lock_script import (
    ADDRESS,
    BOTH,
    DECOY,
    FAILED,
    LIMITED,
    PROBE,
    REFUSALS,
    REPORT,
    SECRET,
    SERVED,
    WRONG,
    Reply,
    lock_bench,
    script,
)

pytestmark = pytest.mark.anyio
NEW = ["E+", "D0", "D-", "D+", "E+"]
KNOWN = ["D0", "D+", "E+"]
"""A credential that was measured before, on a day on which a wrong one was tried already."""
OURS: Reply = (200, {"key": "k", "allow": ["127.0.0.2"]})
RISKY = PROBE.replace('"ok"', '"risky"') + REFUSALS
NEVER = PROBE.replace('"ok"', '"never"') + REFUSALS


def cause_of(lock: object) -> str:
    return str(getattr(lock, "observations")[0]["cause"])  # noqa: B009  # mypy knows no more


# --- the order of the probes ---------------------------------------------------------------------


async def test_enforced_when_allowlist_is_in_force(bench: Bench, world: World) -> None:
    """A new credential is tried at the egress first; a known one at the decoy first."""
    told = script()
    async with lock_bench(bench, world, told) as made:
        first = await made.check()
        assert told.sent == NEW
        told.sent.clear()
        second = await made.check()
        assert told.sent == KNOWN
    assert first.state is second.state is LockState.ENFORCED
    assert (first.decoy, first.version) == ("d", 1)
    seen = [(each["probe"], each["meaning"]) for each in (first.observations or [])[1:]]
    assert seen == [
        ("E+ before", "served"), ("D0", "served"), ("D-", "credential"),
        ("D+", "address"), ("E+", "served"),
    ]  # fmt: skip


async def test_requests_when_probes_leave(bench: Bench, world: World) -> None:
    """Each probe has a connection of its own and carries what it should, and nothing else."""
    told = script()
    async with lock_bench(bench, world, told) as made:
        await made.check()
        assert made.origin.handshakes == len(NEW)
    credential = f"Authorization: Bearer {SECRET}\r\n".encode()
    assert [credential in head for head in told.heads] == [True, False, False, True, True]
    assert b"Authorization" not in told.heads[1]
    wrong = next(line for line in told.heads[2].split(b"\r\n") if b"Authorization" in line)
    assert len(wrong) == len("Authorization: Bearer ") + 64
    for head in told.heads:
        assert b"\r\nHost: api.test:" in head
        assert b"\r\nConnection: close\r\n" in head
        assert b"127.0" not in head


async def test_result_when_checked(bench: Bench, world: World) -> None:
    """The keeper signs what it found with its question; the journal tells every probe and the
    outcome, and neither they nor the row hold the credential, an answer or a decoy's address."""
    async with lock_bench(bench, world, script()) as made:
        job = bench.order(kind="check_lock", connection=made.connection)
        async with bench.loop({"check_lock": made.work}):
            ended = await bench.ended(job)
        assert ended.state is JobState.DONE
        assert ended.result is not None
        assert ended.result_signature is not None
        signed = rebuilt_job_result(
            ended.id, ended.kind, ended.arguments, ended.result, ended.result_signature
        )
        told = verified_job_result(bench.house.verifier, signed, expected=job.id)
        assert told.result == ended.result
        assert ended.result["state"] == "enforced"
        assert ended.result["provider"] == "api"
        assert ended.result["egress"] == "a"
        probes = made.events("lock.probe")
        assert [(each["probe"], each["place"], each["bearing"]) for each in probes] == [
            ("E+ before", "egress", "real"), ("D0", "decoy", "nothing"), ("D-", "decoy", "wrong"),
            ("D+", "decoy", "real"), ("E+", "egress", "real"),
        ]  # fmt: skip
        assert {each["target"] for each in probes} == {made.connection}
        (checked,) = made.events("lock.checked")
        assert (checked["state"], checked["was"]) == ("enforced", "unchecked")
        (file,) = (bench.house.directory / "journal").iterdir()
        everything = file.read_bytes() + json.dumps(ended.result).encode()
        everything += json.dumps(dataclasses.asdict(made.lock())).encode()
        for secret in (SECRET.encode(), b"account", DECOY.bind.encode()):
            assert secret not in everything


async def test_wrong_credential_is_tried_once_a_day(bench: Bench, world: World) -> None:
    """D- is sent once a day for a decoy and a provider, whichever the connection."""
    told = script()
    async with lock_bench(bench, world, told) as made:
        await made.check()
        made.connection = bench.house.add_connection(made.provider, {"api_key": SECRET}, "u2")
        await made.check()
        assert told.sent.count("D-") == 1
        tomorrow = time.time() + 90_000
        made.work = dataclasses.replace(made.work, clock=lambda: tomorrow)
        await made.check()
        assert told.sent.count("D-") == 2


async def test_open_when_decoy_is_served(bench: Bench, world: World) -> None:
    """A served decoy is tried once more at once, and no more than that."""
    told = script(Dr=SERVED)
    async with lock_bench(bench, world, told) as made:
        lock = await made.check()
    assert lock.state is LockState.OPEN
    assert told.sent.count("D+") == 2


async def test_alarm_when_enforced_is_open(bench: Bench, world: World) -> None:
    """A list that was in force and is no more stands in the journal as such."""
    told = script()
    async with lock_bench(bench, world, told) as made:
        await made.check()
        assert made.events("lock.opened") == []
        told.replies["D+"] = [SERVED]
        assert (await made.check()).state is LockState.OPEN
        assert [each["target"] for each in made.events("lock.opened")] == [made.connection]
        await made.check()
        assert len(made.events("lock.opened")) == 1


# --- what is not sent ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "state"),
    [(ADDRESS, LockState.BLOCKED), (WRONG, LockState.UNPROVEN), (BOTH, LockState.UNPROVEN)],
    ids=["address", "credential", "either"],
)
async def test_decoy_is_spared_when_credential_is_refused_here(
    bench: Bench, world: World, reply: Reply, state: LockState
) -> None:
    """A new credential that is refused at the egress is tried once, and nowhere else."""
    told = script(Er=reply)
    async with lock_bench(bench, world, told) as made:
        assert (await made.check()).state is state
    assert told.sent == ["E+"]


@pytest.mark.parametrize("reply", [ADDRESS, WRONG, BOTH, LIMITED], ids=str)
async def test_refusals_are_never_repeated(bench: Bench, world: World, reply: Reply) -> None:
    """What was refused explicitly at the decoy is not tried again (R48)."""
    told = script(Dr=reply)
    async with lock_bench(bench, world, told) as made:
        await made.check()
    assert told.sent == NEW


@pytest.mark.parametrize("reply", [FAILED, None], ids=["a fault", "no answer"])
async def test_repeated_when_nobody_refused(bench: Bench, world: World, reply: Reply) -> None:
    """A fault of the provider, or none of its answers, is tried once more; then it counts."""
    told = script(Er=[reply, SERVED])
    async with lock_bench(bench, world, told) as made:
        assert (await made.check()).state is LockState.ENFORCED
        assert told.sent == ["E+", *NEW]
    told = script(D0=[reply, reply])
    async with lock_bench(bench, world, told) as made:
        lock = await made.check()
    assert (lock.state, cause_of(lock)) == (LockState.UNPROVEN, Cause.DECOY_SHUT_OUT)
    assert told.sent == ["E+", "D0", "D0"]


async def test_no_answer_at_the_decoy_is_no_proof(bench: Bench, world: World) -> None:
    """A decoy that hears nothing proves nothing, however often it asks."""
    told = script(Dr=None)
    async with lock_bench(bench, world, told) as made:
        lock = await made.check()
    assert (lock.state, cause_of(lock)) == (LockState.UNPROVEN, Cause.DECOY_UNANSWERED)
    assert told.sent.count("D+") == 2


async def test_credential_is_spared_when_decoy_is_shut_out(bench: Bench, world: World) -> None:
    """Where even a public request is refused the decoy is shown no credential, wrong or real."""
    told = script(D0=ADDRESS)
    async with lock_bench(bench, world, told) as made:
        lock = await made.check()
    assert (lock.state, cause_of(lock)) == (LockState.UNPROVEN, Cause.DECOY_SHUT_OUT)
    assert told.sent == ["E+", "D0"]


@pytest.mark.parametrize("name", ["D0", "Dw", "Dr"])
async def test_decoy_rests_when_it_was_limited(bench: Bench, world: World, name: str) -> None:
    """A limit or a ban ends a decoy's probes for the time that was named, and not for ever."""
    told = script(headers="Retry-After: 600\r\n", **{name: LIMITED})
    async with lock_bench(bench, world, told) as made:
        assert (await made.check()).state is LockState.UNPROVEN
        told.sent.clear()
        lock = await made.check()
        assert not any(each.startswith("D") for each in told.sent)
        assert cause_of(lock) == Cause.DECOY_HELD
        later = time.time() + 601
        made.work = dataclasses.replace(made.work, clock=lambda: later)
        await made.check()
        assert "D0" in told.sent


# --- consent -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "consent", "accept", "cause"),
    [
        (PROBE + REFUSALS, Probing.NONE, {}, Cause.NOT_CONSENTED),
        (PROBE + REFUSALS, Probing.OK, {}, Cause.MEASURED),
        (PROBE + REFUSALS, Probing.NONE, {"accept": "risky"}, Cause.MEASURED),
        (RISKY + REPORT, Probing.OK, {}, Cause.NOT_CONSENTED),
        (RISKY, Probing.RISKY, {}, Cause.MEASURED),
        (RISKY, Probing.NONE, {"accept": "risky"}, Cause.MEASURED),
        (NEVER, Probing.RISKY, {"accept": "risky"}, Cause.DECOY_NEVER),
    ],
    ids=[
        "safe, not consented", "safe, consented", "safe, accepted once", "risky, and a report",
        "risky, consented", "risky, accepted once", "never",
    ],
)  # fmt: skip
async def test_decoy_is_used_with_consent_alone(
    bench: Bench,
    world: World,
    file: str,
    consent: Probing,
    accept: dict[str, str],
    cause: Cause,
) -> None:
    """The file says what a decoy may do, and the tenant how much of that; nothing else is sent."""
    told = script(report=WRONG)
    async with lock_bench(bench, world, told, file, consent=consent) as made:
        lock = await made.check(**accept)
    assert cause_of(lock) == cause
    tried = any(each.startswith("D") for each in told.sent)
    assert tried == (cause is Cause.MEASURED)
    assert (lock.decoy == "d") == tried


async def test_refused_when_risk_is_not_accepted(bench: Bench, world: World) -> None:
    """Where nothing could be told without it, the check is refused and nobody is asked."""
    told = script()
    async with lock_bench(bench, world, told, RISKY) as made:
        with pytest.raises(ProbingNotAccepted) as refused:
            await made.check()
        assert "--accept-risky" in refused.value.hint
        assert made.origin.connections == made.origin.handshakes == 0
        assert made.events("lock.probe") == []


@pytest.mark.parametrize(
    "decoys",
    [(), (Decoy("d", "::1", "2001:db8::1"),), (Decoy("d", "192.0.2.77", "192.0.2.77"),),
     (Decoy("d", "127.0.1.3", "127.0.0.99"),)],
    ids=["none", "of another family", "not on this machine", "near a published address"],
)  # fmt: skip
async def test_unproven_when_there_is_no_decoy(
    bench: Bench, world: World, decoys: tuple[Decoy, ...]
) -> None:
    """Without one that is good the credential is tried at its egress address alone."""
    told = script()
    async with lock_bench(bench, world, told, decoys=decoys) as made:
        lock = await made.check()
    assert (lock.state, cause_of(lock), lock.decoy) == (
        LockState.UNPROVEN, Cause.NO_DECOY, None
    )  # fmt: skip
    assert told.sent == ["E+"]


# --- the provider's own report -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("allow", "state"),
    [
        (["127.0.0.2"], LockState.DECLARED),
        (["127.0.0.2", "192.0.2.1"], LockState.UNPROVEN),
        (["127.0.0.0/24"], LockState.UNPROVEN),
        (["0.0.0.0/0"], LockState.UNPROVEN),
        (["192.0.2.1"], LockState.UNPROVEN),
        (None, LockState.UNPROVEN),
    ],
    ids=["ours", "a foreign one too", "our network", "everything", "another's", "nothing"],
)
async def test_declared_when_report_names_ours_alone(
    bench: Bench, world: World, allow: list[str] | None, state: LockState
) -> None:
    """A refusal that may mean either leaves the provider's word; that is asked after E+."""
    told = script(Dr=BOTH, report=(200, {"key": "k", "allow": allow}))
    async with lock_bench(bench, world, told, PROBE + REPORT + REFUSALS) as made:
        lock = await made.check()
    assert lock.state is state
    assert told.sent == [*NEW, "report"]
    assert lock.report is not None


async def test_report_is_not_asked_twice_when_it_is_the_probe(bench: Bench, world: World) -> None:
    """Where the probe itself is the report, its answer is read and nothing more is sent."""
    same = REPORT.replace("/key", "/me").replace('"key"', '"account"')
    told = script(Er=(200, {"account": "u1", "allow": ["127.0.0.2"]}), Dr=BOTH)
    async with lock_bench(bench, world, told, PROBE + same + REFUSALS) as made:
        lock = await made.check()
    assert lock.state is LockState.DECLARED
    assert told.sent == NEW


async def test_report_is_the_egress_addresses(bench: Bench, world: World) -> None:
    """What a decoy was answered is never read as a report, though it came later."""
    same = REPORT.replace("/key", "/me").replace('"key"', '"account"')
    own = (200, {"account": "u1", "allow": ["127.0.0.2"]})
    told = script(Er=own, D0=(403, {"account": "u1", "allow": []}))
    async with lock_bench(bench, world, told, PROBE + same + REFUSALS) as made:
        lock = await made.check()
    assert lock.state is LockState.DECLARED
    assert told.sent == ["E+", "D0"]


async def test_declared_when_there_is_only_a_report(bench: Bench, world: World) -> None:
    """A provider without a probe is taken at its word, as far as that goes."""
    told = script(report=OURS)
    async with lock_bench(bench, world, told, REPORT + REFUSALS) as made:
        assert (await made.check()).state is LockState.DECLARED
        assert told.sent == ["report"]


async def test_unproven_when_file_has_neither(bench: Bench, world: World) -> None:
    """Without a probe and a report nothing is sent at all."""
    told = script()
    async with lock_bench(bench, world, told, REFUSALS) as made:
        lock = await made.check()
    assert (lock.state, cause_of(lock)) == (LockState.UNPROVEN, Cause.NO_PROBE)
    assert told.sent == []


async def test_clock_is_named_when_it_is_off(bench: Bench, world: World) -> None:
    """A refusal of a new credential, and a Date that is far away: the reason says how far."""
    told = script(headers=f"Date: {formatdate(time.time() + 300, usegmt=True)}\r\n", Er=WRONG)
    async with lock_bench(bench, world, told) as made:
        lock = await made.check()
    assert cause_of(lock) == Cause.CLOCK
    assert any(f"{seconds} seconds behind" in lock.reason for seconds in (299, 300))


# --- refused as a whole --------------------------------------------------------------------------


async def test_nothing_is_sent_when_connection_is_not_the_tenants(
    bench: Bench, world: World
) -> None:
    """Another tenant's connection and an unknown one look the same."""
    bench.house.add_tenant(TenantId("other"))
    async with lock_bench(bench, world, script()) as made:
        for tenant, arguments in [
            (TenantId("other"), {}), (DEFAULT_TENANT, {"connection": "a" * 26})
        ]:  # fmt: skip
            with pytest.raises(NotFound, match="no such connection"):
                await made.check(tenant, **arguments)
        with pytest.raises(BadInput):
            await made.check(connection="")
        connections.revoke(bench.house.store, DEFAULT_TENANT, made.connection, 1.0)
        with pytest.raises(ConnectionRevoked):
            await made.check()
        assert made.origin.handshakes == 0


async def test_credential_is_spared_when_peer_is_false(bench: Bench, world: World) -> None:
    """A peer without the pinned key is sent nothing, and the check fails with that."""
    async with lock_bench(bench, world, script()) as made:
        bench.house.approve_pins(made.provider.id, [World.create(["api.test"]).leaf.pin])
        with pytest.raises(PinMismatch):
            await made.check()
        assert made.origin.plain_bytes == 0
    assert made.lock().state is LockState.UNCHECKED


async def test_nothing_is_sent_when_it_can_not_be_recorded(bench: Bench, world: World) -> None:
    """A probe that the journal does not know of does not leave."""
    async with lock_bench(bench, world, script()) as made:
        bench.journal.close()
        with pytest.raises(JournalUnavailable):
            await made.check()
        assert made.origin.handshakes == 0


async def test_nothing_is_sent_when_vault_is_closed(bench: Bench, world: World) -> None:
    """Without the root key nobody is asked."""
    async with lock_bench(bench, world, script()) as made:
        access = bench.access(None)
        prober = Prober(bench.house.store, access, made.work.prober.resolver)
        made.work = dataclasses.replace(made.work, access=access, prober=prober)
        with pytest.raises(VaultClosed):
            await made.check()
        assert made.origin.handshakes == 0


async def test_nothing_is_sent_when_address_is_not_ours(bench: Bench, world: World) -> None:
    """A node that can't dial from the connection's address dials from no other."""
    async with lock_bench(bench, world, script()) as made:
        house = bench.house
        for sources in ({}, {"a": EgressSource("127.0.0.2", "203.0.113.9")}):
            targets = Targets(house.store, house.verifier, sources)
            made.work = dataclasses.replace(made.work, targets=targets)
            with pytest.raises(NoEgressAddress):
                await made.check()
        assert made.origin.handshakes == 0


async def test_refused_when_record_was_put_back(bench: Bench, world: World) -> None:
    """A pin set that is older than one seen before is somebody's doing, and nothing is sent."""
    async with lock_bench(bench, world, script()) as made:
        bench.house.approve_pins(made.provider.id, [world.leaf.pin])
        await made.check()
        seen = made.origin.handshakes
        with bench.house.store.write() as conn:
            conn.exec_driver_sql("DELETE FROM pin_sets WHERE serial = 2")
        with pytest.raises(TrustBroken, match="older"):
            await made.check()
        assert made.origin.handshakes == seen


async def test_refused_when_a_check_is_under_way(bench: Bench, world: World) -> None:
    """Two checks of one connection would be each other's noise: the second one is refused."""
    told = script()
    async with lock_bench(bench, world, told) as made:
        errors: list[BaileeError] = []

        async def again() -> None:
            try:
                await made.check()
            except Conflict as refused:
                errors.append(refused)

        probe = made.work.prober.send

        class Nosy(Prober):
            async def send(self, *given):  # type: ignore[no-untyped-def,override]  # passed on
                if not errors:
                    await again()
                return await probe(*given)

        old = made.work.prober
        nosy = Nosy(old.store, old.access, old.resolver)
        made.work = dataclasses.replace(made.work, prober=nosy)
        assert (await made.check()).state is LockState.ENFORCED
    assert [error.detail for error in errors] == ["a check of this connection is under way"]
    assert told.sent == NEW


async def test_result_is_dropped_when_credential_was_changed(bench: Bench, world: World) -> None:
    """What was measured of a credential that is gone is not said of its successor."""
    told = script()
    async with lock_bench(bench, world, told) as made:
        respond = told.respond

        async def revoke_first(arrived, writer):  # type: ignore[no-untyped-def]  # passed on
            connections.revoke(bench.house.store, DEFAULT_TENANT, made.connection, 1.0)
            await respond(arrived, writer)

        made.origin.respond = revoke_first
        with pytest.raises(Conflict, match="changed during the check"):
            await made.check()
        assert made.lock().state is LockState.UNCHECKED


async def test_job_loop_tells_errors(bench: Bench, world: World) -> None:
    """Whoever asked is told the code and the hint."""
    async with lock_bench(bench, world, script(), RISKY) as made:
        job = bench.order(kind="check_lock", connection=made.connection)
        async with bench.loop({"check_lock": made.work}):
            ended = await bench.ended(job)
    assert ended.error is not None
    assert ended.error["code"] == "probing-not-accepted"
    assert jobs.show(bench.house.store, DEFAULT_TENANT, job.id).state is JobState.FAILED
    assert list(SOURCES) == ["a"]
