"""Which headers pass."""

import pytest

from bailee.http.hop import (
    HOP_BY_HOP,
    NEVER_FORWARDED,
    STANDARD_REQUEST_HEADERS,
    RequestHeaderPolicy,
    answer_header_passes,
    may_never_pass,
)

FORGED = [
    b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-forwarded", b"forwarded",
    b"x-real-ip", b"true-client-ip", b"cf-connecting-ip", b"x-client-ip", b"fastly-client-ip",
    b"wl-proxy-client-ip", b"x-remote-addr", b"via", b"host", b"authorization", b"cookie",
    b"x-http-method-override", b"x-http-method", b"x-method-override", b"x-original-url",
    b"x-rewrite-url", b"content-length", b"transfer-encoding", b"te", b"expect",
    b"proxy-authorization", b"bailee-token", b"bailee-anything",
]  # fmt: skip


@pytest.mark.parametrize("name", FORGED)
def test_header_never_passes(name: bytes) -> None:
    """Not even a provider's file lets it through, exact, by prefix, or with `_` for `-`."""
    text = name.decode()
    for spelling in (text, text.replace("-", "_")):
        exact = RequestHeaderPolicy.of([spelling])
        prefix = RequestHeaderPolicy.of([spelling[0] + "*"])
        for policy in (exact, prefix):
            assert not policy.passes(spelling.encode())
            assert policy.split([(spelling.encode(), spelling.encode(), b"x")])[0] == []
        assert may_never_pass(spelling.encode())


def test_standard_list_passes_and_nothing_else() -> None:
    """Without a preset the list is the list; what was dropped is named."""
    policy = RequestHeaderPolicy.of([])
    sent = [(b"accept", b"Accept", b"*/*"), (b"x-odd", b"X-Odd", b"1"), (b"te", b"TE", b"gzip")]
    for _ in range(2):
        assert policy.split(sent) == ([b"Accept", b": ", b"*/*", b"\r\n"], [b"x-odd"])
    assert all(policy.passes(name) for name in STANDARD_REQUEST_HEADERS)
    assert not STANDARD_REQUEST_HEADERS & NEVER_FORWARDED


def test_preset_lets_exact_names_and_prefixes_through() -> None:
    """`*` stands only for what follows."""
    policy = RequestHeaderPolicy.of(["api-*", "x-request-id"])
    assert policy.passes(b"api-version") and policy.passes(b"x-request-id")
    assert not policy.passes(b"x-request-id-2") and not policy.passes(b"apiversion")


def test_underscore_passes_only_where_it_is_named() -> None:
    """Behind CGI and WSGI `x_a` is `x-a`: a prefix does not let it through, its name does."""
    policy = RequestHeaderPolicy.of(["x-*", "y_b", "z_*"])
    assert policy.passes(b"y_b") and policy.passes(b"z_a") and policy.passes(b"x-a")
    assert not policy.passes(b"x-a_b") and not policy.passes(b"z_a_b")
    assert not policy.passes(b"y-b")


@pytest.mark.parametrize("name", [b"api-key", b"api_key"])
def test_placed_header_is_never_the_callers(name: bytes) -> None:
    """Where the credential stands, the caller's header is dropped, in both spellings."""
    policy = RequestHeaderPolicy.of(["api*"], ["API-Key"])
    assert not policy.passes(name)
    assert policy.passes(b"api-keys")


def test_decisions_are_bounded() -> None:
    """Made-up names do not fill the memory; late ones are decided all the same."""
    policy = RequestHeaderPolicy.of(["x-*"])
    for number in range(2000):
        assert policy.passes(b"x-%d" % number)
    assert not policy.passes(b"y-late") and len(policy._decided) <= 512


@pytest.mark.parametrize("name", sorted(HOP_BY_HOP) + [b"set-cookie", b"alt-svc", b"bailee-call",
                                                       b"refresh", b"content-length"])  # fmt: skip
def test_answer_header_stays_here(name: bytes) -> None:
    """What is for one hop, leads clients elsewhere or is ours stays."""
    assert not answer_header_passes(name)


@pytest.mark.parametrize(
    "name", [b"etag", b"retry-after", b"x-ratelimit-remaining", b"www-authenticate"]
)
def test_answer_header_passes(name: bytes) -> None:
    """The rest is the client's."""
    assert answer_header_passes(name)
