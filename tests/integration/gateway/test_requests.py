"""What is not one clear, authenticated and allowed request never reaches the origin."""

import asyncio
import json
import time
from pathlib import Path

import pytest

from bailee.manage import callers, grants
from bailee.model import DEFAULT_TENANT, GrantId, TenantId
from bailee.policy.token import format_token
from bailee.reference.pki import World
from gate import Client, Reply, request
from integration.gateway.conftest import CREDENTIAL, Stage
from integration.gateway.staging import call, journal, staged, until, without_call

pytestmark = pytest.mark.anyio

GET = "GET {c}/p HTTP/1.1\r\n"
POST = "POST {c}/p HTTP/1.1\r\n"
HOST = "Host: a.test\r\n"
AUTH = "Authorization: Bearer {t}\r\n"
END = "\r\n"
CHUNKED = "Transfer-Encoding: chunked\r\n"
HEADS = POST + HOST + AUTH
MALFORMED = (400, "malformed-request")

# What the client sends ({c} is the connection, {t} the token), and what it is answered.
AMBIGUOUS: dict[str, tuple[str, tuple[int, str]]] = {
    "TE and CL": (HEADS + CHUNKED + "Content-Length: 5\r\n\r\n0\r\n\r\n", MALFORMED),
    "CL and TE": (HEADS + "Content-Length: 5\r\n" + CHUNKED + "\r\n0\r\n\r\n", MALFORMED),
    "two CL": (HEADS + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", MALFORMED),
    "two equal CL": (HEADS + "Content-Length: 1\r\nContent-Length: 1\r\n\r\na", MALFORMED),
    "a list as CL": (HEADS + "Content-Length: 1, 1\r\n\r\na", MALFORMED),
    "CL with a sign": (HEADS + "Content-Length: +1\r\n\r\na", MALFORMED),
    "negative CL": (HEADS + "Content-Length: -1\r\n\r\na", MALFORMED),
    "hexadecimal CL": (HEADS + "Content-Length: 0x1\r\n\r\na", MALFORMED),
    "CL of letters": (HEADS + "Content-Length: a\r\n\r\na", MALFORMED),
    "empty CL": (HEADS + "Content-Length:\r\n\r\na", MALFORMED),
    "CL with a space inside": (HEADS + "Content-Length: 1 1\r\n\r\na", MALFORMED),
    "huge CL": (HEADS + f"Content-Length: {'9' * 30}\r\n\r\na", MALFORMED),
    "TE identity": (HEADS + "Transfer-Encoding: identity\r\n\r\n", MALFORMED),
    "TE gzip, chunked": (HEADS + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", MALFORMED),
    "TE chunked twice": (HEADS + CHUNKED + CHUNKED + "\r\n0\r\n\r\n", MALFORMED),
    "TE chunked, gzip": (HEADS + "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", MALFORMED),
    "TE xchunked": (HEADS + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", MALFORMED),
    "TE with a vertical tab": (
        HEADS + "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
        MALFORMED,
    ),
    "empty TE": (HEADS + "Transfer-Encoding:\r\n\r\n0\r\n\r\n", MALFORMED),
    "bare LF after the request line": ("GET {c}/p HTTP/1.1\n" + HOST + AUTH + END, MALFORMED),
    "bare LF after a header": (GET + HOST + "X: 1\n" + AUTH + END, MALFORMED),
    "bare LF at the head's end": (GET + HOST + AUTH + "\n", MALFORMED),
    "bare CR in a value": (GET + HOST + AUTH + "X: a\rb\r\n\r\n", MALFORMED),
    "bare CR after the request line": ("GET {c}/p HTTP/1.1\r" + HOST + AUTH + END, MALFORMED),
    "CR before the head's end": (GET + HOST + AUTH + "\r\r\n", MALFORMED),
    "obs-fold": (GET + HOST + AUTH + "X: a\r\n b\r\n\r\n", MALFORMED),
    "obs-fold with a tab": (GET + HOST + AUTH + "X: a\r\n\tb\r\n\r\n", MALFORMED),
    "a space before the first header": (GET + " " + HOST + AUTH + END, MALFORMED),
    "a space before the colon": (GET + HOST + AUTH + "X : a\r\n\r\n", MALFORMED),
    "a space before TE's colon": (
        HEADS + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        MALFORMED,
    ),
    "no colon": (GET + HOST + AUTH + "X\r\n\r\n", MALFORMED),
    "an empty header name": (GET + HOST + AUTH + ": a\r\n\r\n", MALFORMED),
    "a NUL in a value": (GET + HOST + AUTH + "X: a\x00b\r\n\r\n", MALFORMED),
    "a control byte in a value": (GET + HOST + AUTH + "X: a\x01b\r\n\r\n", MALFORMED),
    "DEL in a value": (GET + HOST + AUTH + "X: a\x7fb\r\n\r\n", MALFORMED),
    "a control byte in a name": (GET + HOST + AUTH + "X\x01: a\r\n\r\n", MALFORMED),
    "non-ASCII in a name": (GET + HOST + AUTH + "X\xe9: a\r\n\r\n", MALFORMED),
    "no Host": (GET + AUTH + END, MALFORMED),
    "two Hosts": (GET + HOST + HOST + AUTH + END, MALFORMED),
    "an empty Host": (GET + "Host:\r\n" + AUTH + END, MALFORMED),
    "a path in Host": (GET + "Host: a.test/x\r\n" + AUTH + END, MALFORMED),
    "a user in Host": (GET + "Host: a@b.test\r\n" + AUTH + END, MALFORMED),
    "two names in Host": (GET + "Host: a.test, b.test\r\n" + AUTH + END, MALFORMED),
    "two tokens": (GET + HOST + AUTH + AUTH + END, MALFORMED),
    "absolute-form": ("GET http://a.test{c}/p HTTP/1.1\r\n" + HOST + AUTH + END, MALFORMED),
    "foreign absolute-form": ("GET https://api.test/p HTTP/1.1\r\n" + HOST + AUTH + END, MALFORMED),
    "asterisk": ("OPTIONS * HTTP/1.1\r\n" + HOST + AUTH + END, MALFORMED),
    "no slash": ("GET p HTTP/1.1\r\n" + HOST + AUTH + END, MALFORMED),
    "CONNECT": ("CONNECT api.test:443 HTTP/1.1\r\n" + HOST + AUTH + END, (405, "method-refused")),
    "TRACE": ("TRACE {c}/p HTTP/1.1\r\n" + HOST + AUTH + END, (405, "method-refused")),
    "PROPFIND": ("PROPFIND {c}/p HTTP/1.1\r\n" + HOST + AUTH + END, (405, "method-refused")),
    "an unknown method": ("FETCH {c}/p HTTP/1.1\r\n" + HOST + AUTH + END, MALFORMED),
    "a small method": ("get {c}/p HTTP/1.1\r\n" + HOST + AUTH + END, MALFORMED),
    "HTTP/1.0": ("GET {c}/p HTTP/1.0\r\n" + HOST + AUTH + END, MALFORMED),
    "HTTP/0.9": ("GET {c}/p\r\n", MALFORMED),
    "HTTP/1.2": ("GET {c}/p HTTP/1.2\r\n" + HOST + AUTH + END, MALFORMED),
    "HTTP/11": ("GET {c}/p HTTP/11\r\n" + HOST + AUTH + END, MALFORMED),
    "a small version": ("GET {c}/p http/1.1\r\n" + HOST + AUTH + END, MALFORMED),
    "a space in the target": ("GET {c}/p x HTTP/1.1\r\n" + HOST + AUTH + END, MALFORMED),
    "HTTP/2": ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", MALFORMED),
    "TLS": ("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", MALFORMED),
    "a WebSocket": (
        GET + HOST + AUTH + "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        MALFORMED,
    ),
    "HTTP/2 by upgrade": (
        GET + HOST + AUTH + "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
        "HTTP2-Settings: AAMA\r\n\r\n",
        MALFORMED,
    ),
    "a bad chunk size": (HEADS + CHUNKED + "\r\nzz\r\nab\r\n0\r\n\r\n", MALFORMED),
    "a signed chunk size": (HEADS + CHUNKED + "\r\n+2\r\nab\r\n0\r\n\r\n", MALFORMED),
    "a negative chunk size": (HEADS + CHUNKED + "\r\n-2\r\nab\r\n0\r\n\r\n", MALFORMED),
    "a chunk size with 0x": (HEADS + CHUNKED + "\r\n0x2\r\nab\r\n0\r\n\r\n", MALFORMED),
    "a chunk size too large": (HEADS + CHUNKED + "\r\n" + "f" * 17 + "\r\nab\r\n", MALFORMED),
    "no chunk size": (HEADS + CHUNKED + "\r\n\r\nab\r\n0\r\n\r\n", MALFORMED),
    "a chunk longer than it says": (HEADS + CHUNKED + "\r\n1\r\nab\r\n0\r\n\r\n", MALFORMED),
    "bare LF after a chunk size": (HEADS + CHUNKED + "\r\n2\nab\r\n0\r\n\r\n", MALFORMED),
    "bare LF after a chunk": (HEADS + CHUNKED + "\r\n2\r\nab\n0\r\n\r\n", MALFORMED),
    "LF in a chunk extension": (HEADS + CHUNKED + "\r\n2;\nab\r\n0\r\n\r\n", MALFORMED),
    "CR in a chunk extension": (HEADS + CHUNKED + "\r\n2;a\rb\r\nab\r\n0\r\n\r\n", MALFORMED),
    "NUL in a chunk extension": (HEADS + CHUNKED + "\r\n2;a\x00\r\nab\r\n0\r\n\r\n", MALFORMED),
    "a space after a chunk size": (HEADS + CHUNKED + "\r\n2 \r\nab\r\n0\r\n\r\n", MALFORMED),
    "bare LF in a trailer": (HEADS + CHUNKED + "\r\n0\r\nX: 1\n\r\n", MALFORMED),
    "another expectation": (HEADS + "Expect: 200-ok\r\n\r\n", (417, "expectation-refused")),
    "a raw quote in the query": ('GET {c}/p?a="b" HTTP/1.1\r\n' + HOST + AUTH + END, MALFORMED),
}

TOO_LARGE: dict[str, str] = {
    "a header line": GET + HOST + AUTH + f"X: {'x' * 33_000}\r\n\r\n",
    "many headers": GET
    + HOST
    + AUTH
    + "".join(f"X-{n}: {'x' * 100}\r\n" for n in range(310))
    + END,
    "a target": "GET {c}/" + "x" * 33_000 + " HTTP/1.1\r\n" + HOST + AUTH + END,
    "a query": "GET {c}/p?" + "x" * 33_000 + " HTTP/1.1\r\n" + HOST + AUTH + END,
    "a head without end": GET + HOST + AUTH + "X: y\r\n" * 8_000,
    "a name without end": GET + HOST + AUTH + "x" * 40_000,
}

REFUSED = (400, "path-refused")
PATHS = {
    "dot segments": ("/a/../b", REFUSED),
    "a dot segment": ("/./a", REFUSED),
    "dots at the end": ("/a/..", REFUSED),
    "encoded dots": ("/%2e%2e/a", REFUSED),
    "dots encoded twice": ("/%252e%252e/a", REFUSED),
    "two slashes": ("/a//b", REFUSED),
    "two slashes first": ("//a", REFUSED),
    "a semicolon": ("/a;b=c", REFUSED),
    "an encoded slash": ("/a%2fb", REFUSED),
    "an encoded backslash": ("/a%5cb", REFUSED),
    "a backslash": ("/a\\b", REFUSED),
    "NUL": ("/a%00", REFUSED),
    "a bad escape": ("/a%g0", REFUSED),
    "a fragment": ("/a#b", REFUSED),
}


def wire(text: str, stage: Stage) -> bytes:
    """The bytes of a request in a table."""
    filled = text.replace("{c}", f"/{stage.connection}").replace("{t}", stage.token)
    return filled.encode("latin-1")


def code(reply: Reply) -> tuple[int, str]:
    """Status and code of a problem; all three places say the same."""
    document = json.loads(reply.body)
    assert document.get("status") == reply.status, reply.status
    assert reply.headers["bailee-error"] == document["code"]
    assert reply.headers["content-type"] == "application/problem+json"
    return reply.status, document["code"]


async def answered(stage: Stage, raw: bytes) -> tuple[tuple[int, str], bool]:
    """What is answered, and whether the connection is closed after it and nothing more is said."""
    client = await Client.open(stage.port)
    await client.send(raw)
    try:
        reply = await client.reply()
        closed = reply.headers.get("connection") == "close" and await client.ended()
    finally:
        client.close()
    return code(reply), closed


async def test_ambiguous_request_is_refused_and_the_connection_closed(stage: Stage) -> None:
    """R27, R30, R32: each is answered by its problem, closed, and nothing is sent upstream.

    A good request stands behind each in the same packet: it is never answered.
    """
    raws = [wire(raw + GET + HOST + AUTH + END, stage) for raw, _ in AMBIGUOUS.values()]
    got = await asyncio.gather(*[answered(stage, raw) for raw in raws], return_exceptions=True)
    expected = {case: (code, True) for case, (_, code) in AMBIGUOUS.items()}
    wrong = {case: one for case, one in zip(AMBIGUOUS, got, strict=True) if one != expected[case]}
    assert wrong == {}
    assert (stage.origin.handshakes, stage.origin.plain_bytes) == (0, 0)
    assert journal(stage, "intent") == []
    assert (await call(stage)).status == 200


@pytest.mark.parametrize("packet", [1 << 20, 4096], ids=["in one packet", "in many"])
@pytest.mark.parametrize("case", TOO_LARGE)
async def test_head_over_32_kib_is_refused(case: str, packet: int, stage: Stage) -> None:
    """R32: however it comes; nothing is sent."""
    raw = wire(TOO_LARGE[case], stage)
    client = await Client.open(stage.port)
    try:
        for at in range(0, len(raw), packet):
            client.writer.write(raw[at : at + packet])
            await asyncio.sleep(0)
        assert code(await client.reply()) == (431, "head-too-large")
    finally:
        client.close()
    assert stage.origin.plain_bytes == 0


async def test_ambiguous_request_is_refused_when_it_comes_byte_by_byte(stage: Stage) -> None:
    """However it is cut into packets, it is not understood otherwise."""

    async def drip(raw: bytes) -> tuple[int, str]:
        client = await Client.open(stage.port)
        for at in range(len(raw)):
            client.writer.write(raw[at : at + 1])
            await asyncio.sleep(0)
        try:
            return code(await client.reply())
        finally:
            client.close()

    # Where the body is at fault, the head before it may have gone.
    cases = {
        case: entry for case, entry in AMBIGUOUS.items()
        if len(entry[0]) < 500 and case != "HTTP/0.9"
        and "chunk " not in case and "in a trailer" not in case
    }  # fmt: skip
    got = await asyncio.gather(
        *[drip(wire(raw, stage)) for raw, _ in cases.values()], return_exceptions=True
    )
    wrong = {c: g for c, g in zip(cases, got, strict=True) if g != cases[c][1]}
    assert wrong == {}
    assert (stage.origin.handshakes, stage.origin.plain_bytes) == (0, 0)


BAD_CHUNKS = {case: raw for case, (raw, _) in AMBIGUOUS.items() if CHUNKED + "\r\n" in raw and
              "Content-Length" not in raw and case not in ("TE chunked twice",)}  # fmt: skip


async def test_bad_chunk_never_makes_a_whole_request(stage: Stage) -> None:
    """When the head has gone before, the origin sees a body that never ends, and its stream cut."""

    async def late(raw: bytes) -> tuple[int, str]:
        client = await Client.open(stage.port)
        head, separator, body = raw.partition(b"\r\n\r\n")
        await client.send(head + separator + b"1\r\nx\r\n")
        await asyncio.sleep(0.1)
        await client.send(body)
        reply = await client.reply()
        assert await client.ended()
        client.close()
        return code(reply)

    got = await asyncio.gather(
        *[late(wire(raw, stage)) for raw in BAD_CHUNKS.values()], return_exceptions=True
    )
    wrong = {c: g for c, g in zip(BAD_CHUNKS, got, strict=True) if g != MALFORMED}
    assert len(BAD_CHUNKS) >= 10 and wrong == {}
    assert stage.origin.arrived == [] and stage.origin.handshakes == len(BAD_CHUNKS)
    assert (await call(stage)).status == 200


async def test_path_with_two_meanings_is_refused(stage: Stage) -> None:
    """Dot segments, empty segments, `;`, encoded slashes are not mended; the client may go on."""
    client = await Client.open(stage.port)
    wrong = {}
    for case, (path, expected) in PATHS.items():
        got = code(await client.call(request("GET", f"/{stage.connection}{path}", stage.token)))
        if got != expected:
            wrong[case] = got
    assert wrong == {}
    assert stage.origin.plain_bytes == 0
    assert (await client.call(request("GET", f"/{stage.connection}/p", stage.token))).status == 200
    client.close()


async def test_path_with_raw_non_ascii_is_refused(stage: Stage) -> None:
    """By the parser or by us; nothing is sent."""
    reply = await call(stage, path="/caf\xe9")
    assert reply.status == 400 and stage.origin.plain_bytes == 0


async def test_path_is_sent_in_its_one_meaning(stage: Stage) -> None:
    """What was matched is what is sent; the query goes as it came."""
    await call(stage, path="/%41%7e/x%c3%a9?%41=%7e&b")
    assert stage.origin.arrived[0].request_line == "GET /A~/x%C3%A9?%41=%7e&b HTTP/1.1"


async def test_path_may_be_left_out(stage: Stage) -> None:
    """`/{connection}` is the origin's root."""
    await call(stage, path="")
    await call(stage, path="?a=b")
    lines = [arrived.request_line for arrived in stage.origin.arrived]
    assert lines == ["GET / HTTP/1.1", "GET /?a=b HTTP/1.1"]


async def test_head_of_exactly_32_kib_is_taken(stage: Stage) -> None:
    """The bound is 32 KiB, in one packet and in many; what belongs to a body does not count."""
    client = await Client.open(stage.port)
    bare = request("POST", f"/{stage.connection}/p", stage.token, b"", Accept="")
    padded = request(
        "POST", f"/{stage.connection}/p", stage.token, b"", Accept="x" * (32 * 1024 - len(bare))
    )
    assert len(padded) == 32 * 1024
    assert (await client.call(padded)).status == 200
    # The end of a long body and the beginning of the next head in one packet.
    big = request("POST", f"/{stage.connection}/p", stage.token, b"b" * 50_000)
    await client.send(big + bare[:40])
    assert (await client.reply()).status == 200
    await client.send(bare[40:])
    assert (await client.reply()).status == 200
    client.close()


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
