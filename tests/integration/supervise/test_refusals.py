"""What keeps a server from starting is said clearly, and nothing is started."""

import socket

import pytest

from integration.supervise.serving import Node, Serving, ask


def test_serve_when_another_serves_the_directory(node: Node) -> None:
    """Two servers on one directory: the second refuses, the first goes on."""
    with Serving(node) as first:
        first.wait_for("serving")
        with Serving(node) as second:
            said = second.refusal()
        assert f"bailee: error: another bailee serves {node.base}\nhint: stop it first" in said
        assert ask(node.ports[0])


@pytest.mark.parametrize(("place", "setting"), [(0, "gateway"), (1, "public"), (2, "admin")])
def test_serve_when_a_port_is_in_use(node: Node, place: int, setting: str) -> None:
    """A taken port is named with the setting that moves it, whatever options its owner has."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", node.ports[place]))
        other.listen()
        with Serving(node) as serving:
            said = serving.refusal()
        assert f"{setting}.listen: port {node.ports[place]} of 127.0.0.1 is in use" in said
        assert f"hint: move it: {setting}.listen in the config" in said
        assert f"BAILEE_{setting.upper()}__LISTEN" in said
        assert "role ready" not in said


def test_serve_when_the_address_is_not_here(node: Node) -> None:
    """An address that the machine does not have is named."""
    environ = {
        "BAILEE_GATEWAY__LISTEN": "192.0.2.1:8700",
        "BAILEE_GATEWAY__DANGER_PLAIN_CALLS": "true",
    }
    with Serving(node, environ=environ) as serving:
        assert "gateway.listen: 192.0.2.1 is not an address of this machine" in serving.refusal()


def test_serve_when_the_config_is_invalid(node: Node) -> None:
    """Faults of the configuration are told before anything starts."""
    with Serving(node, environ={"BAILEE_ADMIN__PORT": "1"}) as serving:
        assert "BAILEE_ADMIN__PORT is not a known setting" in serving.refusal()


def test_serve_when_roles_run_alone(node: Node) -> None:
    """One role runs alone beside other single roles, once each, and not beside all together."""
    with Serving(node, "gateway") as gateway, Serving(node, "admin") as admin:
        gateway.wait_for("serving")
        admin.wait_for("serving")
        assert ask(node.ports[0])["key"] == 32
        assert ask(node.ports[2])["key"] is None
        assert gateway.pids("admin") == set()
        with Serving(node, "admin") as again:
            assert "another bailee serves" in again.refusal()
        with Serving(node) as everything:
            assert "another bailee serves" in everything.refusal()
