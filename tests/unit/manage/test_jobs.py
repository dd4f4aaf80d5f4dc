"""Jobs: asked for, taken, ended."""

import pytest

from bailee.errors import BadInput, Conflict, NotFound, PinMismatch
from bailee.manage import jobs
from bailee.model import JobId, JobState, TenantId
from bailee.vault.statements import (
    JobResult,
    rebuilt_job_result,
    sign_job_result,
    verified_job_result,
)
from unit.manage.world import NOW, OTHER, TENANT, World

RESULT: dict[str, object] = {"chain": [{"not_after": 1.5, "subject": "CN=é"}], "seen": 3}


def request(world: World) -> JobId:
    """Ask for work from the address `a`."""
    arguments = {"provider": "acme", "origin": "rest"}
    return jobs.request(world.store, TENANT, "learn_pin", arguments, "a", NOW).id


def test_result_can_be_verified_from_its_row(world: World) -> None:
    """What the keeper signed is verified from what the row gives back."""
    name = request(world)
    taken = jobs.take(world.store, ["learn_pin"], ["a"], "k1", NOW)
    assert taken is not None
    assert (taken.id, taken.state) == (name, JobState.RUNNING)
    said = JobResult(name, taken.kind, taken.arguments, RESULT)
    signed = sign_job_result(world.authority, said)
    jobs.finish(world.store, name, "k1", RESULT, signed.signature, NOW + 1)
    done = jobs.show(world.store, TENANT, name)
    assert done.state is JobState.DONE
    assert done.result is not None
    assert done.result_signature is not None
    again = rebuilt_job_result(
        done.id, done.kind, done.arguments, done.result, done.result_signature
    )
    assert verified_job_result(world.verifier, again, expected=name) == said


def test_failure_says_why(world: World) -> None:
    """A failed job has the error's code, detail and hint."""
    name = request(world)
    jobs.take(world.store, ["learn_pin"], ["a"], "k1", NOW)
    jobs.fail(world.store, name, "k1", PinMismatch("no pin fits", "look"), NOW)
    failed = jobs.show(world.store, TENANT, name)
    assert failed.state is JobState.FAILED
    assert failed.error == {"code": "pin-mismatch", "detail": "no pin fits", "hint": "look"}


def test_who_does_not_hold_a_job_can_not_end_it(world: World) -> None:
    """A job is ended by whoever took it last, once."""
    name = request(world)
    with pytest.raises(Conflict):
        jobs.finish(world.store, name, "k1", {}, b"", NOW)
    assert jobs.take(world.store, ["learn_pin"], ["b"], "k1", NOW) is None
    jobs.take(world.store, ["learn_pin"], ["a"], "k1", NOW)
    with pytest.raises(Conflict):
        jobs.finish(world.store, name, "k2", {}, b"", NOW)
    with pytest.raises(Conflict):
        jobs.fail(world.store, name, "k2", PinMismatch(), NOW)
    assert jobs.show(world.store, TENANT, name).state is JobState.RUNNING


def test_jobs_are_the_tenants(world: World) -> None:
    """Another tenant sees no job, and no tenant asks for none."""
    name = request(world)
    with pytest.raises(NotFound):
        jobs.show(world.store, OTHER, name)
    assert jobs.page(world.store, OTHER) == []
    assert [each.id for each in jobs.page(world.store, TENANT)] == [name]
    with pytest.raises(NotFound):
        jobs.request(world.store, TenantId("absent"), "learn_pin", {}, "a", NOW)
    with pytest.raises(BadInput):
        jobs.page(world.store, TENANT, limit=0)
