"""What was read and still is so: `ETag`, `If-None-Match`, `If-Match`."""

import threading
from collections.abc import Iterator

import pytest

from admin_client import Admin, Answer, run_admin
from bailee.admin.api.etags import etag_of
from house import build_house
from tenants import OURS

TENANT = f"/v1/tenants/{OURS}"


@pytest.fixture(scope="module")
def admin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Admin]:
    """One vault for all of these."""
    house = build_house(tmp_path_factory.mktemp("etags") / "vault")
    with run_admin(house) as running:
        yield running
    house.store.close()


def change(admin: Admin, gate: str, **headers: str) -> Answer:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return admin.ask("PATCH", TENANT, {"gate": gate}, headers=sent)


def gate(admin: Admin) -> str:
    return str(admin.get(TENANT).json["gate"])


def test_etag_when_nothing_has_changed(admin: Admin) -> None:
    """Every read has an ETag; the same bytes have the same, and are not sent again."""
    for target in (TENANT, "/v1/callers", "/v1/status", "/v1/egress"):
        first = admin.get(target)
        assert first.headers["etag"] == etag_of(first.body)
        assert first.headers["cache-control"] == "private, no-cache"
        for value in (first.headers["etag"], f'W/{first.headers["etag"]}, "x"', '"x" , *', "*"):
            again = admin.get(target, headers={"If-None-Match": value})
            if value == '"x" , *':
                assert again.status == 200
                continue
            assert (again.status, again.body) == (304, b"")
            assert again.headers["etag"] == first.headers["etag"]
        other = admin.get(target, headers={"If-None-Match": '"other"'})
        assert (other.status, other.body) == (200, first.body)


def test_no_etag_when_read_is_refused(admin: Admin) -> None:
    """An error has none, and `*` does not turn it into 304."""
    answer = admin.get("/v1/callers/nobody", headers={"If-None-Match": "*"})
    assert (answer.status, answer.code) == (404, "not-found")
    assert "etag" not in answer.headers


def test_change_when_thing_is_as_it_was_read(admin: Admin) -> None:
    """The ETag that was read lets one change through, and its answer has the next one."""
    read = admin.get(TENANT).headers["etag"]
    first = change(admin, "declared", If_Match=read)
    assert (first.status, first.json["gate"]) == (200, "declared")
    assert first.headers["etag"] == admin.get(TENANT).headers["etag"]
    late = change(admin, "enforced", If_Match=read)
    assert (late.status, late.code) == (412, "precondition-failed")
    assert gate(admin) == "declared"
    assert change(admin, "none", If_Match=first.headers["etag"]).status == 200
    assert change(admin, "declared", If_Match="*").status == 200
    assert change(admin, "none").status == 200


def test_change_when_operators_collide(admin: Admin) -> None:
    """Of several who saw the same and change it at once, one does and the others are told."""
    read = admin.get(TENANT).headers["etag"]
    answers: list[int] = []
    threads = [
        threading.Thread(
            target=lambda: answers.append(change(admin, "enforced", If_Match=read).status)
        )
        for _ in range(6)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(answers) == [200] + [412] * 5
    change(admin, "none")


@pytest.mark.parametrize("target", ["/v1/callers/app", "/v1/callers"])
def test_change_refused_when_precondition_is_of_nothing(admin: Admin, target: str) -> None:
    """A precondition is never passed over: where nothing can be compared, nothing is changed."""
    if target == "/v1/callers":
        answer = admin.post(target, {"name": "app"}, headers={"If-Match": "*"})
        assert (answer.status, answer.code) == (412, "precondition-failed")
        assert admin.get("/v1/callers").json["items"] == []
    else:
        answer = admin.delete(target, headers={"If-Match": '"x"'})
        assert (answer.status, answer.code) == (404, "not-found")


def test_revocation_when_thing_was_changed(admin: Admin) -> None:
    """A caller that was read is revoked by its ETag, and not by an old one."""
    added = admin.post("/v1/callers", {"name": "late"}).json
    place = f"/v1/callers/{added['id']}"
    assert admin.delete(place, headers={"If-Match": '"old"'}).code == "precondition-failed"
    assert admin.get(place).json["revoked_at"] is None
    read = admin.get(place).headers["etag"]
    assert admin.delete(place, headers={"If-Match": read}).status == 200
