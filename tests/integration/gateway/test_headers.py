"""Which headers and URLs pass, in both directions, and where credential and token stand."""

from base64 import b64encode
from pathlib import Path

import pytest

from bailee.reference.pki import World
from integration.gateway.conftest import CREDENTIAL, Stage
from integration.gateway.staging import call, plain_answer, staged

pytestmark = pytest.mark.anyio

FORGED = {
    "Cookie": "a=b",
    "Forwarded": "for=192.0.2.1",
    "X-Forwarded-For": "192.0.2.1",
    "X-Forwarded-Host": "evil.test",
    "X-Forwarded-Proto": "http",
    "X_Forwarded_For": "192.0.2.1",
    "X-Real-IP": "192.0.2.1",
    "X-Client-IP": "192.0.2.1",
    "True-Client-IP": "192.0.2.1",
    "CF-Connecting-IP": "192.0.2.1",
    "Via": "1.1 a",
    "X-HTTP-Method-Override": "DELETE",
    "X-HTTP-Method": "DELETE",
    "X-Method-Override": "DELETE",
    "X-Original-URL": "/withdraw",
    "X-Rewrite-URL": "/withdraw",
    "Bailee-Anything": "u2",
}
HOP = {"TE": "trailers", "Keep-Alive": "timeout=5", "Proxy-Connection": "keep-alive",
       "Trailer": "X", "Proxy-Authorization": "Basic eA=="}  # fmt: skip
STANDARD = {
    "Accept": "application/json",
    "Accept-Encoding": "gzip",
    "Content-Type": "text/plain",
    "Idempotency-Key": "k1",
    "If-None-Match": '"a"',
    "Range": "bytes=0-1",
    "User-Agent": "sdk/1",
}


async def test_headers_are_let_through_by_a_list(stage: Stage) -> None:
    """R29: the standard list passes as it is spelled; the rest is dropped and named."""
    unknown = {"X-Unknown": "1", "Origin": "https://a.test", "Referer": "https://a.test/"}
    sent = {**STANDARD, **FORGED, **HOP, **unknown}
    reply = await call(stage, exact=sent)
    assert reply.status == 200
    head = stage.origin.arrived[0].head.decode()
    lines = head.split("\r\n")[1:-2]
    assert sorted(line.split(":")[0] for line in lines) == sorted(
        ["Host", "Authorization", *STANDARD]
    )
    for name, value in STANDARD.items():
        assert f"{name}: {value}" in lines
    dropped = reply.headers["bailee-dropped"].split(", ")
    assert dropped == sorted(name.lower() for name in [*FORGED, *unknown])


async def test_nothing_is_named_when_nothing_was_dropped(stage: Stage) -> None:
    """An ordinary call has no `Bailee-Dropped`; a header twice is named once."""
    assert "bailee-dropped" not in (await call(stage, Accept="*/*")).headers
    reply = await call(stage, X_A="1", x_a="2")
    assert reply.headers["bailee-dropped"] == "x-a"


async def test_preset_lets_more_headers_through_and_never_the_forged(
    tmp_path: Path, world: World
) -> None:
    """`headers` adds names and prefixes; not even `x*` lets a forged one through."""
    async with staged(tmp_path, world, more='headers = ["x*", "c*", "api-version"]') as stage:
        odd = {"X-Odd": "1", "Api-Version": "2", "Api-Other": "3"}
        reply = await call(stage, exact=FORGED | odd)
        headers = stage.origin.arrived[0].headers
        assert set(headers) == {"host", "authorization", "x-odd", "api-version"}
        assert "api-other" in reply.headers["bailee-dropped"].split(", ")


async def test_host_is_the_providers(stage: Stage) -> None:
    """Whatever the client calls us by."""
    await call(stage)
    assert stage.origin.arrived[0].headers["host"] == f"api.test:{stage.origin.port}"


async def test_nominated_headers_are_dropped(stage: Stage) -> None:
    """What `Connection` names is for us; it can't take away what we set."""
    await call(stage, Connection="close, accept, host, authorization, content-length", Accept="a")
    head = stage.origin.arrived[0].headers
    assert "accept" not in head and "connection" not in head
    assert head["authorization"] == f"Bearer {CREDENTIAL}"


# --- answers ---


async def test_answer_headers_pass_but_ours_and_those_of_one_hop(
    tmp_path: Path, world: World
) -> None:
    """Alt-Svc, Set-Cookie, Refresh, hop by hop, nominated and foreign Bailee-* stay here."""
    headers = (
        'ETag: "a"\r\nX-Twice: 1\r\nX-Twice: 2\r\nRetry-After: 3\r\n'
        'Alt-Svc: h3=":443"\r\nSet-Cookie: a=b\r\nset-cookie: c=d\r\nRefresh: 0;url=/\r\n'
        "Keep-Alive: timeout=5\r\nConnection: keep-alive, x-hop\r\nX-Hop: 1\r\n"
        "Bailee-Call: forged\r\nBailee-Error: denied\r\nBailee-Dropped: x\r\nBailee-Odd: 1\r\n"
        "Proxy-Authenticate: Basic\r\nUpgrade: h2c\r\n"
    )
    async with staged(tmp_path, world, respond=plain_answer(headers)) as stage:
        reply = await call(stage)
        names = [name.lower() for name, _ in reply.pairs]
        assert sorted(names) == sorted(
            ["etag", "x-twice", "x-twice", "retry-after", "content-length", "bailee-call"]
        )
        assert reply.headers["bailee-call"] != "forged"


async def test_urls_of_the_provider_become_ours(tmp_path: Path, world: World) -> None:
    """R53: absolute and relative, of this origin and others; what leads elsewhere is dropped."""
    cases = {
        "Location: https://api.test:{port}/v2/x?a=b": ("location", "{c}/v2/x?a=b"),
        "Location: /v2/x": ("location", "{c}/v2/x"),
        "Location: x": ("location", "{c}/v1/x"),
        "Content-Location: ?page=2": ("content-location", "{c}/v1/p?page=2"),
        "Location: https://files.test:{port}/x": ("location", "{c}.files/x"),
        "Location: https://evil.test/x": ("location", None),
        "Location: http://api.test:{port}/x": ("location", None),
        "Location: https://api.test/x": ("location", None),
        "Location: //evil.test/x": ("location", None),
        "Location: https://u:p@api.test:{port}/x": ("location", None),
        'Link: <https://api.test:{port}/v1/p?page=2>; rel="next"': (
            "link", '<{c}/v1/p?page=2>; rel="next"',
        ),
        "Link: <https://evil.test/>; rel=next, </v1/p?page=9>; rel=last": (
            "link", "<{c}/v1/p?page=9>; rel=last",
        ),
        "Link: <https://evil.test/>; rel=next": ("link", None),
    }  # fmt: skip
    async with staged(tmp_path, world, origins=["files"]) as stage:
        for header, (name, expected) in cases.items():
            line = header.format(port=stage.origin.port)
            stage.origin.respond = plain_answer(line + "\r\n", status="302 Found")
            reply = await call(stage, path="/v1/p")
            ours = f"http://127.0.0.1:8700/{stage.connection}"
            wanted = expected.format(c=ours) if expected is not None else None
            assert (reply.status, reply.headers.get(name)) == (302, wanted), header
        # Redirects are never followed.
        assert len(stage.origin.arrived) == len(cases)


async def test_credential_is_taken_out_of_urls(tmp_path: Path, world: World) -> None:
    """R53: a path prefix and a query parameter that hold it never reach the client."""
    auth = (
        'caller.token = "header X-Key"\n[[auth.place]]\npath = "/bot{token}"\n'
        '[[auth.place]]\nquery = "key"\nvalue = "{token}"\n'
    )
    secret = "7:AAH-s3cret"
    async with staged(tmp_path, world, auth=auth, credential={"token": secret}) as stage:
        base = f"https://api.test:{stage.origin.port}/bot{secret}"
        stage.origin.respond = plain_answer(
            f"Link: <{base}/v1/p?key=7%3AAAH-s3cret&page=2>; rel=next, <?page=3&key={secret}>; "
            f'rel=last, <{base}/x>; rel=up; anchor="{base}/y"\r\n'
            f"Location: {base}/x?key={secret}\r\nContent-Location: {base}\r\n"
        )
        reply = await call(stage, path="/v1/p?page=1")
        ours = f"http://127.0.0.1:8700/{stage.connection}"
        assert stage.origin.arrived[0].request_line == (
            f"GET /bot{secret}/v1/p?page=1&key=7%3AAAH-s3cret HTTP/1.1"
        )
        assert reply.headers["link"] == (
            f"<{ours}/v1/p?page=2>; rel=next, <{ours}/v1/p?page=3>; rel=last"
        )
        assert reply.headers["location"] == f"{ours}/x"
        assert "content-location" not in reply.headers
        assert "s3cret" not in str(reply.pairs)


# --- where the credential stands ---

PLACES: dict[str, tuple[str, dict[str, str], str, dict[str, str]]] = {
    "a header": (
        'header = "API-Key"\nvalue = "k {api_key}"',
        {"api_key": "abc"},
        "/p?x=1",
        {"api-key": "k abc"},
    ),
    "the query": (
        'query = "key"\nvalue = "{api_key}"',
        {"api_key": "a b&c=d"},
        "/p?x=1&key=a%20b%26c%3Dd",
        {},
    ),
    "the path": ('path = "/bot{token}"', {"token": "12:ab"}, "/bot12:ab/p?x=1", {}),
    "Basic": (
        'basic = "{user}:{password}"',
        {"user": "me", "password": "a:b"},
        "/p?x=1",
        {"authorization": "Basic " + b64encode(b"me:a:b").decode()},
    ),
    "a header and the query": (
        (
            '[[auth.place]]\nheader = "API-Key"\nvalue = "{api_key}"\n'
            '[[auth.place]]\nquery = "sig"\nvalue = "v1-{secret}"'
        ),
        {"api_key": "abc", "secret": "s"},
        "/p?x=1&sig=v1-s",
        {"api-key": "abc"},
    ),
    "two headers": (
        (
            '[[auth.place]]\nheader = "API-Key"\nvalue = "{api_key}"\n'
            '[[auth.place]]\nheader = "API-Secret"\nvalue = "{secret}"'
        ),
        {"api_key": "abc", "secret": "s"},
        "/p?x=1",
        {"api-key": "abc", "api-secret": "s"},
    ),
}


@pytest.mark.parametrize("case", PLACES)
async def test_credential_is_placed(case: str, tmp_path: Path, world: World) -> None:
    """Where the preset says, once, and the same from the cache; the caller's own are dropped."""
    auth, credential, target, headers = PLACES[case]
    async with staged(
        tmp_path, world, auth=auth, credential=credential, more='headers = ["api*"]'
    ) as stage:
        for _ in range(2):
            placed = [name for name in headers if name != "authorization"]
            forged = {name.upper(): "forged" for name in placed}
            forged |= {name.replace("-", "_"): "forged" for name in placed}
            reply = await call(stage, path="/p?x=1", exact=forged)
            assert reply.status == 200
        for arrived in stage.origin.arrived:
            assert arrived.request_line == f"GET {target} HTTP/1.1"
            assert arrived.headers == {"host": f"api.test:{stage.origin.port}", **headers}
            assert b"forged" not in arrived.head and stage.token.encode() not in arrived.head


async def test_reserved_parameter_is_refused(tmp_path: Path, world: World) -> None:
    """The caller can't send what Bailee places, in any spelling of its name."""
    auth = 'query = "key"\nvalue = "{api_key}"'
    async with staged(tmp_path, world, auth=auth) as stage:
        for query in ("key=x", "key", "a=b&key=x", "%6bey=x", "k%65%79=x", "a&key="):
            reply = await call(stage, path=f"/p?{query}")
            assert (reply.status, reply.headers["bailee-error"]) == (400, "reserved-parameter")
        assert stage.origin.plain_bytes == 0
        for query in ("keys=x", "a=key", "KEY"):
            assert (await call(stage, path=f"/p?{query}")).status == 200


# --- where an unmodified SDK puts the token ---

KEY = 'header = "Authorization"\nvalue = "Bearer {api_key}"\n'


async def test_sdk_puts_the_token_into_a_header(tmp_path: Path, world: World) -> None:
    """The header of the provider's key takes the token, and never passes."""
    auth = 'header = "API-Key"\nvalue = "{api_key}"\ncaller.token = "header API-Key"'
    async with staged(tmp_path, world, auth=auth, more='headers = ["api-*"]') as stage:
        assert (await call(stage, token=None, API_Key=stage.token)).status == 200
        assert (await call(stage, API_Key="anything")).status == 401
        assert (await call(stage, token=None, API_Key="x", api_key=stage.token)).status == 401
        assert (await call(stage)).status == 200
        _never_sent(stage, "api-key", CREDENTIAL, 2)


async def test_sdk_puts_the_token_into_another_header_than_the_credentials(
    tmp_path: Path, world: World
) -> None:
    """Even where the preset would let that header through."""
    auth = KEY + 'caller.token = "header API-Key"'
    async with staged(tmp_path, world, auth=auth, more='headers = ["api-*"]') as stage:
        assert (await call(stage, token=None, API_Key=stage.token)).status == 200
        assert "api-key" not in stage.origin.arrived[0].headers
        _never_sent(stage, "authorization", f"Bearer {CREDENTIAL}", 1)


async def test_sdk_puts_the_token_into_the_query(tmp_path: Path, world: World) -> None:
    """Only there may a token stand in a URL; it is taken out, in every spelling of its name."""
    auth = KEY + 'caller.token = "query key"'
    async with staged(tmp_path, world, auth=auth) as stage:
        token = stage.token
        for query in (f"key={token}&a=b", f"a=b&key={token}", f"a=b&%6bey={token}"):
            assert (await call(stage, token=None, path=f"/p?{query}")).status == 200
        assert (await call(stage, token=None, path=f"/p?token={token}")).status == 401
        assert (await call(stage, token=None, path=f"/p?key={token}x")).status == 401
        assert {each.request_line for each in stage.origin.arrived} == {"GET /p?a=b HTTP/1.1"}
        _never_sent(stage, "authorization", f"Bearer {CREDENTIAL}", 3)


async def test_token_in_the_query_is_taken_out_when_another_header_has_it_too(
    tmp_path: Path, world: World
) -> None:
    """An SDK that puts it there, and a proxy that adds `Bailee-Token`: it still stays here."""
    auth = KEY + 'caller.token = "query key"'
    async with staged(tmp_path, world, auth=auth) as stage:
        reply = await call(
            stage, token=None, path=f"/p?a=b&key={stage.token}", Bailee_Token=stage.token
        )
        assert reply.status == 200
        assert stage.origin.arrived[0].request_line == "GET /p?a=b HTTP/1.1"


@pytest.mark.parametrize("part", ["username", "password"])
async def test_sdk_puts_the_token_into_basic(part: str, tmp_path: Path, world: World) -> None:
    """As user or as password; the other part does not matter."""
    auth = f'basic = "{{user}}:{{password}}"\ncaller.token = "basic {part}"'
    credential = {"user": "me", "password": "pw"}
    async with staged(tmp_path, world, auth=auth, credential=credential) as stage:
        pair = f"{stage.token}:" if part == "username" else f":{stage.token}"
        for text, status in ((pair, 200), (":".join(reversed(pair.split(":"))), 401), ("x", 401)):
            basic = b64encode(text.encode()).decode()
            reply = await call(stage, token=None, Authorization=f"Basic {basic}")
            assert reply.status == status
        assert (await call(stage, token=None, Authorization="Basic ???")).status == 401
        _never_sent(stage, "authorization", "Basic " + b64encode(b"me:pw").decode(), 1)


def _never_sent(stage: Stage, header: str, value: str, calls: int) -> None:
    assert len(stage.origin.arrived) == calls
    for arrived in stage.origin.arrived:
        assert arrived.headers[header] == value
        assert stage.token.encode() not in arrived.head
