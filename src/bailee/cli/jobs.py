"""Jobs as the commands use them: wait for the keeper, and believe only what it signed."""

import time
from base64 import b64decode
from collections.abc import Mapping
from typing import Any

from bailee.cli.admin_api import AdminApi, named_error, segment
from bailee.errors import Conflict, TrustBroken
from bailee.model import JobId
from bailee.vault.authority import AuthorityVerifier
from bailee.vault.statements import JobResult, rebuilt_job_result, verified_job_result

WAIT_SECONDS = 20
DEADLINE_SECONDS = 90.0


def await_job(admin: AdminApi, id: str) -> dict[str, Any]:
    """Wait for the end of a job, for at most 90 seconds.

    Raises:
        BaileeError: Why the keeper could not do it, or what the admin API answered.
        Conflict: No keeper did it in time.
    """
    deadline = time.monotonic() + DEADLINE_SECONDS
    path = f"/v1/jobs/{segment(id)}"
    while time.monotonic() < deadline:
        job: dict[str, Any] = admin.read(path, {"wait": WAIT_SECONDS}, WAIT_SECONDS + 15.0)
        if job["state"] == "failed":
            raise named_error(job.get("error") or {})
        if job["state"] == "done":
            return job
    raise Conflict(
        f"no keeper did the job within {DEADLINE_SECONDS:g} seconds",
        "does a keeper run that can dial from the egress address? see 'bailee doctor'",
    )


def signed_result(verifier: AuthorityVerifier, job: Mapping[str, Any]) -> JobResult:
    """Return what the keeper signed for a job that is done; the caller compares the question.

    Raises:
        TrustBroken: It is not signed by the authority, or not for this job.
    """
    try:
        mark = b64decode(job["result_signature"], validate=True)
        signed = rebuilt_job_result(
            JobId(job["id"]), job["kind"], job["arguments"], job["result"], mark
        )
    except (KeyError, TypeError, ValueError):
        raise TrustBroken("the job's result is not signed, or can't be read") from None
    return verified_job_result(verifier, signed, expected=JobId(job["id"]))
