"""Who gets in, and what becomes of what is too large, not JSON, or nowhere."""

import http.client
import json
import math
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from admin_client import Admin, run_admin
from bailee.manage import tokens
from bailee.model import DEFAULT_TENANT
from bailee.policy.token import format_token
from house import build_house


@pytest.fixture(scope="module")
def admin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Admin]:
    """One admin API for all of these: what is refused leaves nothing behind."""
    house = build_house(tmp_path_factory.mktemp("door") / "vault")
    with run_admin(house) as running:
        yield running
    house.store.close()


def test_health_when_nobody_asks(admin: Admin) -> None:
    """Anyone may ask whether the process lives and the database answers."""
    assert admin.get("/healthz", token=None).json == {"status": "ok"}
    assert admin.get("/readyz", token=None).json == {"status": "ok"}


def test_ready_when_database_is_gone(admin: Admin) -> None:
    """Without its database the role says that it is not ready, and still lives."""
    admin.house.store.close()
    admin.house.database.rename(admin.house.directory / "away.db")
    answer = admin.get("/readyz", token=None)
    lives = admin.get("/healthz", token=None).status
    (admin.house.directory / "away.db").rename(admin.house.database)
    assert (answer.status, answer.code, lives) == (503, "store-unavailable", 200)


BAD_TOKENS = {
    "no token": None,
    "not a token": "bailee_nothing",
    "a token that nobody issued": format_token(b"x" * 32),
}


@pytest.mark.parametrize("token", BAD_TOKENS.values(), ids=BAD_TOKENS.keys())
@pytest.mark.parametrize("target", ["/v1/status", "/v1/nothing", "/metrics"])
def test_refused_when_token_is(admin: Admin, token: str | None, target: str) -> None:
    """A stranger learns that a token is required, whatever is asked and sent."""
    answer = admin.get(target, token=token)
    assert (answer.status, answer.code) == (401, "unauthenticated")
    assert answer.headers["www-authenticate"] == 'Bearer realm="bailee"'
    assert "detail" not in answer.json


def test_refused_before_body_is_read_when_token_is_missing(admin: Admin) -> None:
    """A stranger's body is not read: not even a form that is wrong is told him."""
    answer = admin.ask("POST", "/v1/callers", token=None, body=b"{not json")
    assert answer.status == 401


@pytest.mark.parametrize(
    "sent",
    [
        {"Authorization": "Basic Zm9v"},
        {"Authorization": "Bearer"},
        {"authorization": "bearer\tx"},
        {"Bailee-Token": "TOKEN"},
    ],
    ids=str,
)
def test_refused_when_scheme_is_other(admin: Admin, sent: dict[str, str]) -> None:
    """The token comes as `Authorization: Bearer` alone."""
    headers = {name: value.replace("TOKEN", admin.token) for name, value in sent.items()}
    assert admin.get("/v1/status", token=None, headers=headers).status == 401


def test_refused_when_there_are_two_tokens(admin: Admin) -> None:
    """Two `Authorization` headers are none."""
    connection = http.client.HTTPConnection("127.0.0.1", admin.port, timeout=30)
    connection.putrequest("GET", "/v1/status")
    for _ in range(2):
        connection.putheader("Authorization", f"Bearer {admin.token}")
    connection.endheaders()
    assert connection.getresponse().status == 401
    connection.close()


def test_refused_when_token_is_a_callers(admin: Admin) -> None:
    """A caller's token is good for the gateway, not here: it does not even learn what is here."""
    token = admin.house.add_caller()
    for target in ("/v1/status", "/v1/nothing"):
        answer = admin.get(target, token=token)
        assert (answer.status, answer.code) == (403, "forbidden")


def test_refused_when_token_was_revoked_or_expired(admin: Admin) -> None:
    """A token that was good is not, once it is revoked or its time is over."""
    store, before = admin.house.store, 1_000_000_000.0
    old = tokens.issue_operator(store, DEFAULT_TENANT, "old", before, seconds=60)
    assert admin.get("/v1/status", token=old.text.reveal().decode()).status == 401
    gone = tokens.issue_operator(store, DEFAULT_TENANT, "gone", 2e9)
    text = gone.text.reveal().decode()
    assert admin.get("/v1/status", token=text).status == 200
    tokens.revoke(store, DEFAULT_TENANT, gone.token.id, 2e9)
    assert admin.get("/v1/status", token=text).status == 401


def test_accepted_when_body_is_one_mebibyte(admin: Admin) -> None:
    """A body of 1 MiB is read (and then judged by its form)."""
    answer = admin.ask("POST", "/v1/callers", body=b" " * (1024 * 1024))
    assert answer.status == 422


@pytest.mark.parametrize("chunked", [False, True])
def test_refused_when_body_is_larger(admin: Admin, chunked: bool) -> None:
    """One byte more is refused, whether its length was said or not."""
    body = b"1" * (1024 * 1024 + 1)
    connection = http.client.HTTPConnection("127.0.0.1", admin.port, timeout=30)
    headers = {"Authorization": f"Bearer {admin.token}", "Content-Type": "application/json"}
    pieces = iter([body[:1000], body[1000:]]) if chunked else body
    connection.request("POST", "/v1/callers", pieces, headers, encode_chunked=chunked)
    answer = connection.getresponse()
    assert answer.status == 413
    assert json.loads(answer.read())["code"] == "body-too-large"
    connection.close()


@pytest.mark.parametrize(
    ("method", "target", "status", "code"),
    [
        ("GET", "/v1/nothing", 404, "not-found"),
        ("GET", "/v1/callers/", 404, "not-found"),
        ("PUT", "/v1/callers", 405, "method-refused"),
        ("DELETE", "/v1/status", 405, "method-refused"),
        ("GET", "/docs", 404, "not-found"),
    ],
)
def test_refused_when_path_is_not_served(
    admin: Admin, method: str, target: str, status: int, code: str
) -> None:
    """Unknown paths and methods are problems like any other."""
    answer = admin.ask(method, target)
    assert (answer.status, answer.code) == (status, code)


BAD_BODIES = {
    "not JSON": b"{",
    "not an object": b"[]",
    "a number": b"1",
    "nothing": b"",
    "a missing member": b'{"allow_from":[]}',
    "a surplus member": b'{"name":"app","credential":"canary-secret"}',
    "another type": b'{"name":7}',
    "a number as text": b'{"name":"app","token_days":"7"}',
    "half of a surrogate pair": b'{"name":"\\ud800"}',
    "a NaN": b'{"name":"app","token_days":NaN}',
    "very deep": b"[" * 100_000,
    "a huge number": b'{"name":"app","token_days":1' + b"0" * 5000 + b"}",
}


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES.keys())
def test_refused_when_form_is(admin: Admin, body: bytes) -> None:
    """What has not the form is refused with its place, and never repeated."""
    before = admin.get("/v1/callers").json
    answer = admin.ask("POST", "/v1/callers", body=body)
    assert (answer.status, answer.code) == (422, "bad-input")
    assert b"canary-secret" not in answer.body
    assert admin.get("/v1/callers").json == before


def test_refused_when_content_type_is_a_forms(admin: Admin) -> None:
    """What a page of another site can send without asking is no JSON."""
    headers = {"Content-Type": "text/plain"}
    answer = admin.ask("POST", "/v1/callers", body=b'{"name":"app"}', headers=headers)
    assert answer.status == 422


def test_kept_open_when_client_asks_again(admin: Admin) -> None:
    """One connection carries many requests, refused ones among them."""
    connection = http.client.HTTPConnection("127.0.0.1", admin.port, timeout=30)
    for token, status in [(admin.token, 200), ("", 401), (admin.token, 200)]:
        connection.request("GET", "/v1/status", headers={"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == status
        assert answer.getheader("server") is None
        assert answer.getheader("connection") is None
    connection.close()


def test_problem_when_a_fault_is_ours(tmp_path: Path) -> None:
    """A fault behind the routes is a problem document too, tells nothing, and ends no process."""
    house = build_house(tmp_path / "vault")
    times = iter([time.time(), float("nan")])

    def clock() -> float:
        """Good for the door; then an error that nobody expects."""
        now = next(times, None)
        if now is None or math.isnan(now):
            raise ArithmeticError("canary-secret")
        return now

    with run_admin(house, clock) as running:
        answer = running.post("/v1/callers", {"name": "app"})
        assert (answer.status, answer.code) == (500, "internal-error")
        assert b"canary" not in answer.body
        assert running.get("/healthz").status == 200
    house.store.close()
