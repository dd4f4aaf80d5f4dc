"""The reference API over real TLS, asked from several addresses of this machine."""

import hashlib
import json
import re
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from bailee.reference.streams import pseudo_random_sha256
from reference_server import PROXY, SERVE, Api, environment, start_api

ALLOWED, FOREIGN = "127.0.0.2", "127.0.0.3"
ROUTES = [
    ("GET", "/v1/balance"),
    ("POST", "/v1/orders"),
    ("GET", "/v1/orders"),
    ("POST", "/v1/withdrawals"),
    ("GET", "/v1/echo"),
    ("POST", "/v1/echo"),
    ("PUT", "/v1/echo"),
    ("GET", "/v1/stream?chunks=1"),
    ("GET", "/v1/bytes?count=1"),
    ("POST", "/v1/sink"),
]
FORGED = [
    {"X-Forwarded-For": ALLOWED},
    {"X-Forwarded-For": f"{ALLOWED}, {ALLOWED}"},
    {"Forwarded": f"for={ALLOWED};proto=https;by={ALLOWED}"},
    {"X-Real-IP": ALLOWED},
    {"X-Client-IP": ALLOWED, "True-Client-IP": ALLOWED, "CF-Connecting-IP": ALLOWED},
    {"X-Forwarded-Host": ALLOWED, "Host": ALLOWED, "X-Forwarded-Proto": "https"},
]


def test_serves_the_allowed_address(api: Api) -> None:
    """A key serves from an address on its allowlist, and the peer is seen as it is."""
    key = api.make_key([ALLOWED])
    assert api.ask("GET", "/v1/balance", key).json["balances"]["EUR"] == "1000.00"
    assert api.ask("GET", "/v1/echo?a=1", key).json["peer"] == ALLOWED


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_refuses_a_foreign_address(api: Api, method: str, path: str) -> None:
    """The same key is refused from another address, on every route that needs a key."""
    key = api.make_key([ALLOWED])
    refused = api.ask(method, path, key, {} if method != "GET" else None, source=FOREIGN)
    assert refused.status == 403
    error = refused.json["error"]
    assert error["code"] == "address_not_allowed"
    assert "address 127.0.0.3 is not on this key's allowlist" in error["message"]


@pytest.mark.parametrize("headers", FORGED, ids=lambda headers: next(iter(headers)))
@pytest.mark.parametrize("source", [FOREIGN, "127.0.0.1"])
def test_forged_header_does_not_help(api: Api, headers: dict[str, str], source: str) -> None:
    """Nothing that a client writes makes it another, not even from 127.0.0.1."""
    key = api.make_key([ALLOWED])
    assert api.ask("GET", "/v1/balance", key, source=source, headers=headers).status == 403


@pytest.mark.parametrize("headers", FORGED, ids=lambda headers: next(iter(headers)))
def test_forged_header_does_not_help_beside_a_proxy(
    proxied_api: Api, headers: dict[str, str]
) -> None:
    """Where a front proxy is configured, who is not that proxy still can't say who it is."""
    key = proxied_api.make_key([ALLOWED])
    for source in (FOREIGN, "127.0.0.1", "127.0.0.8"):
        refused = proxied_api.ask("GET", "/v1/balance", key, source=source, headers=headers)
        assert refused.status == 403


def test_front_proxy_names_the_client(proxied_api: Api) -> None:
    """The proxy's right-most entry decides; what the client wrote left of it does not."""
    key = proxied_api.make_key([ALLOWED])

    def status(forwarded: str | None) -> int:
        headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
        return proxied_api.ask("GET", "/v1/balance", key, source=PROXY, headers=headers).status

    assert status(ALLOWED) == 200
    assert status(f"{FOREIGN}, {ALLOWED}") == 200
    assert status(f"{ALLOWED}, {FOREIGN}") == 403
    assert status(None) == 403


def test_network_in_an_allowlist(api: Api) -> None:
    """CIDR entries count."""
    key = api.make_key(["127.0.0.0/30"])
    assert api.ask("GET", "/v1/balance", key, source="127.0.0.3").status == 200
    assert api.ask("GET", "/v1/balance", key, source="127.0.0.4").status == 403


def test_ipv6_peer(api_on_ipv6: Api) -> None:
    """An IPv6 peer is admitted by an IPv6 entry, and by no IPv4 one."""
    for allow, status in ((["::1"], 200), (["::/64"], 200), (["::2"], 403), (["0.0.0.0/0"], 403)):
        key = api_on_ipv6.make_key(allow)
        assert api_on_ipv6.ask("GET", "/v1/balance", key, source="::1").status == status


def test_bad_key_is_refused_from_anywhere(api: Api) -> None:
    """An unknown key is 401, whichever address it comes from."""
    for source in (ALLOWED, FOREIGN):
        refused = api.ask("GET", "/v1/balance", "wrong", source=source)
        assert refused.status == 401
        assert refused.json["error"]["code"] == "invalid_key"


def test_kept_connection_is_judged_at_each_request(api: Api) -> None:
    """A refusal does not end the connection, and being served does not vouch for the next key."""
    allowed, foreign = api.make_key([ALLOWED]), api.make_key([FOREIGN])
    connection = api.connect(ALLOWED)
    statuses = []
    for key in (allowed, foreign, allowed, foreign):
        headers = {"Authorization": f"Bearer {key}"}
        connection.request("POST", "/v1/sink", b"x" * 200_000, headers)
        answer = connection.getresponse()
        answer.read()
        statuses.append(answer.status)
    connection.close()
    assert statuses == [200, 403, 200, 403]


def test_counters_tell_served_from_refused(api: Api) -> None:
    """Each request shows in the counters as soon as its answer is there."""
    key = api.make_key([ALLOWED])
    before = api.ask("GET", "/counters").json
    api.ask("GET", "/v1/balance", key)
    api.ask("GET", "/v1/balance", key, source=FOREIGN)
    api.ask("GET", "/v1/balance", key, source=FOREIGN)
    api.ask("GET", "/v1/balance", "wrong")
    after = api.ask("GET", "/counters").json
    changed = {name: after[name] - before[name] for name in after if after[name] != before[name]}
    assert changed == {"served": 1, "refused_address": 2, "refused_key": 1}


def test_stream_is_chunked(api: Api) -> None:
    """A stream comes in chunks, and is whole."""
    streamed = api.ask("GET", "/v1/stream?chunks=5&bytes=1000&delay=1", api.make_key(None))
    assert streamed.headers["transfer-encoding"] == "chunked"
    assert len(streamed.body) == 5000
    assert re.findall(rb"\d{8}", streamed.body) == [b"%08d" % number for number in range(5)]


@pytest.mark.parametrize("query", ["chunks=-1", "bytes=1048577", "delay=60001", "chunks=x"])
def test_stream_has_bounds(api: Api, query: str) -> None:
    """What would never end is refused."""
    assert api.ask("GET", f"/v1/stream?{query}", api.make_key(None)).status == 400


def test_bytes_and_sink_keep_memory_flat(api: Api) -> None:
    """64 MiB in each direction: the digests fit, and the server grows by less than 16 MiB."""
    count = 64 * 1024**2
    headers = {"Authorization": f"Bearer {api.make_key(None)}"}
    before = _resident_bytes(api)
    connection = api.connect(ALLOWED)
    connection.request("GET", f"/v1/bytes?count={count}", headers=headers)
    answer, digest = connection.getresponse(), hashlib.sha256()
    assert answer.headers["Content-Length"] == str(count)
    while piece := answer.read(1024**2):
        digest.update(piece)
    assert digest.hexdigest() == pseudo_random_sha256(count)
    body = (bytes(1024**2) for _ in range(64))
    length = {**headers, "Content-Length": str(count)}
    connection.request("POST", "/v1/sink", body, length)
    sink = json.loads(connection.getresponse().read())
    connection.close()
    zeros = hashlib.sha256()
    for _ in range(64):
        zeros.update(bytes(1024**2))
    assert sink == {"length": count, "sha256": zeros.hexdigest()}
    assert _resident_bytes(api) - before < 16 * 1024**2


def test_clients_that_leave_end_their_streams(tmp_path: Path) -> None:
    """Who leaves in the middle of 16 GiB stops it: a server that still worked would not drain."""
    with start_api(tmp_path) as api:  # wants a clean end
        headers = {"Authorization": f"Bearer {api.make_key(None)}"}
        for _ in range(4):
            connection = api.connect(ALLOWED)
            connection.request("GET", f"/v1/bytes?count={16 * 1024**3}", headers=headers)
            answer = connection.getresponse()
            assert len(answer.read(1024)) == 1024
            answer.close()
            connection.close()
        assert api.ask("GET", "/health").json == {"status": "ok"}


def test_tls_is_1_3_alone(api: Api) -> None:
    """TLS 1.2 is not spoken."""
    trust = ssl.create_default_context(cafile=str(api.files.ca))
    with (
        socket.create_connection((api.host, api.port)) as plain,
        trust.wrap_socket(plain, server_hostname="api.test") as stream,
    ):
        assert stream.version() == "TLSv1.3"
    trust.maximum_version = ssl.TLSVersion.TLSv1_2
    with (
        socket.create_connection((api.host, api.port)) as plain,
        pytest.raises(ssl.SSLError),
    ):
        trust.wrap_socket(plain, server_hostname="api.test")


def test_logs_nothing_of_a_request(tmp_path: Path) -> None:
    """Whatever is asked, the server writes nothing: heads hold keys."""
    with start_api(tmp_path) as api:  # looks at stderr at its end
        key = api.make_key([ALLOWED])
        for path in ("/v1/balance", "/v1/nothing", f"/v1/echo?key={key}"):
            for source in (ALLOWED, FOREIGN):
                api.ask("GET", path, key, source=source)
        trust = ssl.create_default_context(cafile=str(api.files.ca))
        with (
            socket.create_connection((api.host, api.port)) as plain,
            trust.wrap_socket(plain, server_hostname="api.test") as stream,
        ):
            stream.sendall(f"GET / HTTP/1.1\r\n{key} : x\r\n\r\n".encode())
            assert stream.recv(1024).startswith(b"HTTP/1.1 400 ")
        assert api.process.poll() is None


@pytest.mark.parametrize("host", ["api.test", "127.0.0.1"])
def test_refuses_to_start_where_it_cannot_listen(api: Api, host: str) -> None:
    """A name, or a port in use, is refused before anything is announced."""
    files = [str(api.files.certificate), str(api.files.key)]
    command = [sys.executable, "-c", SERVE, host, str(api.port), *files]
    tried = subprocess.run(
        command, capture_output=True, text=True, timeout=30, check=False, env=environment()
    )
    assert tried.returncode != 0
    assert tried.stdout == ""
    assert "StartRefused" in tried.stderr


def _resident_bytes(api: Api) -> int:
    status = Path(f"/proc/{api.process.pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) * 1024
