"""An admin API that lies gets no credential, no signature and no pin approved.

The admin here is a fake of ours: it answers what an attacker who owns the admin role would.
"""

import io
import json
import sys
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from bailee.cli import main
from bailee.model import JobId, Provider, Signed, TenantId
from bailee.providers.load import encode_provider
from bailee.reference.pki import World
from bailee.secret import Secret
from bailee.vault.keyring import Keyring
from bailee.vault.statements import JobResult, sign_job_result, sign_provider, sign_tenant_key
from house import House, build_house, make_provider

CANARY = "canary-5f1c77"
PIN = "sha256/" + b64encode(bytes(32)).decode()


@dataclass(slots=True)
class FakeAdmin:
    """Answers what it was told to, or what a function says, and keeps what it was sent."""

    answers: dict[str, Any]
    sent: list[str] = field(default_factory=list)
    port: int = 0


@contextmanager
def fake_admin(answers: dict[str, Any]) -> Iterator[FakeAdmin]:
    """Run a fake admin on loopback."""
    fake = FakeAdmin(answers)

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            if self.command != "GET":
                fake.sent.append(f"{self.command} {self.path} {body}")
            known = fake.answers.get(self.path.partition("?")[0])
            if callable(known):
                known = known(json.loads(body))
            content = json.dumps(known if known is not None else {}).encode()
            self.send_response(404 if known is None else 200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_DELETE = answer

        def log_message(self, *given: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        fake.port = server.server_port
        yield fake
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def run(
    fake: FakeAdmin,
    house: House,
    arguments: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> tuple[int, str]:
    """Run a command against the fake; returns its exit code and all that it printed."""
    monkeypatch.setenv("BAILEE_URL", f"http://127.0.0.1:{fake.port}")
    monkeypatch.setenv("BAILEE_TOKEN", "operator")
    monkeypatch.setenv("BAILEE_CONFIG", str(house.write_config(8700, 8702, 8701)))
    credential = json.dumps({"api_key": CANARY}).encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(credential)))
    with pytest.raises(SystemExit) as leaving:
        main(arguments)
    captured = capsys.readouterr()
    return int(leaving.value.code or 0), captured.out + captured.err


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A vault whose config the command has."""
    house = build_house(tmp_path / "ours")
    yield house
    house.store.close()


@pytest.fixture
def provider() -> Provider:
    """A provider that the authority would approve."""
    return make_provider(9443, World.create().root.pem.decode())


def record(signed: Signed) -> dict[str, object]:
    """A signed statement as the admin API shows it."""
    return {
        "state": "approved",
        "payload": b64encode(signed.payload).decode(),
        "signature": b64encode(signed.signature).decode(),
    }


def true_answers(house: House, provider: Provider) -> dict[str, Any]:
    """What an honest admin would say."""
    key, _ = house.keyring.new_tenant_key(TenantId("default"))
    return {
        "/v1/providers/api": record(sign_provider(house.authority, provider, 1)),
        "/v1/tenant/key": record(sign_tenant_key(house.authority, key)),
        "/v1/connections": {"id": "made"},
    }


ADD = ["connection", "add", "api", "--subject", "u1", "-o", "json"]


def test_honest_admin_gets_a_sealed_credential(
    house: House,
    provider: Provider,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What is sent is sealed: the credential is not in it, in no usual spelling."""
    with fake_admin(true_answers(house, provider)) as fake:
        code, _ = run(fake, house, ADD, monkeypatch, capsys)
    assert code == 0
    [sent] = fake.sent
    spellings = (CANARY, CANARY.encode().hex(), b64encode(CANARY.encode()).decode())
    assert [spelling for spelling in spellings if spelling in sent] == []


def forge_provider(answers: dict[str, Any], house: House, provider: Provider) -> None:
    """The provider's record is signed by another authority."""
    other, _ = Keyring(Secret(bytes(32))).new_authority()
    answers["/v1/providers/api"] = record(sign_provider(other, provider, 1))


def alter_provider(answers: dict[str, Any], house: House, provider: Provider) -> None:
    """The host in the record is changed under its signature."""
    signed = sign_provider(house.authority, provider, 1)
    altered = Signed(signed.payload.replace(b"api.test", b"evil.tst"), signed.signature)
    answers["/v1/providers/api"] = record(altered)


def swap_provider(answers: dict[str, Any], house: House, provider: Provider) -> None:
    """The record is another provider's, and well signed."""
    ca = World.create().root.pem.decode()
    other = make_provider(9443, ca, id="other")
    answers["/v1/providers/api"] = record(sign_provider(house.authority, other, 1))


def unsigned_provider(answers: dict[str, Any], house: House, provider: Provider) -> None:
    """There is a document and no signature."""
    document = json.loads(encode_provider(provider))
    answers["/v1/providers/api"] = {"state": "approved", "document": document, "payload": None}


def forge_key(answers: dict[str, Any], house: House, provider: Provider) -> None:
    """The tenant's public key is the attacker's own."""
    mine = Keyring(Secret(bytes(32)))
    other, _ = mine.new_authority()
    key, _ = mine.new_tenant_key(TenantId("default"))
    answers["/v1/tenant/key"] = record(sign_tenant_key(other, key))


def other_statement(answers: dict[str, Any], house: House, provider: Provider) -> None:
    """A true statement of another kind stands in the key's place."""
    answers["/v1/tenant/key"] = answers["/v1/providers/api"]


LIES = (
    forge_provider,
    alter_provider,
    swap_provider,
    unsigned_provider,
    forge_key,
    other_statement,
)


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.__name__)
def test_lying_admin_gets_nothing(
    house: House,
    provider: Provider,
    lie: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nothing is sealed and nothing is sent; the error does not hold the credential."""
    answers = true_answers(house, provider)
    lie(answers, house, provider)
    with fake_admin(answers) as fake:
        code, said = run(fake, house, ADD, monkeypatch, capsys)
    assert code == 1
    assert fake.sent == []
    assert "bailee: error: " in said
    assert CANARY not in said


def job(
    house: House, provider: str = "api", kind: str = "learn_pin", forged: bool = False
) -> dict[str, Any]:
    """A learn job as done, with its result signed."""
    seen = {
        "role": "leaf", "subject": "CN=api.test", "issuer": "CN=CA", "key": "EC P-256",
        "not_before": 1, "not_after": 2, "pin": PIN,
    }  # fmt: skip
    arguments = {"provider": provider, "origin": "rest"}
    result: dict[str, object] = {**arguments, "host": "api.test", "port": 9443, "chain": [seen]}
    signer = Keyring(Secret(bytes(32))).new_authority()[0] if forged else house.authority
    signed = sign_job_result(signer, JobResult(JobId("job_1"), kind, arguments, result))
    return {
        "id": "job_1", "kind": kind, "state": "done", "arguments": arguments,
        "result": result, "result_signature": b64encode(signed.signature).decode(), "error": None,
    }  # fmt: skip


def altered(job: dict[str, Any]) -> dict[str, Any]:
    """The same with another pin under the signature."""
    job["result"]["chain"][0]["pin"] = "sha256/" + b64encode(b"x" * 32).decode()
    return job


LEARN = ["pin", "learn", "api", "--approve", PIN, "--danger-no-backup", "-o", "json"]


@pytest.mark.parametrize(
    ("lie", "approved"),
    [
        ("none", True),
        ("signed by another authority", False),
        ("altered", False),
        ("of another provider", False),
        ("of another kind", False),
        ("unsigned", False),
    ],
)
def test_pins_are_learned_from_a_signed_result_alone(
    house: House,
    provider: Provider,
    lie: str,
    approved: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A pin is approved only when the keeper signed that it saw it at that very provider."""
    house.approve_provider(provider)
    answer = {
        "none": lambda: job(house),
        "signed by another authority": lambda: job(house, forged=True),
        "altered": lambda: altered(job(house)),
        "of another provider": lambda: job(house, provider="other"),
        "of another kind": lambda: job(house, kind="check_lock"),
        "unsigned": lambda: job(house) | {"result_signature": None},
    }[lie]()
    answers = {"/v1/jobs": answer, "/v1/jobs/job_1": answer, "/v1/providers/api/pins": {}}
    with fake_admin(answers) as fake:
        code, said = run(fake, house, LEARN, monkeypatch, capsys)
    assert (code == 0) is approved, said
    assert any(" /v1/providers/api/pins " in sent for sent in fake.sent) is approved


def test_another_server_at_the_url(
    house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An answer without a problem's code is told as one that gives no reason."""
    with fake_admin({}) as fake:
        code, said = run(fake, house, ["status"], monkeypatch, capsys)
    assert code == 1
    assert "bailee: error: the admin API answered 404 without a reason" in said
