"""`Idempotency-Key`: what was done is not done again, and no token is kept for it."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from admin_client import Admin, Answer, run_admin
from bailee.manage import replays
from bailee.manage.ids import new_id
from bailee.model import DEFAULT_TENANT, Provider, Role
from bailee.reference.pki import World
from house import build_house, make_provider
from tenants import OURS, THEIRS, make_things, role_token

ORDER = {"kind": "learn_pin", "arguments": {"provider": "api"}}


@pytest.fixture(scope="module")
def provider() -> Provider:
    """Approved in the vault of all of these tests."""
    return make_provider(8443, World.create(["api.test"]).root.pem.decode())


@pytest.fixture(scope="module")
def admin(tmp_path_factory: pytest.TempPathFactory, provider: Provider) -> Iterator[Admin]:
    """One vault with two tenants."""
    house = build_house(tmp_path_factory.mktemp("repetition") / "vault")
    house.add_tenant(THEIRS)
    house.approve_provider(provider)
    with run_admin(house) as running:
        yield running
    house.store.close()


@pytest.fixture
def key() -> str:
    """A key that no other test has."""
    return new_id("key")


def post(admin: Admin, target: str, form: object, key: str, **more: Any) -> Answer:
    headers = {"Idempotency-Key": key, **more.pop("headers", {})}
    return admin.post(target, form, headers=headers, **more)


def jobs(admin: Admin) -> int:
    return len(admin.get("/v1/jobs?limit=1000").json["items"])


def test_repetition_when_request_is_the_same(admin: Admin, key: str) -> None:
    """The answer is the first one's, with its status and Location; one job was made."""
    before = jobs(admin)
    first = post(admin, "/v1/jobs", ORDER, key)
    again = post(admin, "/v1/jobs", ORDER, key)
    assert (first.status, again.status, again.body) == (202, 202, first.body)
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["content-type"] == "application/json"
    assert again.headers["bailee-repeated"] == "true"
    assert "bailee-repeated" not in first.headers
    assert jobs(admin) == before + 1
    post(admin, "/v1/jobs", ORDER, new_id("key"))
    assert jobs(admin) == before + 2


@pytest.mark.parametrize(
    ("target", "form"),
    [
        ("/v1/jobs", ORDER | {"egress": "a"}),
        ("/v1/jobs?tenant=default", ORDER),
        ("/v1/providers", ORDER),
        ("/v1/callers", {"name": "reused"}),
    ],
)
def test_refused_when_key_comes_with_another_request(
    admin: Admin, key: str, target: str, form: object
) -> None:
    """The same key with another body, query or path is refused, and nothing is done."""
    post(admin, "/v1/jobs", ORDER, key)
    before = jobs(admin)
    answer = post(admin, target, form, key)
    assert (answer.status, answer.code) == (409, "key-reused")
    assert jobs(admin) == before
    assert admin.get("/v1/callers/reused").status == 404


def test_apart_when_token_or_tenant_is_another(admin: Admin, key: str) -> None:
    """Keys of two tokens, and keys about two tenants, have nothing to do with each other."""
    before = jobs(admin)
    post(admin, "/v1/jobs", ORDER, key)
    other = role_token(admin, Role.OPERATOR, OURS)
    assert "bailee-repeated" not in post(admin, "/v1/jobs", ORDER, key, token=other).headers
    elsewhere = post(admin, "/v1/jobs", ORDER, key, headers={"Bailee-Tenant": THEIRS})
    assert elsewhere.status == 202
    assert "bailee-repeated" not in elsewhere.headers
    assert jobs(admin) == before + 2


def test_again_when_request_was_refused(admin: Admin, key: str) -> None:
    """What was refused changed nothing: the same request may succeed later, with its key."""
    grant = {"caller": key, "provider": "api", "allow": ["GET /**"]}
    assert post(admin, "/v1/grants", grant, key).code == "not-found"
    admin.post("/v1/callers", {"name": key})
    assert post(admin, "/v1/grants", grant, key).status == 201


def test_once_when_requests_come_together(admin: Admin, key: str) -> None:
    """Of many at once one is carried out; the others are told so, or get its answer."""
    before = jobs(admin)
    answers: list[Answer] = []
    threads = [
        threading.Thread(target=lambda: answers.append(post(admin, "/v1/jobs", ORDER, key)))
        for _ in range(8)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert jobs(admin) == before + 1
    done = {answer.body for answer in answers if answer.status == 202}
    assert len(done) == 1
    assert {answer.code for answer in answers if answer.status != 202} <= {"request-under-way"}


def test_not_done_again_when_first_one_ended_without_an_answer(admin: Admin, key: str) -> None:
    """If the process died in between, whether it was done is unknown, and it is not done twice."""
    post(admin, "/v1/jobs", ORDER, key)
    with admin.house.store.write() as conn:
        conn.exec_driver_sql("UPDATE replays SET status = NULL, body = NULL WHERE key = ?", (key,))
    before = jobs(admin)
    answer = post(admin, "/v1/jobs", ORDER, key)
    assert (answer.status, answer.code) == (409, "request-under-way")
    assert jobs(admin) == before


def test_token_when_its_request_is_repeated(admin: Admin, provider: Provider, key: str) -> None:
    """A token is shown once: the repetition names its id, and the database has not its text."""
    things = make_things(admin, provider, OURS)
    derived = {"caller": things.caller, "subject": things.subject}
    for target, form, name in (
        ("/v1/callers", {"name": key}, "token_id"),
        ("/v1/tokens", {"role": "auditor"}, "id"),
        ("/v1/tokens", derived, "id"),
    ):
        own = new_id("key")
        first = post(admin, target, form, own)
        again = post(admin, target, form, own)
        assert first.status == 201
        assert (again.status, again.code) == (409, "token-shown-once")
        assert first.json[name] in again.json["detail"]
        assert again.headers["bailee-repeated"] == "true"
        revoked = admin.delete(f"/v1/tokens/{first.json[name]}")
        assert revoked.json["revoked_at"] is not None
        text = str(first.json["token"]).encode()
        assert text not in again.body
        for file in files_of(admin):
            assert text not in file.read_bytes(), file


def files_of(admin: Admin) -> Iterator[Path]:
    return (each for each in admin.house.directory.rglob("*") if each.is_file())


@pytest.mark.parametrize("bad", ["", " ", "x" * 129, "ä"])
def test_refused_when_key_is_not_of_the_right_form(admin: Admin, bad: str) -> None:
    """1 to 128 printable characters of ASCII; a key that is none makes nothing happen."""
    before = jobs(admin)
    answer = post(admin, "/v1/jobs", ORDER, bad)
    assert (answer.status, answer.code) == (422, "bad-input")
    assert jobs(admin) == before


def test_erased_when_answer_names_an_erased_subject(
    admin: Admin, provider: Provider, key: str
) -> None:
    """With a subject goes the answer that was kept and names it."""
    things = make_things(admin, provider, OURS)
    form = {"caller": things.caller, "subject": things.subject, "allow": ["GET /**"]}
    assert post(admin, "/v1/grants", form, key).status == 201
    assert admin.delete(f"/v1/subjects/{things.subject}").status == 200
    again = post(admin, "/v1/grants", form, key)
    assert (again.status, again.code) == (409, "conflict")
    for file in files_of(admin):
        if file.suffix == ".jsonl":
            assert things.subject.encode() not in file.read_bytes()


def test_kept_when_a_day_is_not_over(admin: Admin, key: str) -> None:
    """Answers are kept for a day, as said."""
    assert replays.KEPT_SECONDS == 86_400
    digest, old = bytes(32), time.time() - 90_000
    place = (admin.house.store, DEFAULT_TENANT, "tok_x", key)
    assert replays.begin(*place, digest, old) is None
    assert replays.begin(*place, digest, time.time()) is None
