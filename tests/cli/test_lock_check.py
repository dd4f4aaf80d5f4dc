"""`lock check` believes what the keeper signed for its question, and goes on with the others."""

import json
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from bailee.cli.lock_check import AT_ONCE, check_all, check_one
from bailee.errors import ConnectionRevoked, NoEgressAddress, TrustBroken
from bailee.model import JobId
from bailee.secret import Secret
from bailee.vault.authority import AuthorityVerifier
from bailee.vault.keyring import Keyring
from bailee.vault.statements import JobResult, sign_job_result

KEYRING = Keyring(Secret(bytes(32)))
AUTHORITY = KEYRING.new_authority()[0]
VERIFIER = AuthorityVerifier(AUTHORITY.public)


@dataclass(slots=True)
class Admin:
    """An admin API inside of the test; `asked` and `waited` are what it was asked, in order."""

    connections: list[str]
    authority: Any = AUTHORITY
    told_of: dict[str, str] = field(default_factory=dict)
    """Of which connection the result speaks, where it is another than the one asked."""
    refused: dict[str, Exception] = field(default_factory=dict)
    failed: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    most_ahead: int = 0
    waited: int = 0

    def pages(self, path: str, **query: str | None) -> Iterator[dict[str, Any]]:
        assert path == "/v1/locks"
        yield from ({"connection": each, "provider": "p"} for each in self.connections)

    def send(self, path: str, document: dict[str, object]) -> dict[str, str]:
        connection = path.split("/")[3]
        assert path == f"/v1/connections/{connection}/lock-checks"
        assert document == {"accept_risky": False}
        self.asked.append(connection)
        if connection in self.refused:
            raise self.refused[connection]
        self.most_ahead = max(self.most_ahead, len(self.asked) - self.waited)
        return {"id": f"job-{connection}"}

    def read(self, path: str, query: object = None, seconds: float = 0.0) -> dict[str, Any]:
        job = path.removeprefix("/v1/jobs/")
        connection = job.removeprefix("job-")
        self.waited += 1
        if connection in self.failed:
            return {"state": "failed", "error": self.failed[connection]}
        arguments = {"connection": self.told_of.get(connection, connection)}
        result = {"connection": connection, "state": "enforced", "cause": "measured"}
        signed = sign_job_result(
            self.authority, JobResult(JobId(job), "check_lock", arguments, dict(result))
        )
        return {
            "id": job, "kind": "check_lock", "state": "done", "arguments": arguments,
            "result": json.loads(json.dumps(result)),
            "result_signature": b64encode(signed.signature).decode(),
        }  # fmt: skip


def check(admin: Admin, connection: str = "a") -> dict[str, Any]:
    return check_one(admin, VERIFIER, connection, False)  # type: ignore[arg-type]  # a fake


def test_result_when_keeper_signed_it() -> None:
    """What the keeper signed is what is shown."""
    assert check(Admin(["a"]))["state"] == "enforced"


@pytest.mark.parametrize(
    "admin",
    [
        Admin(["a"], authority=KEYRING.new_authority()[0]),
        Admin(["a"], told_of={"a": "b"}),
    ],
    ids=["another authority", "another connection"],
)
def test_refused_when_result_is_not_the_keepers(admin: Admin) -> None:
    """A result that the authority did not sign, or that answers another question, is a lie."""
    with pytest.raises(TrustBroken):
        check(admin)
    with pytest.raises(TrustBroken):
        list(check_all(admin, VERIFIER, None, False))  # type: ignore[arg-type]  # a fake


def test_all_are_checked_when_some_fail() -> None:
    """One that is refused or fails stands there with its reason, and the others are checked; a few
    are asked for ahead, and no more."""
    names = [f"c{number:02}" for number in range(3 * AT_ONCE)]
    failure = {"code": NoEgressAddress.code, "detail": "it is not published", "hint": ""}
    admin = Admin(names, refused={"c03": ConnectionRevoked("gone")}, failed={"c07": failure})
    rows = list(check_all(admin, VERIFIER, None, False))  # type: ignore[arg-type]  # a fake
    assert [row["connection"] for row in rows] == admin.asked == names
    bad = {row["connection"]: (row["cause"], row["reason"]) for row in rows if not row["state"]}
    assert bad == {
        "c03": ("connection-revoked", "gone"),
        "c07": ("no-egress-address", "it is not published"),
    }
    assert AT_ONCE - 1 <= admin.most_ahead <= AT_ONCE + 1


def test_none_when_there_are_no_connections() -> None:
    """Nothing to check is no fault."""
    assert list(check_all(Admin([]), VERIFIER, "p", False)) == []  # type: ignore[arg-type]  # a fake
