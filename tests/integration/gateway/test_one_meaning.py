"""A request has one meaning, or nothing of it reaches the origin (R27, R28, R30, R32)."""

import asyncio

import pytest

from gate import Client, request
from integration.gateway.ambiguity import (
    ACCEPTED,
    AUTH,
    BROKEN_BODIES,
    CHUNKED,
    END,
    FAMILIES,
    GET,
    HEADS,
    HOST,
    MALFORMED,
    ONE,
    REFUSED,
    Code,
    wire,
)
from integration.gateway.conftest import Stage
from integration.gateway.staging import call, code, journal

pytestmark = pytest.mark.anyio

LONG: dict[str, str] = {
    "a header line": ONE + f"X: {'x' * 33_000}\r\n\r\n",
    "many headers": ONE + "".join(f"X-{n}: {'x' * 100}\r\n" for n in range(310)) + END,
    "a target": "GET {c}/" + "x" * 33_000 + " HTTP/1.1\r\n" + HOST + AUTH + END,
    "a query": "GET {c}/p?" + "x" * 33_000 + " HTTP/1.1\r\n" + HOST + AUTH + END,
    "a head without end": ONE + "X: y\r\n" * 8_000,
    "a name without end": ONE + "x" * 40_000,
}

REFUSED_PATH = (400, "path-refused")
PATHS = {
    "dot segments": "/a/../b",
    "a dot segment": "/./a",
    "dots at the end": "/a/..",
    "encoded dots": "/%2e%2e/a",
    "dots encoded twice": "/%252e%252e/a",
    "two slashes": "/a//b",
    "two slashes first": "//a",
    "a semicolon": "/a;b=c",
    "an encoded slash": "/a%2fb",
    "an encoded backslash": "/a%5cb",
    "a backslash": "/a\\b",
    "NUL": "/a%00",
    "a bad escape": "/a%g0",
    "a fragment": "/a#b",
}


def filled(text: str, stage: Stage) -> bytes:
    """The bytes of a request in a table."""
    return wire(text, stage.connection, stage.token)


async def _answered(stage: Stage, raw: bytes) -> tuple[Code, bool]:
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
    """R27, R30: each is answered by its problem, closed, and nothing is sent upstream.

    A good request stands behind each in the same packet: it is never answered.
    """
    raws = [filled(raw + ONE + END, stage) for raw, _ in REFUSED.values()]
    got = await asyncio.gather(*[_answered(stage, raw) for raw in raws], return_exceptions=True)
    expected = {case: (code, True) for case, (_, code) in REFUSED.items()}
    wrong = {case: one for case, one in zip(REFUSED, got, strict=True) if one != expected[case]}
    assert wrong == {}
    assert (stage.origin.handshakes, stage.origin.plain_bytes) == (0, 0)
    assert journal(stage, "intent") == []
    assert (await call(stage)).status == 200


async def test_neighbour_with_one_meaning_is_served(stage: Stage) -> None:
    """R28: what only looks like one of these passes, and reaches a strict origin without doubt.

    Each is followed by a good request on the same connection, which is answered too.
    """
    assert all(refused and accepted for refused, accepted in FAMILIES.values())
    wrong = {}
    for case, raw in ACCEPTED.items():
        client = await Client.open(stage.port)
        head_only = raw.startswith("HEAD ")
        await client.send(filled(raw + GET + HOST + AUTH + END, stage))
        got = [(await client.reply(head_only)).status, (await client.reply()).status]
        client.close()
        if got != [200, 200] or stage.origin.flags:
            wrong[case] = got, list(stage.origin.flags)
        stage.origin.flags.clear()
    assert wrong == {}
    assert len(stage.origin.arrived) == 2 * len(ACCEPTED)


@pytest.mark.parametrize("packet", [1 << 20, 4096], ids=["in one packet", "in many"])
@pytest.mark.parametrize("case", LONG)
async def test_head_over_32_kib_is_refused(case: str, packet: int, stage: Stage) -> None:
    """R32: however it comes; nothing is sent."""
    raw = filled(LONG[case], stage)
    client = await Client.open(stage.port)
    try:
        for at in range(0, len(raw), packet):
            client.writer.write(raw[at : at + packet])
            await asyncio.sleep(0)
        assert code(await client.reply()) == (431, "head-too-large")
    finally:
        client.close()
    assert stage.origin.plain_bytes == 0


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


async def test_ambiguous_request_is_refused_when_it_comes_byte_by_byte(stage: Stage) -> None:
    """However it is cut into packets, it is not understood otherwise."""

    async def drip(raw: bytes) -> Code:
        client = await Client.open(stage.port)
        for at in range(len(raw)):
            client.writer.write(raw[at : at + 1])
            await asyncio.sleep(0)
        try:
            return code(await client.reply())
        finally:
            client.close()

    # Where the body is at fault the head before it may have gone; HTTP/0.9 is seen by what follows.
    cases = {
        case: entry
        for case, entry in REFUSED.items()
        if case not in BROKEN_BODIES and "HTTP/0.9" not in case
    }
    got = await asyncio.gather(
        *[drip(filled(raw, stage)) for raw, _ in cases.values()], return_exceptions=True
    )
    wrong = {c: g for c, g in zip(cases, got, strict=True) if g != cases[c][1]}
    assert wrong == {}
    assert (stage.origin.handshakes, stage.origin.plain_bytes) == (0, 0)


async def test_bad_chunk_never_makes_a_whole_request(stage: Stage) -> None:
    """When the head has gone before, the origin sees a body that never ends, and its stream cut."""

    async def late(raw: bytes) -> Code:
        client = await Client.open(stage.port)
        head, separator, body = raw.partition(b"\r\n\r\n")
        await client.send(head + separator + b"1\r\nx\r\n")
        await asyncio.sleep(0.1)
        await client.send(body)
        reply = await client.reply()
        assert await client.ended()
        client.close()
        return code(reply)

    assert all(raw.startswith(HEADS + CHUNKED + END) for raw in BROKEN_BODIES.values())
    got = await asyncio.gather(
        *[late(filled(raw, stage)) for raw in BROKEN_BODIES.values()], return_exceptions=True
    )
    wrong = {c: g for c, g in zip(BROKEN_BODIES, got, strict=True) if g != MALFORMED}
    assert wrong == {}
    assert stage.origin.arrived == [] and stage.origin.handshakes == len(BROKEN_BODIES)
    assert all(each.in_the_middle for each in stage.origin.streams)
    assert (await call(stage)).status == 200


async def test_path_with_two_meanings_is_refused(stage: Stage) -> None:
    """Dot segments, empty segments, `;`, encoded slashes are not mended; the client may go on."""
    client = await Client.open(stage.port)
    wrong = {}
    for case, path in PATHS.items():
        got = code(await client.call(request("GET", f"/{stage.connection}{path}", stage.token)))
        if got != REFUSED_PATH:
            wrong[case] = got
    assert wrong == {}
    assert stage.origin.plain_bytes == 0
    assert (await client.call(request("GET", f"/{stage.connection}/p", stage.token))).status == 200
    client.close()


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
