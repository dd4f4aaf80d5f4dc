"""Keeper and public as processes: what the one signs, the other shows."""

import base64
import http.client
import time

from bailee.model import Signed
from bailee.vault.statements import verified_feed
from house import House
from integration.supervise.serving import free_ports
from role_process import start_role

SECONDS = 20.0


def read_feed(port: int) -> tuple[int, bytes, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", "/egress/ranges.json")
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers.get("Bailee-Signature", "")
    finally:
        connection.close()


def wait_for(port: int, text: bytes) -> tuple[bytes, str]:
    """Read the feed until it holds a text."""
    deadline = time.monotonic() + SECONDS
    while True:
        status, body, mark = read_feed(port)
        if status == 200 and text in body:
            return body, mark
        assert time.monotonic() < deadline, (status, body)
        time.sleep(0.05)


def test_published_when_the_address_is(house: House) -> None:
    """The keeper signs soon after it starts and after each change; public shows it verified."""
    config = house.write_config(*free_ports(3))
    with (
        start_role("public", config) as public,
        start_role("keeper", config, root_key=house.root, listens=False) as keeper,
    ):
        public.wait_ready()
        keeper.wait_ready()
        wait_for(public.port, b"127.0.0.2/32")
        house.add_egress("b", "203.0.113.7")
        body, mark = wait_for(public.port, b"203.0.113.7/32")
        assert keeper.drain() == 0
        assert keeper.log() == ""
        assert public.drain() == 0
    feed = verified_feed(house.verifier, Signed(body, base64.b64decode(mark)))
    assert [address.public for address in feed.addresses] == ["127.0.0.2", "203.0.113.7"]
