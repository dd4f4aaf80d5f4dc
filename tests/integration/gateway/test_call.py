"""One call, whole: from the allowed address, with the credential placed and the token gone."""

import pytest

from gate import Client, request
from house import SOURCE
from integration.gateway.conftest import CREDENTIAL, Stage

pytestmark = pytest.mark.anyio


async def test_call_is_served_from_the_egress_address(stage: Stage) -> None:
    """The origin sees the promised source, the credential, the path and query, and no token."""
    client = await Client.open(stage.port)
    reply = await client.call(request("GET", f"/{stage.connection}/path?x=1", stage.token))
    assert reply.status == 200
    arrived = stage.origin.arrived[0]
    assert arrived.peer == SOURCE
    assert arrived.request_line == "GET /path?x=1 HTTP/1.1"
    assert arrived.headers["authorization"] == f"Bearer {CREDENTIAL}"
    assert arrived.headers["host"] == f"api.test:{stage.origin.port}"
    assert stage.token.encode() not in arrived.head
    client.close()
