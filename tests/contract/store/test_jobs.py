"""A job is done by one keeper at a time."""

import threading

import pytest

from bailee.model import Job, JobId, JobState
from bailee.store import jobs
from bailee.store.engine import Store
from contract.store.rows import NOW, OTHER, TENANT, job, seed

KINDS = ("learn_pin",)


@pytest.fixture
def seeded(store: Store) -> Store:
    """A store with one waiting job, `job_a`."""
    with store.write() as conn:
        seed(conn)
    return store


def take(
    store: Store, taken_by: str, now: float = NOW, names: tuple[str, ...] = ("a",)
) -> Job | None:
    """Take a job as a keeper would."""
    with store.write() as conn:
        return jobs.take(conn, KINDS, names, taken_by, now)


def test_take_gives_the_oldest_that_fits(seeded: Store) -> None:
    """Kind and egress must fit; among those the oldest is taken, and once."""
    with seeded.write() as conn:
        jobs.insert(conn, job("job_old", at=NOW - 10))
        jobs.insert(conn, job("job_elsewhere", egress_name="b", at=NOW - 20))
        assert jobs.take(conn, ("other",), ("a", "b"), "k1", NOW) is None
        assert jobs.take(conn, KINDS, (), "k1", NOW) is None
        assert not jobs.any_free(conn, KINDS, ("c",), NOW)
        assert jobs.any_free(conn, KINDS, ("a",), NOW)
    taken = [take(seeded, "k1") for _ in range(3)]
    assert [each and each.id for each in taken] == ["job_old", "job_a", None]
    first = taken[0]
    assert first is not None
    assert (first.state, first.arguments) == (
        JobState.RUNNING,
        {"provider": "acme", "origin": "rest"},
    )


def test_lease_runs_out(seeded: Store) -> None:
    """After 60 s another keeper may take a job, and the first can't end it any more."""
    name = JobId("job_a")
    assert take(seeded, "k1") is not None
    assert take(seeded, "k2", NOW + 60) is None
    again = take(seeded, "k2", NOW + 60.5)
    assert again is not None
    assert again.id == name
    with seeded.write() as conn:
        assert not jobs.finish(conn, name, "k1", {"x": 1}, b"s", NOW + 61)
        assert not jobs.fail(conn, name, "k1", {"code": "x"}, NOW + 61)
        assert jobs.finish(conn, name, "k2", {"x": 1.5, "y": ["é"]}, b"s", NOW + 61)
        assert not jobs.finish(conn, name, "k2", {}, b"s", NOW + 62)
        done = jobs.find(conn, TENANT, name)
    assert done is not None
    assert (done.state, done.result, done.result_signature, done.finished_at) == (
        JobState.DONE,
        {"x": 1.5, "y": ["é"]},
        b"s",
        NOW + 61,
    )
    assert take(seeded, "k3", NOW + 999) is None


def test_fail_keeps_the_reason(seeded: Store) -> None:
    """A failed job says why and is not taken again."""
    take(seeded, "k1")
    with seeded.write() as conn:
        assert jobs.fail(conn, JobId("job_a"), "k1", {"code": "pin-mismatch"}, NOW)
        found = jobs.find(conn, TENANT, JobId("job_a"))
    assert found is not None
    assert (found.state, found.error, found.result) == (
        JobState.FAILED,
        {"code": "pin-mismatch"},
        None,
    )
    assert take(seeded, "k2", NOW + 999) is None


def test_jobs_are_the_tenants(seeded: Store) -> None:
    """A tenant sees its own jobs alone."""
    with seeded.write() as conn:
        jobs.insert(conn, job("job_other", tenant=OTHER))
        assert jobs.find(conn, OTHER, JobId("job_a")) is None
        assert [each.id for each in jobs.list_page(conn, OTHER, after=None, limit=9)] == [
            "job_other"
        ]
        assert [each.id for each in jobs.list_page(conn, TENANT, after=None, limit=9)] == ["job_a"]


def test_no_job_is_taken_twice(seeded: Store) -> None:
    """Eight keepers at once take forty jobs, each of them once."""
    with seeded.write() as conn:
        for number in range(39):
            jobs.insert(conn, job(f"job_{number}"))
    taken: list[str] = []

    def work(name: str) -> None:
        while (found := take(seeded, name)) is not None:
            taken.append(found.id)

    threads = [threading.Thread(target=work, args=(f"k{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(taken) == len(set(taken)) == 40
