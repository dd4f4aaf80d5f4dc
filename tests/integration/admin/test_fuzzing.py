"""What schemathesis makes of the description is answered as the description says.

Requests that fit it and requests that do not, with a token of each role, over real sockets. Ids of
things that are there are put into half of the paths, so that more is reached than what is unknown.
"""

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    missing_required_header,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from admin_client import Admin, run_admin
from bailee.admin.api.app import build_api
from bailee.model import Role
from bailee.reference.pki import World
from house import build_house, make_provider
from tenants import OURS, Things, make_things, role_token

DESCRIBED = build_api(None).openapi()
SCHEMA = schemathesis.openapi.from_dict(
    # The token is ours to send: schemathesis would make up others.
    {name: it for name, it in DESCRIBED.items() if name != "security"}
)
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    missing_required_header,
    unsupported_method,
    allow_header_conformance,
]
EXAMPLES = {Role.OPERATOR: 5, Role.APPLICATION: 3, Role.AUDITOR: 2}
DROPPED = ("Bailee-Tenant", "If-Match", "Idempotency-Key")
"""Headers that would end most requests before they reach anything; other tests are about them."""


class Target:
    """An admin API, what is in it, and a client for each role."""

    def __init__(self, admin: Admin, things: Things) -> None:
        self.url = f"http://127.0.0.1:{admin.port}"
        self.tokens = {role: role_token(admin, role, OURS) for role in EXAMPLES}
        self.things = things
        self.session = requests.Session()
        self.session.trust_env = False
        self.requests = count()
        self.statuses: set[int] = set()

    def send(self, case: schemathesis.Case, role: Role) -> None:
        """Send a case, and look at the answer."""
        for name in DROPPED:
            case.headers.pop(name, None)
        if case.query.get("wait"):
            case.query["wait"] = 0.01  # nobody does the job that it waits for
        if next(self.requests) % 2:
            known: dict[str, Any] = {"provider": "api", "tenant_id": OURS}
            for name in case.path_parameters:
                case.path_parameters[name] = known.get(name) or getattr(self.things, name)
        answer = case.call(
            base_url=self.url,
            session=self.session,
            headers={"Authorization": f"Bearer {self.tokens[role]}"},
        )
        case.validate_response(answer, checks=list(CHECKS))
        self.statuses.add(answer.status_code)


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A vault that has one of each thing."""
    provider = make_provider(8443, World.create(["api.test"]).root.pem.decode())
    house = build_house(tmp_path_factory.mktemp("fuzzing") / "vault")
    house.approve_provider(provider)
    with run_admin(house) as running:
        made = Target(running, make_things(running, provider, OURS))
        yield made
        made.session.close()
    house.store.close()


@pytest.mark.parametrize("role", list(EXAMPLES), ids=str)
def test_operations_when_role_is(target: Target, role: Role) -> None:
    """No request makes a fault of ours, and every answer has a form that was described."""
    for found in SCHEMA.get_all_operations():
        operation = found.ok()
        if role not in operation.definition.raw["x-bailee-roles"]:
            continue  # refused whatever is sent: test_roles.py

        @settings(
            max_examples=EXAMPLES[role],
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=st.one_of(*(operation.as_strategy(mode) for mode in GenerationMode)))
        def run(case: schemathesis.Case) -> None:
            target.send(case, role)

        run()
    assert {200, 404, 422} <= target.statuses
