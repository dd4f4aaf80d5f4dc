"""Imports that are large, interrupted, or sent to an admin API that lies."""

import io
import json
import sys
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bailee.cli import main
from bailee.model import Provider
from bailee.reference.pki import World
from cli.test_rogue_admin import CANARY, LIES, FakeAdmin, fake_admin, true_answers
from house import House, build_house, make_provider

BODY_LIMIT = 1024 * 1024
"""What the admin API takes."""


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A vault whose config the command has."""
    built = build_house(tmp_path / "ours")
    yield built
    built.store.close()


@pytest.fixture(scope="module")
def provider() -> Provider:
    """A provider that the authority would approve."""
    return make_provider(9443, World.create().root.pem.decode())


@dataclass(slots=True)
class Batches:
    """Takes batches as the admin API does, and breaks after some of them."""

    until: int = 10**9
    ids: dict[str, str] = field(default_factory=dict)
    sizes: list[int] = field(default_factory=list)

    def take(self, document: Any) -> dict[str, Any]:
        """Answer one batch."""
        if len(self.sizes) >= self.until:
            raise ConnectionResetError
        items = document["items"]
        self.sizes.append(len(items))
        answers = []
        for item in items:
            known = item["id"] in self.ids
            self.ids[item["id"]] = item["subject"]
            answers.append({"connection": item["id"], "outcome": "exists" if known else "added"})
        return {"items": answers}


def run(
    fake: FakeAdmin,
    house: House,
    text: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *more: str,
) -> tuple[int, dict[str, Any], str]:
    """Import lines from the fake; returns the exit code, the report, and what was said."""
    monkeypatch.setenv("BAILEE_URL", f"http://127.0.0.1:{fake.port}")
    monkeypatch.setenv("BAILEE_TOKEN", "token")
    monkeypatch.setenv("BAILEE_CONFIG", str(house.write_config(8700, 8702, 8701)))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    with pytest.raises(SystemExit) as leaving:
        main(["connection", "import", "-o", "json", *more])
    captured = capsys.readouterr()
    report = json.loads(captured.out) if captured.out else {}
    return int(leaving.value.code or 0), report, captured.out + captured.err


def lines(count: int, key: str = CANARY) -> str:
    return "".join(
        json.dumps({"provider": "api", "subject": f"u{n}", "credential": {"api_key": key}}) + "\n"
        for n in range(count)
    )


def test_sent_sealed_and_in_batches(
    house: House,
    provider: Provider,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Batches hold at most 500; the provider is asked for once; no credential is in a request."""
    taken = Batches()
    answers = true_answers(house, provider) | {"/v1/connections/batch": taken.take}
    with fake_admin(answers) as fake:
        code, report, _ = run(fake, house, lines(1203), monkeypatch, capsys)
    assert (code, report["added"], report["lines"]) == (0, 1203, 1203)
    assert taken.sizes == [500, 500, 203]
    assert len(set(taken.ids.values())) == len(taken.ids) == 1203
    spellings = (CANARY, CANARY.encode().hex(), b64encode(CANARY.encode()).decode())
    assert [each for each in spellings for sent in fake.sent if each in sent] == []


def test_large_credentials_fit(
    house: House,
    provider: Provider,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A batch is no larger than what the admin API takes, however large its credentials are."""
    taken = Batches()
    answers = true_answers(house, provider) | {"/v1/connections/batch": taken.take}
    with fake_admin(answers) as fake:
        _, report, _ = run(fake, house, lines(200, "k" * 16_000), monkeypatch, capsys)
    assert report["added"] == 200
    assert len(taken.sizes) > 3
    assert max(len(sent) for sent in fake.sent) < BODY_LIMIT


def test_run_again_after_a_failure(
    house: House,
    provider: Provider,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What was done before the admin API went away is told; a second run does the rest, once."""
    taken = Batches(until=2)
    answers = true_answers(house, provider) | {"/v1/connections/batch": taken.take}
    with fake_admin(answers) as fake:
        code, report, said = run(fake, house, lines(1100), monkeypatch, capsys)
        assert (code, report["added"]) == (1, 1000)
        assert "run it again with the same lines" in said
        assert CANARY not in said
        taken.until = 10**9
        code, report, _ = run(fake, house, lines(1100), monkeypatch, capsys)
    assert (code, report["added"], report["exists"]) == (0, 100, 1000)
    assert len(taken.ids) == 1100


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.__name__)
def test_lying_admin_gets_nothing(
    house: House,
    provider: Provider,
    lie: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nothing is sealed to what the authority did not sign, and nothing is sent."""
    taken = Batches()
    answers = true_answers(house, provider) | {"/v1/connections/batch": taken.take}
    lie(answers, house, provider)
    with fake_admin(answers) as fake:
        code, _, said = run(fake, house, lines(3), monkeypatch, capsys)
    assert code == 1
    assert (taken.ids, fake.sent) == ({}, [])
    assert CANARY not in said


def test_key_of_another_tenant_is_refused(
    house: House,
    provider: Provider,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Who names a tenant seals to that tenant's key, or to none."""
    taken = Batches()
    answers = true_answers(house, provider) | {"/v1/connections/batch": taken.take}
    with fake_admin(answers) as fake:
        code, _, said = run(fake, house, lines(1), monkeypatch, capsys, "--tenant", "tax")
        assert (code, taken.ids) == (1, {})
        assert "another's place" in said
        code, _, _ = run(fake, house, lines(1), monkeypatch, capsys, "--tenant", "default")
    assert (code, len(taken.ids)) == (0, 1)


def test_refused_item_is_told_by_its_line(
    house: House,
    provider: Provider,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What the admin API refuses is reported with the number of its line in the file."""

    def refuse_one(document: Any) -> dict[str, Any]:
        refused = {"outcome": "refused", "code": "conflict", "detail": "sealed to another key"}
        return {
            "items": [
                refused if item["subject"] == "u1" else {"outcome": "added"}
                for item in document["items"]
            ]
        }

    answers = true_answers(house, provider) | {"/v1/connections/batch": refuse_one}
    with fake_admin(answers) as fake:
        text = "nonsense\n" + lines(3)
        code, report, _ = run(fake, house, text, monkeypatch, capsys)
    assert (code, report["added"], report["failed"]) == (1, 2, 2)
    assert [(fault["line"], fault["code"]) for fault in report["faults"]] == [
        (1, "bad-input"),
        (3, "conflict"),
    ]


def test_unapproved_provider_fails_its_own_lines(
    house: House,
    provider: Provider,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The lines of a provider that is not approved fail; the others are added."""
    taken = Batches()
    answers = true_answers(house, provider) | {"/v1/connections/batch": taken.take}
    answers["/v1/providers/new"] = record_of_nothing()
    with fake_admin(answers) as fake:
        text = lines(2) + lines(2).replace('"api"', '"new"')
        code, report, _ = run(fake, house, text, monkeypatch, capsys)
    assert (code, report["added"]) == (1, 2)
    assert {fault["code"] for fault in report["faults"]} == {"provider-not-approved"}


def record_of_nothing() -> dict[str, object]:
    """A provider that was only proposed."""
    return {"state": "proposed", "payload": None, "signature": None}
