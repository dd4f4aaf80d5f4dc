"""Checking locks: ask the keeper, wait, and believe only what it signed."""

from collections import deque
from collections.abc import Iterator
from typing import Any, Final

from bailee.cli.admin_api import AdminApi, segment
from bailee.cli.jobs import await_job, signed_result
from bailee.cli.output import say
from bailee.errors import BaileeError, TrustBroken
from bailee.vault.authority import AuthorityVerifier

AT_ONCE: Final = 8
"""So many checks are asked for ahead: as many as a keeper does at a time."""
TOLD_EVERY: Final = 100
ADVICE: Final = {
    "no-decoy": "add a [[decoy]] to the configuration: an address of another network than the "
    "egress addresses', never published",
    "not-consented": "if your users agreed to it: 'bailee tenant set ID --probing ok' (or risky), "
    "or --accept-risky for this once",
    "decoy-held": "try again later",
    "decoy-shut-out": "the provider does not let the decoy in at all: use another one",
}
"""What the operator can do about a lock that is not proven."""


def check_one(
    admin: AdminApi, verifier: AuthorityVerifier, connection: str, accept_risky: bool
) -> dict[str, Any]:
    """Have one lock measured, and return what the keeper signed.

    Raises:
        BaileeError: Why it could not be measured.
        TrustBroken: The result is not signed by the authority, or answers another question.
    """
    return _result(admin, verifier, connection, _ask(admin, connection, accept_risky))


def check_all(
    admin: AdminApi, verifier: AuthorityVerifier, provider: str | None, accept_risky: bool
) -> Iterator[dict[str, Any]]:
    """Have the locks of all active connections measured, in the order of their ids.

    Yields:
        What the keeper signed; for a connection that could not be checked, the same with `state`
        None, and why in `reason` and `cause` (the code).
    """
    known = list(admin.pages("/v1/locks", provider=provider))
    asked: deque[tuple[dict[str, Any], str | BaileeError]] = deque()
    for done in range(len(known)):
        for row in known[done + len(asked) : done + AT_ONCE]:
            asked.append((row, _ask_or_error(admin, str(row["connection"]), accept_risky)))
        row, job = asked.popleft()
        yield _result_or_error(admin, verifier, row, job)
        if (done + 1) % TOLD_EVERY == 0:
            say(f"{done + 1} of {len(known)} checked")


def _ask(admin: AdminApi, connection: str, accept_risky: bool) -> str:
    path = f"/v1/connections/{segment(connection)}/lock-checks"
    return str(admin.send(path, {"accept_risky": accept_risky})["id"])


def _result(
    admin: AdminApi, verifier: AuthorityVerifier, connection: str, job: str
) -> dict[str, Any]:
    told = signed_result(verifier, await_job(admin, job))
    if told.kind != "check_lock" or told.arguments.get("connection") != connection:
        raise TrustBroken("the job's result answers another question than the one asked")
    return dict(told.result)


def _ask_or_error(admin: AdminApi, connection: str, accept_risky: bool) -> str | BaileeError:
    try:
        return _ask(admin, connection, accept_risky)
    except BaileeError as refused:
        return refused


def _result_or_error(
    admin: AdminApi, verifier: AuthorityVerifier, row: dict[str, Any], job: str | BaileeError
) -> dict[str, Any]:
    connection = str(row["connection"])
    try:
        if isinstance(job, BaileeError):
            raise job
        return _result(admin, verifier, connection, job)
    except TrustBroken:
        raise
    except BaileeError as refused:
        return {
            "connection": connection,
            "provider": row["provider"],
            "state": None,
            "cause": refused.code,
            "reason": refused.detail,
        }
