"""Paths with many meanings: refused unless a grant names what in the body (R52)."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bailee.manage import grants
from bailee.model import DEFAULT_TENANT, GrantId
from bailee.reference.pki import World
from gate import Client, Reply, request
from house import build_house
from integration.gateway.conftest import Stage
from integration.gateway.staging import call, journal, staged, until
from integration.gateway.tampering import Held, held_up
from integration.gateway.test_scopes import derive
from origin import Arrived, answer, run_origin

pytestmark = pytest.mark.anyio

RPC = 'POST /rpc body $.method in ["eth_getBalance", "eth_call"]'
GRAPHQL = 'POST /graphql body $.operationName = "Balance"'
ORDERS = 'POST /orders body $.side = "buy" and $.size = 1'
RULES = ("* /**", RPC, GRAPHQL)
"""The rule over everything adds nothing where a path has many meanings."""
JSON = {"Content-Type": "application/json"}
CALL = b'{"jsonrpc":"2.0","id":1,"method":"eth_call","params":[ ]}'
EVIL = b'{"jsonrpc":"2.0","id":1,"method":"eth_sendTransaction","params":[]}'
SIGNED_HEADERS = """
scheme = "template"
secret = "secret"
nonce = "monotonic"
nonce_unit = "ms"
message = "{nonce}{path}"
algorithm = "hmac-sha256"
secret_as = "text"
signature_as = "hex"
[[auth.put]]
header = "X-Sign"
value = "{nonce}.{signature}"
[[auth.put]]
header = "X-Key"
value = "{api_key}"
"""
SIGNED_BODY = SIGNED_HEADERS.replace("{nonce}{path}", "{nonce}{path}{body}")


@pytest.fixture
async def stage(tmp_path: Path, world: World) -> AsyncIterator[Stage]:
    """A caller that may do everything by path, and some things by body."""
    async with staged(tmp_path, world, rules=RULES) as made:
        yield made


async def post(stage: Stage, body: bytes, path: str = "/rpc", **more: Any) -> Reply:
    """Send one body as JSON."""
    more.setdefault("exact", JSON)
    return await call(stage, "POST", path, body, **more)


def chunked(stage: Stage, *pieces: bytes, path: str = "/rpc", last: bool = True) -> bytes:
    """A chunked request."""
    head = request(
        "POST",
        f"/{stage.connection}{path}",
        stage.token,
        Content_Type="application/json",
        Transfer_Encoding="chunked",
    )
    body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return head + body + (b"0\r\n\r\n" if last else b"")


def refused(stage: Stage, reply: Reply) -> bool:
    """Whether a call was denied, recorded so where it was recorded, and nothing left."""
    if (reply.status, reply.headers["bailee-error"]) != (403, "denied"):
        return False
    assert json.loads(reply.body)["reached"] == "nothing"
    assert stage.origin.arrived == []
    assert stage.origin.connections == 0
    outcomes = journal(stage, "outcome")
    assert all((o["error"], o["reached"]) == ("denied", "nothing") for o in outcomes)
    assert len(outcomes) == len(journal(stage, "intent"))
    return True


# --- what is let through ---


async def test_json_rpc_is_let_through_by_its_method(stage: Stage) -> None:
    """The body arrives as it was sent, byte for byte."""
    for body in (CALL, b' {"id":1,  "m\\u0065thod":"eth_getBalance"}\n'):
        assert (await post(stage, body)).status == 200
        arrived = stage.origin.arrived[-1]
        assert arrived.body == body
        assert arrived.headers["content-length"] == str(len(body))
        assert arrived.headers["content-type"] == "application/json"


async def test_json_rpc_is_denied_by_its_method(stage: Stage) -> None:
    """The call is recorded, closed as denied, and nothing was dialled."""
    assert refused(stage, await post(stage, EVIL))
    assert [each["path"] for each in journal(stage, "intent")] == ["/rpc"]


async def test_every_call_of_a_batch_must_be_allowed(stage: Stage) -> None:
    """One that is not denies the batch; so does a batch of nothing."""
    for body in (b"[]", b"[%b,%b]" % (CALL, EVIL), b"[%b,%b]" % (EVIL, CALL), b"[[%b]]" % CALL):
        assert refused(stage, await post(stage, body))
    assert (await post(stage, b"[%b, %b]" % (CALL, CALL))).status == 200
    assert stage.origin.arrived[0].body == b"[%b, %b]" % (CALL, CALL)


async def test_graphql_is_let_through_by_what_the_grant_names(stage: Stage) -> None:
    """Another operation, or none, is denied."""
    query = b'"query":"query Balance { balance }"'
    for named in (b"", b'"operationName":"Withdraw",', b'"operationName":null,'):
        assert refused(stage, await post(stage, b"{%b%b}" % (named, query), "/graphql"))
    body = b'{"operationName":"Balance",%b}' % query
    assert (await post(stage, body, "/graphql")).status == 200


async def test_path_with_many_meanings_is_refused_without_a_rule_about_its_body(
    tmp_path: Path, world: World
) -> None:
    """A rule by path alone grants it to nobody, whatever the body says."""
    async with staged(tmp_path, world, rules=("* /**", "POST /rpc", GRAPHQL)) as stage:
        assert refused(stage, await post(stage, CALL))
        assert refused(stage, await call(stage, "GET", "/graphql"))
        assert journal(stage, "intent") == []


async def test_deny_has_the_last_word(tmp_path: Path, world: World) -> None:
    """What the provider denies no body makes right."""
    more = '[[deny]]\nrule = "POST /rpc"\n[[multiplexed]]\nrule = "POST /rpc"'
    async with staged(tmp_path, world, rules=RULES, more=more) as stage:
        assert refused(stage, await post(stage, CALL))


async def test_other_paths_are_judged_where_no_plain_rule_allows_them(
    tmp_path: Path, world: World
) -> None:
    """A grant may name what in the body of any path; all of its conditions must hold."""
    async with staged(tmp_path, world, rules=("GET /**", ORDERS)) as stage:
        for body in (b'{"side":"sell","size":1}', b'{"side":"buy","size":2}', b'{"side":"buy"}'):
            assert refused(stage, await post(stage, body, "/orders"))
        assert (await post(stage, b'{"side":"buy","size":1}', "/orders")).status == 200
        assert (await call(stage, "GET", "/orders?any=1")).status == 200


# --- what could be read in two ways ---

TWO_WAYS = {
    "a name twice": b'{"method":"eth_call","method":"eth_sendTransaction"}',
    "a name in two cases": b'{"method":"eth_call","Method":"eth_sendTransaction"}',
    "another name twice": b'{"method":"eth_call","id":1,"id":2}',
    "bad UTF-8": b'{"method":"eth_call","id":"\xff"}',
    "NaN": b'{"method":"eth_call","id":NaN}',
    "two documents": CALL + EVIL,
    "no JSON": b"method=eth_call",
}
HEADS = {
    "no type": {},
    "another type": {"Content-Type": "text/plain"},
    "a form": {"Content-Type": "application/x-www-form-urlencoded"},
    "another charset": {"Content-Type": "application/json; charset=utf-7"},
    "two charsets": {"Content-Type": "application/json; charset=utf-8; charset=utf-7"},
    "two types in one": {"Content-Type": "application/json, text/plain"},
    "a coding": {**JSON, "Content-Encoding": "gzip"},
    "a coding that does nothing": {**JSON, "Content-Encoding": "identity"},
}


@pytest.mark.parametrize("case", TWO_WAYS)
async def test_body_is_denied_when_it_could_be_read_in_two_ways(stage: Stage, case: str) -> None:
    """Nothing of it leaves."""
    assert refused(stage, await post(stage, TWO_WAYS[case]))


@pytest.mark.parametrize("case", HEADS)
async def test_body_is_denied_when_its_head_says_something_else(stage: Stage, case: str) -> None:
    """It is not recorded, and its body need not be sent."""
    assert refused(stage, await post(stage, CALL, exact=HEADS[case]))
    assert journal(stage, "intent") == []


@pytest.mark.parametrize(
    "kind",
    ["application/json", "Application/JSON;charset=UTF-8", 'application/json; charset="utf-8"'],
)
async def test_body_is_judged_when_it_is_said_to_be_json(stage: Stage, kind: str) -> None:
    """In any letters, with the one charset that JSON has."""
    assert (await post(stage, CALL, exact={"Content-Type": kind})).status == 200


async def test_query_beside_a_judged_body_is_denied(stage: Stage) -> None:
    """GraphQL servers let `?query=` and `?operationName=` win over the body."""
    body = b'{"operationName":"Balance"}'
    assert refused(stage, await post(stage, body, "/graphql?query=mutation{withdraw}"))
    assert journal(stage, "intent") == []
    assert (await post(stage, body, "/graphql?")).status == 200


async def test_request_without_a_body_is_denied_each_time(stage: Stage) -> None:
    """Also where the same bytes come again and again on one connection."""
    client = await Client.open(stage.port)
    for body in (None, b""):
        target = f"/{stage.connection}/rpc"
        raw = request("POST", target, stage.token, body, Content_Type="application/json")
        for _ in range(3):
            assert refused(stage, await client.call(raw))
    client.close()
    assert stage.gate.snapshot.heads == {}
    assert refused(stage, await call(stage, "GET", "/rpc"))


# --- how it comes and leaves ---


async def test_chunked_body_is_held_until_it_is_whole(stage: Stage) -> None:
    """Nothing leaves before its last chunk; then all that came does, and a denied one never."""
    for end, status in ((CALL[30:], 200), (EVIL[30:], 403)):
        body = CALL[:30] if status == 200 else EVIL[:30]
        client = await Client.open(stage.port)
        seen = stage.origin.plain_bytes
        await client.send(chunked(stage, body[:7], body[7:], last=False))
        await until(lambda: any(each._inbound.waiting == 30 for each in stage.gate.line.calls))
        assert (stage.origin.plain_bytes, len(stage.origin.arrived)) == (seen, int(seen > 0))
        await client.send(b"%x\r\n%b\r\n0\r\n\r\n" % (len(end), end))
        assert (await client.reply()).status == status
        client.close()
    (arrived,) = stage.origin.arrived
    assert arrived.body == CALL
    assert arrived.headers["transfer-encoding"] == "chunked"
    assert "content-length" not in arrived.headers


async def test_bodies_in_a_row_are_judged_one_by_one(stage: Stage) -> None:
    """Pipelined on one connection: a denied one between two others, and each is answered."""
    client = await Client.open(stage.port)
    await client.send(chunked(stage, CALL) + chunked(stage, EVIL) + chunked(stage, CALL))
    assert [(await client.reply()).status for _ in range(3)] == [200, 403, 200]
    client.close()
    assert [each.body for each in stage.origin.arrived] == [CALL, CALL]


async def test_client_that_waits_to_be_asked_is_asked_once(stage: Stage) -> None:
    """100-continue before the body is judged, and not again when it is sent."""
    client = await Client.open(stage.port)
    head = request(
        "POST",
        f"/{stage.connection}/rpc",
        stage.token,
        Content_Type="application/json",
        Content_Length=len(CALL),
        Expect="100-continue",
    )
    await client.send(head)
    asked = b"HTTP/1.1 100 Continue\r\n\r\n"
    assert await asyncio.wait_for(client.reader.readexactly(len(asked)), 5) == asked
    await client.send(CALL[:9])
    await until(lambda: any(each._inbound.waiting == 9 for each in stage.gate.line.calls))
    await client.send(CALL[9:])
    assert (await asyncio.wait_for(client.reader.readline(), 5)).startswith(b"HTTP/1.1 200")
    client.close()


@pytest.mark.parametrize("as_chunks", [False, True])
async def test_body_over_the_limit_is_refused(
    tmp_path: Path, world: World, as_chunks: bool
) -> None:
    """413, whether the length was told or not; a body of just the limit passes."""
    async with staged(tmp_path, world, rules=RULES, held_body_bytes=1000) as stage:
        for size, status in ((1001, 413), (1000, 200)):
            body = CALL.replace(b"[ ]", b"[" + b" " * (size - len(CALL) + 1) + b"]")
            assert len(body) == size
            client = await Client.open(stage.port)
            target = f"/{stage.connection}/rpc"
            raw = request("POST", target, stage.token, body, Content_Type="application/json")
            reply = await client.call(chunked(stage, body) if as_chunks else raw)
            assert reply.status == status
            assert len(stage.origin.arrived) == (status == 200)
            client.close()


@pytest.mark.parametrize("auth", [SIGNED_HEADERS, SIGNED_BODY])
@pytest.mark.parametrize("as_chunks", [False, True])
async def test_signed_call_is_judged_before_it_is_signed(
    tmp_path: Path, world: World, auth: str, as_chunks: bool
) -> None:
    """A denied one takes no nonce; what is let through is sent as it came."""
    secret = {"api_key": "canary-key", "secret": "canary-secret"}
    async with staged(tmp_path, world, rules=RULES, auth=auth, credential=secret) as stage:
        for body, status in ((EVIL, 403), (CALL, 200)):
            client = await Client.open(stage.port)
            target = f"/{stage.connection}/rpc"
            raw = request("POST", target, stage.token, body, Content_Type="application/json")
            reply = await client.call(chunked(stage, body) if as_chunks else raw)
            assert reply.status == status or refused(stage, reply)
            client.close()
        (arrived,) = stage.origin.arrived
        assert arrived.body == CALL
        assert arrived.headers["x-sign"].partition(".")[2]


async def test_derived_token_is_held_to_the_rules_about_bodies(stage: Stage) -> None:
    """It is for no more than its caller."""
    token = derive(stage, subject="u1", methods=["POST"])
    assert refused(stage, await post(stage, EVIL, token=token))
    assert (await post(stage, CALL, token=token)).status == 200
    getting = derive(stage, subject="u1", methods=["GET"])
    assert (await post(stage, CALL, token=getting)).status == 403


# --- when the grants change meanwhile ---


def change(stage: Stage, *rules: str) -> None:
    """Replace all grants of the caller, and let the gateway see it."""
    store, now = stage.house.store, time.time()
    old: list[GrantId] = [each.grant.id for each in grants.page(store, DEFAULT_TENANT)]
    if rules:
        grants.add(store, DEFAULT_TENANT, "app", stage.connection, rules, now)
    for each in old:
        grants.revoke(store, DEFAULT_TENANT, each, now)
    stage.gate.snapshot.refresh()


@asynccontextmanager
async def dialling(directory: Path, world: World) -> AsyncIterator[Held]:
    """A stage whose origin shakes hands when it is told to; one call to `/p` waits for it."""
    house = build_house(directory / "vault")
    async with run_origin(world.leaf) as origin, held_up(house, origin, world) as held:
        yield held
    house.store.close()


NARROWER = 'POST /rpc body $.method = "eth_getBalance"'
WIDER = 'POST /rpc body $.method in ["eth_call", "eth_sendTransaction"]'


@pytest.mark.parametrize(("after", "status"), [(NARROWER, 403), (WIDER, 200), ("GET /", 403)])
async def test_body_under_way_is_judged_by_the_rules_at_its_end(
    stage: Stage, after: str, status: int
) -> None:
    """They changed while it came in."""
    client = await Client.open(stage.port)
    await client.send(chunked(stage, CALL[:20], last=False))
    await until(lambda: bool(stage.gate.line.calls))
    change(stage, after)
    await client.send(b"%x\r\n%b\r\n0\r\n\r\n" % (len(CALL) - 20, CALL[20:]))
    assert (await client.reply()).status == status
    client.close()
    assert len(stage.origin.arrived) == (status == 200)


@pytest.mark.parametrize(
    ("before", "after", "status"),
    [
        (RPC, NARROWER, 403),
        (RPC, WIDER, 200),
        ("POST /orders", ORDERS, 403),
        ("POST /orders", 'POST /orders body $.method = "eth_call"', 200),
        (ORDERS.replace('$.side = "buy" and $.size', "$.id"), "POST /orders", 200),
    ],
)
async def test_judged_call_is_judged_again_while_nothing_of_it_was_sent(
    tmp_path: Path, world: World, before: str, after: str, status: int
) -> None:
    """The rules changed while its stream was being dialled."""
    path = before.split()[1]
    async with dialling(tmp_path, world) as held:
        stage = held.stage
        change(stage, "POST /p", before)
        client = await Client.open(stage.port)
        target = f"/{stage.connection}{path}"
        raw = request("POST", target, stage.token, CALL, Content_Type="application/json")
        await client.send(raw)
        await until(lambda: sum(each._dialling is not None for each in stage.gate.line.calls) == 2)
        change(stage, "POST /p", after)
        held.release.set()
        assert (await client.reply()).status == status
        assert (await held.client.reply()).status == 200
        client.close()
        assert len(stage.origin.arrived) == 1 + (status == 200)


async def test_call_whose_body_can_not_be_judged_any_more_is_not_sent(
    tmp_path: Path, world: World
) -> None:
    """It was let through whatever its body, which is not whole yet: ask again."""
    async with dialling(tmp_path, world) as held:
        stage = held.stage
        client = await Client.open(stage.port)
        await client.send(chunked(stage, CALL[:20], path="/orders", last=False))
        await until(lambda: sum(each._dialling is not None for each in stage.gate.line.calls) == 2)
        change(stage, "POST /p", ORDERS)
        reply = await client.reply()
        assert (reply.status, reply.headers["bailee-error"]) == (503, "route-changed")
        client.close()
        held.release.set()
        assert (await held.client.reply()).status == 200
        assert len(stage.origin.arrived) == 1


@pytest.mark.parametrize(
    ("after", "is_cut"), [((RPC, GRAPHQL), False), (("POST /rpc",), True), ((NARROWER,), True)]
)
async def test_sent_call_is_cut_when_what_let_its_body_through_is_gone(
    tmp_path: Path, world: World, after: tuple[str, ...], is_cut: bool
) -> None:
    """The rule may move to another grant; another rule is not asked, since the body is gone."""
    answered = asyncio.Event()

    async def respond(_arrived: Arrived, writer: asyncio.StreamWriter) -> None:
        await answered.wait()
        await answer(writer)

    async with staged(tmp_path, world, respond=respond, rules=("GET /", RPC)) as stage:
        client = await Client.open(stage.port)
        target = f"/{stage.connection}/rpc"
        raw = request("POST", target, stage.token, CALL, Content_Type="application/json")
        await client.send(raw)
        await until(lambda: len(stage.origin.arrived) == 1)
        change(stage, "GET /", *after)
        answered.set()
        reply = await client.reply()
        client.close()
        assert reply.status == (403 if is_cut else 200)
        outcome = journal(stage, "outcome")[-1]
        assert outcome.get("reached") == ("maybe" if is_cut else None)
