"""What is said of the whole API, in its description and in docs/admin-api.md."""

from typing import Final

ABOUT: Final = """\
JSON in and out, on `admin.listen`. Every request has `Authorization: Bearer` with a token of one of
three roles; each route names those that may use it. Only `/healthz`, `/readyz` and `/openapi.json`
are open to all. Bodies are at most 1 MiB; members that are not listed are refused. Errors are
[problem documents](errors.md). Every change is recorded in the journal before it is made. No route
returns a credential, sealed or not; a token is in the answer that made it and nowhere else.

| role | sees and does |
|---|---|
| `operator` | everything, in every tenant |
| `application` | connections, callers, grants, derived tokens, locks and jobs of its own tenant |
| `auditor` | reads everything, changes nothing |

Callers' tokens are for calls and get nothing here. A request is about the tenant of its token;
operators and auditors choose another with the header `Bailee-Tenant` or the query parameter
`tenant`. For exposure, the list of locks and revocations it may be `*`, all tenants at once. What
belongs to another tenant is answered as what does not exist.

**Lists** are paged: `limit` is 1 to 1000, by default 100, and `next` of one page is `after` of the
following; null on the last. Times are Unix seconds.

**What was read.** Every GET has an `ETag`. Sent back in `If-None-Match`, it is answered with 304
while nothing has changed. A change of one thing that sends it in `If-Match` is made only if the
thing is still as it was read, else 412 `precondition-failed`. The comparison and the change are one
step for all who use this process.

**Repetitions.** A POST may have an `Idempotency-Key`, 1 to 128 printable characters of ASCII. The
same request of the same token with the same key is answered from what was kept, for a day, with
`Bailee-Repeated: true`; another one with that key is refused (`key-reused`). What was refused may
come again. If the first one has no answer yet, because it is under way or its process died, the
repetition is refused (`request-under-way`) and nothing is done twice. An answer that held a token
is not kept: its repetition is told the token's id (`token-shown-once`).

**Slow work** needs the root key or a socket to a provider, and is the keeper's: 202 with a job,
`Location` names it, and `GET /v1/jobs/{job}?wait=20` waits for its end.

A *statement* is what the authority signed, on the host with the root key: `payload` and
`signature`, in base64. The admin API verifies and stores it, and can't make one.

`/metrics` is for Prometheus, with a token of the role `auditor` (`authorization: {credentials_file:
...}` in its configuration). No label names a tenant, a subject, a caller or an id.
"""
