"""`bailee serve` with our own TLS: workers, reload, and the commands that talk to it."""

import json
import signal
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPSConnection
from pathlib import Path

import pytest

import pki
from bailee.cli.wire import Place as CallsPlace
from bailee.cli.wire import Unreachable, shown_certificate
from bailee.reference.pki import World, create_leaf, create_root
from bailee.tls.certificate import describe_der
from integration.supervise.serving import Node, Serving, eventually
from served import Place, Served, call_on, run_place

OWN = World.create(["gate.test", "127.0.0.1"])
CALLERS = create_root("callers")


@contextmanager
def secured(directory: Path, **more: str) -> Iterator[Place]:
    """A vault that serves calls over TLS; its pair is `tls/server.pem` and `.key`."""
    files = OWN.write(directory / "tls")
    environ = {
        "BAILEE_GATEWAY__TLS_CERTIFICATE": str(files.certificate),
        "BAILEE_GATEWAY__TLS_KEY": str(files.key),
    }
    with run_place(directory, environ=environ | more) as place:
        yield place


def ca_of(place: Place) -> Path:
    """The CA that callers trust."""
    return place.house.directory.parent / "tls" / "ca.pem"


def connect(served: Served) -> HTTPSConnection:
    """A client that trusts our CA."""
    context = ssl.create_default_context(cadata=OWN.root.pem.decode())
    return HTTPSConnection("127.0.0.1", served.port, timeout=20, context=context)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A vault that serves calls over TLS, for tests that change nothing of it."""
    with secured(tmp_path_factory.mktemp("served")) as place:
        yield place


def test_commands_work_over_tls(running: Place) -> None:
    """With the configuration alone: the gateway is known by its own certificate's key."""
    served = running.served
    token = {"BAILEE_CALLER_TOKEN": running.token}
    called = served.cli("call", running.connection, "GET", "/x", "-o", "json", **token)
    assert json.loads(called.stdout)["status"] == 200, called
    assert served.cli("healthcheck").returncode == 0
    checks = json.loads(served.cli("doctor", "-o", "json").stdout)
    (check,) = [each for each in checks if each["about"] == "certificate"]
    assert check["level"] in ("ok", "warn")


def test_status_tells_the_pin_and_the_end(running: Place) -> None:
    """As JSON and as a table, of the certificate that is shown."""
    operator = {"BAILEE_TOKEN": running.house.operator_token()}
    status = json.loads(running.served.cli("status", "-o", "json", **operator).stdout)
    assert status["roles"]["gateway"] == "answers"
    assert status["calls_pin"] == OWN.leaf.pin_text
    ends = OWN.leaf.certificate.not_valid_after_utc
    assert status["certificate_ends_at"] == ends.timestamp()
    shown = running.served.cli("status", **operator).stdout
    assert OWN.leaf.pin_text in shown
    assert f"{ends:%Y-%m-%d %H:%M:%S}Z" in shown


def test_pin_print_tells_it_to_applications(running: Place, tmp_path: Path) -> None:
    """It looks at the gateway as at any server of one's own."""
    served = running.served
    words = [f"gate.test:{served.port}", "--address", "127.0.0.1", "--as", "curl"]
    words += ["--ca-file", str(ca_of(running)), "--new-backup-key", str(tmp_path / "spare.key")]
    printed = served.cli("pin", "print", *words)
    assert OWN.leaf.pin_text.replace("sha256/", "sha256//") in printed.stdout, printed


def test_ca_of_the_environment_wants_the_right_name(running: Place) -> None:
    """`BAILEE_CALLS_CA` goes before the pin, and the name that is called must be certified."""
    served, words = running.served, ("call", running.connection, "GET", "/x")
    more = {"BAILEE_CALLER_TOKEN": running.token, "BAILEE_CALLS_CA": str(ca_of(running))}
    right, wrong = (f"https://{host}:{served.port}" for host in ("127.0.0.1", "localhost"))
    assert served.cli(*words, BAILEE_CALLS_URL=right, **more).returncode == 0
    refused = served.cli(*words, BAILEE_CALLS_URL=wrong, **more)
    assert refused.returncode == 1
    assert "TLS failed: certificate verify failed" in refused.stderr
    assert "mismatch" in refused.stderr
    assert running.token not in refused.stderr
    missing = served.cli(*words, BAILEE_CALLS_URL=right, **more | {"BAILEE_CALLS_CA": "absent"})
    assert "BAILEE_CALLS_CA can't be used" in missing.stderr


def test_token_is_not_sent_to_another_key(running: Place, tmp_path: Path) -> None:
    """What listens there with another key is told nothing, and the person is told that."""
    rogue = World.create(["gate.test"]).write(tmp_path)
    other = {"BAILEE_GATEWAY__TLS_CERTIFICATE": str(rogue.certificate)}
    before, words = len(running.origin.heads()), ("call", running.connection, "GET", "/x")
    refused = running.served.cli(*words, BAILEE_CALLER_TOKEN=running.token, **other)
    assert refused.returncode == 1
    assert "it has another key than the certificate of the configuration" in refused.stderr
    health = running.served.cli("healthcheck", **other)
    assert health.returncode == 1
    assert "another key" in health.stdout
    assert len(running.origin.heads()) == before


def test_large_body_passes(running: Place) -> None:
    """Many records to a worker, whose loop is another than that of most tests; then one more."""
    client, path = connect(running.served), f"/{running.connection}/x"
    for body in (bytes(2_000_000), b"small"):
        assert call_on(client, "POST", path, running.token, body).status == 200
    client.close()


def test_plain_http_gets_no_answer_from_a_worker(running: Place) -> None:
    """On the loop that workers run on, too; and a stranger's roots do not judge our CA good."""
    with socket.create_connection(("127.0.0.1", running.served.port), timeout=10) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        with suppress(ConnectionResetError):
            assert plain.recv(1) == b""
    with pytest.raises(Unreachable):
        shown_certificate(CallsPlace("https", "127.0.0.1", running.served.port))


def test_caller_certificate_is_shown_by_the_commands(tmp_path: Path) -> None:
    """Where callers need one, the environment names it, and its absence is told as that."""
    ca = tmp_path / "callers.pem"
    ca.write_bytes(CALLERS.pem)
    certificate, key = pki.client_leaf(CALLERS).write(tmp_path, "caller")
    own = {"BAILEE_CALLS_CERTIFICATE": str(certificate), "BAILEE_CALLS_KEY": str(key)}
    with secured(tmp_path, BAILEE_GATEWAY__TLS_CLIENT_CA=str(ca)) as place:
        token = {"BAILEE_CALLER_TOKEN": place.token}
        words = ("call", place.connection, "GET", "/x")
        assert place.served.cli(*words, **token, **own).returncode == 0
        refused = place.served.cli(*words, **token)
        assert refused.returncode == 1
        assert "set BAILEE_CALLS_CERTIFICATE and BAILEE_CALLS_KEY" in refused.stderr
        wrong = own | {"BAILEE_CALLS_KEY": str(tmp_path / "absent")}
        assert "can't be used" in place.served.cli(*words, **token, **wrong).stderr


def reload(served: Served) -> None:
    """Reload, and wait until the old workers have left."""
    before = served.running("gateway")
    count = len(served.lines("reloaded"))
    served.process.send_signal(signal.SIGHUP)
    served.wait_for("reloaded", count + 1)
    eventually(lambda: not set(before) & set(served.running("gateway")))


def test_reload_reads_the_certificate_anew(tmp_path: Path) -> None:
    """New connections are shown the new one; calls on the way end; a bad pair changes nothing."""
    with secured(tmp_path) as place:
        served, path = place.served, f"/{place.connection}/x"
        client = connect(served)
        assert call_on(client, "GET", path, place.token).status == 200
        renewed = create_leaf(OWN.issuer, ["gate.test", "127.0.0.1"])
        renewed.write(tmp_path / "tls", "server")
        reload(served)
        client.close()
        client = connect(served)
        assert call_on(client, "GET", path, place.token).status == 200
        assert describe_der(client.sock.getpeercert(binary_form=True)).pin == renewed.pin
        (tmp_path / "tls" / "server.key").write_bytes(OWN.leaf.key_pem)
        served.process.send_signal(signal.SIGHUP)
        (refused,) = served.wait_for("reload refused")
        assert "is not the key of gateway.tls_certificate" in refused["reason"]
        assert call_on(client, "GET", path, place.token).status == 200
        client.close()


@pytest.mark.parametrize("case", ["another key", "open to others", "absent"])
def test_serve_refuses_a_pair_that_can_not_be_used(tmp_path: Path, case: str) -> None:
    """It says why, and nothing is started."""
    files = OWN.write(tmp_path)
    if case == "another key":
        files.key.write_bytes(World.create().leaf.key_pem)
    elif case == "open to others":
        files.key.chmod(0o644)
    else:
        files.key.unlink()
    with Serving(Node(tmp_path), environ=named(files.certificate, files.key)) as serving:
        said = serving.refusal()
    assert "bailee: error: gateway.tls_key" in said
    assert "role ready" not in said


def test_serve_starts_with_a_certificate_that_ended(tmp_path: Path) -> None:
    """With a warning that names it: to stop would be worse for callers that only pin."""
    ended = pki.expired_leaf(OWN.issuer, ["gate.test"])
    with Serving(Node(tmp_path), environ=named(*ended.write(tmp_path, "server"))) as serving:
        serving.wait_for("serving")
        (warned,) = serving.lines("look at the certificate for calls")
        assert "it ended on" in warned["why"]


def test_serve_starts_off_loopback_with_tls(tmp_path: Path) -> None:
    """No danger has to be switched on for it."""
    files = OWN.write(tmp_path)
    node = Node(tmp_path)
    environ = named(files.certificate, files.key) | {
        "BAILEE_GATEWAY__LISTEN": f"0.0.0.0:{node.ports[0]}"
    }
    with Serving(node, environ=environ) as serving:
        serving.wait_for("serving")
        assert serving.lines("a switch that weakens") == []


def named(certificate: Path, key: Path) -> dict[str, str]:
    """The environment that names a pair."""
    return {
        "BAILEE_GATEWAY__TLS_CERTIFICATE": str(certificate),
        "BAILEE_GATEWAY__TLS_KEY": str(key),
    }
