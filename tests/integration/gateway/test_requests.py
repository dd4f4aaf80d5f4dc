"""A request of somebody who may not make it never reaches the origin."""

import asyncio
import time
from pathlib import Path

import pytest

from bailee.manage import callers, grants
from bailee.model import DEFAULT_TENANT, GrantId, TenantId
from bailee.policy.token import format_token
from bailee.reference.pki import World
from gate import Client, request
from integration.gateway.conftest import CREDENTIAL, Stage
from integration.gateway.staging import call, code, journal, staged, until, without_call

pytestmark = pytest.mark.anyio

# --- who asks ---


async def test_stranger_learns_nothing(stage: Stage) -> None:
    """R39, R11: whatever is wrong with a token, one answer, and nothing is sent."""
    good = stage.token
    operator = stage.house.operator_token()
    expired = stage.house.add_caller("old", seconds=0.05)
    elsewhere = stage.house.add_caller("elsewhere", allow_from=["127.0.0.9"])
    gone = stage.house.add_caller("gone")
    callers.revoke(stage.house.store, DEFAULT_TENANT, "gone", 1.0)
    for name in ("old", "elsewhere"):
        stage.house.grant(stage.connection, "* /**", caller=name)
    await asyncio.sleep(0.1)
    stage.gate.snapshot.refresh()
    path = f"/{stage.connection}/p"
    attempts = {
        "none": request("GET", path, None),
        "another form": request("GET", path, "abc"),
        "a wrong checksum": request("GET", path, good[:-1] + ("0" if good[-1] != "0" else "1")),
        "an unknown one": request("GET", path, _unknown_token()),
        "in another case": request("GET", path, good.lower()),
        "with something behind": request("GET", path, good + " x"),
        "an operator's": request("GET", path, operator),
        "an expired one": request("GET", path, expired),
        "a revoked caller's": request("GET", path, gone),
        "from outside the allowlist": request("GET", path, elsewhere),
        "in the query": request("GET", f"{path}?token={good}&access_token={good}", None),
        "in Basic": request("GET", path, None, Authorization=f"Basic {good}"),
        "in a cookie": request("GET", path, None, Cookie=f"token={good}"),
        "without a scheme": request("GET", path, None, Authorization=good),
        "a bad Bailee-Token beside a good one": request("GET", path, good, Bailee_Token="x"),
        "the credential": request("GET", path, CREDENTIAL),
    }
    replies = {}
    for case, raw in attempts.items():
        client = await Client.open(stage.port)
        replies[case] = await client.call(raw)
        client.close()
    assert {case: code(reply) for case, reply in replies.items()} == {
        case: (401, "unauthenticated") for case in attempts
    }
    assert len({without_call(reply) for reply in replies.values()}) == 1
    assert replies["none"].headers["www-authenticate"] == 'Bearer realm="bailee"'
    assert stage.origin.plain_bytes == 0 and journal(stage, "intent") == []


async def test_token_is_taken_from_either_header(stage: Stage) -> None:
    """`Authorization: Bearer` in any case of the scheme, or `Bailee-Token`, which goes first."""
    assert (await call(stage)).status == 200
    assert (await call(stage, token=None, Authorization=f"bearer {stage.token}")).status == 200
    assert (await call(stage, token=None, Bailee_Token=stage.token)).status == 200
    assert (await call(stage, token="other", Bailee_Token=stage.token)).status == 200
    for arrived in stage.origin.arrived:
        assert stage.token.encode() not in arrived.head
        assert arrived.head.lower().count(b"authorization:") == 1


async def test_caller_is_served_from_inside_its_allowlist(stage: Stage) -> None:
    """And from nowhere else, even where a call was just decided for the same token and path."""
    token = stage.house.add_caller("narrow", allow_from=["127.0.0.8/31"])
    stage.house.grant(stage.connection, "* /**", caller="narrow")
    stage.gate.snapshot.refresh()
    statuses = []
    for source in ("127.0.0.9", "127.0.0.1", "127.0.0.8"):
        client = await Client.open(stage.port, source)
        raw = request("GET", f"/{stage.connection}/p", token, X_Forwarded_For="127.0.0.9")
        statuses.append((await client.call(raw)).status)
        client.close()
    assert statuses == [200, 401, 200]


async def test_revoked_token_works_no_more_within_a_second(stage: Stage) -> None:
    """R7, on a connection that is kept."""
    client = await Client.open(stage.port)
    raw = request("GET", f"/{stage.connection}/p", stage.token)
    assert (await client.call(raw)).status == 200
    callers.revoke(stage.house.store, DEFAULT_TENANT, "app", 1.0)
    async with asyncio.timeout(1):
        while (await client.call(raw)).status != 401:
            await asyncio.sleep(0.01)
    client.close()


def _unknown_token() -> str:
    return format_token(bytes(32))


# --- for what ---


async def test_unknown_and_forbidden_connection_look_the_same(stage: Stage) -> None:
    """R13: unknown, another caller's, another tenant's, a revoked grant's, an expired grant's."""
    house, provider = stage.house, stage.provider
    other = TenantId("other")
    house.add_tenant(other)
    house.add_caller("b")
    credential = {"api_key": CREDENTIAL}
    doors = {"unknown": "a" * 26, "nonsense": "x", "of an unknown origin": f"{stage.connection}.ws"}
    foreign = doors["another caller's"] = house.add_connection(provider, credential, "u2")
    house.grant(foreign, "* /**", caller="b")
    house.add_caller("app", other)
    theirs = doors["another tenant's"] = house.add_connection(provider, credential, "u1", other)
    house.grant(theirs, "* /**", tenant=other)
    regretted = doors["of a revoked grant"] = house.add_connection(provider, credential, "u3")
    grants.revoke(house.store, DEFAULT_TENANT, GrantId(house.grant(regretted, "* /**")), 1.0)
    short = doors["of an expired grant"] = house.add_connection(provider, credential, "u4")
    house.grant(short, "* /**", expires_at=time.time() + 0.05)
    await asyncio.sleep(0.1)
    stage.gate.snapshot.refresh()
    for method, path in (("GET", "/p"), ("POST", "/p?q=1"), ("GET", "/a//b"), ("GET", "/a/../b")):
        seen = {}
        for case, door in doors.items():
            client = await Client.open(stage.port)
            await client.send(request(method, f"/{door}{path}", stage.token))
            reply = await client.reply()
            seen[case] = without_call(reply)
            client.close()
        assert len(set(seen.values())) == 1, seen
        assert seen["unknown"][0] == 404
    assert stage.origin.plain_bytes == 0 and journal(stage, "intent") == []


@pytest.mark.parametrize("path", ["/p", "/p?x", "/a//b", "/%2e%2e"])
async def test_unknown_and_forbidden_look_the_same_for_a_token_in_the_presets_place(
    path: str, tmp_path: Path, world: World
) -> None:
    """R13: whether a preset was found tells nobody that the connection is there."""
    async with staged(
        tmp_path,
        world,
        auth='header = "API-Key"\nvalue = "{api_key}"\ncaller.token = "header API-Key"',
    ) as stage:
        foreign = stage.house.add_connection(stage.provider, {"api_key": CREDENTIAL}, "u2")
        stage.gate.snapshot.refresh()
        seen = set()
        for door in (foreign, "a" * 26):
            client = await Client.open(stage.port)
            raw = request("GET", f"/{door}{path}", None, API_Key=stage.token)
            seen.add(without_call(await client.call(raw)))
            client.close()
        assert len(seen) == 1, seen


async def test_path_is_denied_when_no_grant_allows_it(tmp_path: Path, world: World) -> None:
    """R10: by method and path, exactly; HEAD where GET is allowed."""
    async with staged(tmp_path, world, rules=["GET /v1/**", "POST /orders"]) as stage:
        asked = {
            ("GET", "/v1/x"): 200, ("HEAD", "/v1"): 200, ("POST", "/orders"): 200,
            ("POST", "/v1/x"): 403, ("GET", "/V1/x"): 403, ("GET", "/v1%2Fx"): 400,
            ("POST", "/orders/"): 403, ("DELETE", "/orders"): 403, ("GET", "/"): 403,
        }  # fmt: skip
        got = {each: (await call(stage, *each)).status for each in asked}
        assert got == asked
        assert len(stage.origin.arrived) == 3


async def test_path_is_denied_when_the_provider_denies_it(tmp_path: Path, world: World) -> None:
    """`[[deny]]` and `[[multiplexed]]` go before every grant, in every spelling."""
    # Tables of the file come last, so they stand behind [auth].
    auth = (
        'header = "Authorization"\nvalue = "Bearer {api_key}"\n'
        '[[deny]]\nrule = "POST /withdraw/**"\n[[multiplexed]]\nrule = "POST /everything"\n'
    )
    async with staged(tmp_path, world, auth=auth, rules=["* /**", "POST /withdraw"]) as stage:
        denied = ["/withdraw", "/withdraw/x", "/WITHDRAW/", "/with%64raw", "/with%2564raw/x",
                  "/everything", "/Everything/"]  # fmt: skip
        for path in denied:
            assert code(await call(stage, "POST", path, b"")) == (403, "denied"), path
        assert stage.origin.plain_bytes == 0
        assert (await call(stage, "GET", "/withdraw")).status == 200
        assert (await call(stage, "POST", "/withdrawals", b"")).status == 200


async def test_refused_call_leaves_the_connection_open_when_the_request_was_whole(
    stage: Stage,
) -> None:
    """A refusal that is clear does not cost the client its connection; a HEAD gets no body."""
    client = await Client.open(stage.port)
    for method in ("GET", "HEAD", "GET"):
        reply = await client.call(request(method, f"/{'a' * 26}/p", stage.token))
        assert reply.status == 404 and "connection" not in reply.headers
    assert (await client.call(request("GET", f"/{stage.connection}/p", stage.token))).status == 200
    client.close()


async def test_other_origin_is_reached_by_its_name(tmp_path: Path, world: World) -> None:
    """`/{connection}.{origin}/` leads there; a name of another provider's leads nowhere."""
    async with staged(tmp_path, world, origins=["files"]) as stage:
        client = await Client.open(stage.port)
        reply = await client.call(request("GET", f"/{stage.connection}.rest/p", stage.token))
        assert reply.status == 200
        # The name is not in the certificate of the test's world: it is verified by name.
        reply = await client.call(request("GET", f"/{stage.connection}.files/p", stage.token))
        assert code(reply) == (502, "certificate-refused")
        reply = await client.call(request("GET", f"/{stage.connection}.nope/p", stage.token))
        assert code(reply) == (404, "connection-not-found")
        await until(lambda: len(stage.origin.arrived) == 1)
        client.close()
