"""`gateway.calls_domain` of the configuration reaches the worker that carries calls."""

import http.client
import socket

import pytest

from bailee.model import Pin
from house import make_provider
from integration.app.conftest import Installation
from providers_samples import CA
from role_process import start_role


@pytest.mark.parametrize(
    ("domain", "code"),
    [("calls.test", "provider-unreachable"), ("", "connection-not-found")],
)
def test_host_names_the_connection_where_a_domain_is_set(
    installation: Installation, domain: str, code: str
) -> None:
    """With it the call is dialled (nobody listens there); without it the path names nothing."""
    house, config = installation.house, installation.config
    line = f'[gateway]\ncalls_domain = "{domain}"\n'
    config.write_text(config.read_text().replace("[gateway]\n", line))
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        provider = make_provider(silent.getsockname()[1], CA)
        house.approve_provider(provider)
        house.approve_pins(provider.id, [Pin(bytes(32))])
        connection = house.add_connection(provider, {"api_key": "canary"})
        headers = {"Host": f"{connection}.calls.test", "Bailee-Token": house.add_caller()}
        house.grant(connection, "GET /v1/**")
        with start_role("gateway", config, root_key=house.root) as process:
            process.wait_ready()
            client = http.client.HTTPConnection("127.0.0.1", process.port, timeout=20)
            client.request("GET", "/v1/x", headers=headers)
            assert client.getresponse().getheader("Bailee-Error") == code
            client.close()
