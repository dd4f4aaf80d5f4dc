"""Two tenants with the same things each, and tokens of every role: for tests that mix them up."""

import time
from dataclasses import dataclass
from typing import Any

from admin_client import Admin
from bailee.manage import callers, derived, grants, jobs, tokens
from bailee.manage.ids import new_id
from bailee.model import ConnectionId, Provider, Role, TenantId

OURS = TenantId("default")
THEIRS = TenantId("other")


@dataclass(frozen=True, slots=True)
class Things:
    """The ids of what one tenant has: one of each."""

    tenant: str
    subject: str
    connection: str
    caller: str
    caller_token: str
    token: str
    grant: str
    job: str


def unknown_things() -> Things:
    """Ids of the right form that nobody has."""
    return Things(
        tenant="nobody",
        subject="nobody",
        connection=new_id("x").removeprefix("x_"),
        caller=new_id("clr"),
        caller_token="",
        token=new_id("tok"),
        grant=new_id("grt"),
        job=new_id("job"),
    )


def make_things(admin: Admin, provider: Provider, tenant: TenantId) -> Things:
    """Make one of each for a tenant that exists."""
    house, now = admin.house, time.time()
    subject, name = new_id("user"), new_id("app")
    connection = house.add_connection(provider, {"api_key": "canary-key"}, subject, tenant)
    caller = callers.add(house.store, tenant, name, now)
    grant = grants.add(house.store, tenant, name, ConnectionId(connection), ["GET /**"], now)
    operator = tokens.issue_operator(house.store, tenant, "parent", now)
    token = derived.derive(
        house.store, tenant, operator.token.id, name, now, connection=ConnectionId(connection)
    )
    job = jobs.request(house.store, tenant, "learn_pin", {"provider": "api"}, "a", now)
    return Things(
        tenant=tenant,
        subject=subject,
        connection=connection,
        caller=caller.caller.id,
        caller_token=caller.token.text.reveal().decode(),
        token=token.token.id,
        grant=grant.grant.id,
        job=job.id,
    )


def role_token(admin: Admin, role: Role, tenant: TenantId) -> str:
    """A token for the admin API."""
    issued = tokens.issue(admin.house.store, tenant, role, "test", time.time())
    return issued.text.reveal().decode()


def same(first: Any, second: Any) -> bool:
    """Whether two answers can't be told from each other."""
    kept = [
        (answer.status, answer.body, {**answer.headers, "date": ""}) for answer in (first, second)
    ]
    return bool(kept[0] == kept[1])
