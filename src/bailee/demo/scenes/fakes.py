"""Fakes of the API, and what they get of a call. They count their bytes themselves."""

from collections.abc import Iterator

from bailee.demo.play import EGRESS, USER, Fake, Play
from bailee.demo.scenes.calls import seen
from bailee.demo.scenes.custody import credential
from bailee.demo.telling import Check
from bailee.demo.wire import Answer, ask_https

_BAIT = "a-key-that-opens-nothing"


def fake(play: Play) -> Iterator[Check]:
    """A fake at the API's own address and port, with a valid chain and another key."""
    play.stop_api()
    standing = play.start_fake(play.place.port, "fake")
    yield _baited(play, standing, "believed", "a client without pins trusts it and sends {} bytes")
    yield _nothing_got(play, standing, "fake", "Bailee sends it {} bytes of the call")
    play.stage.end(standing.process)

    standing = play.start_fake(play.place.port, "appended")
    what = "with the pinned certificate appended to its chain, {} bytes"
    yield _nothing_got(play, standing, "appended", what)
    play.stage.end(standing.process)

    play.start_api()
    play.make_key()
    play.bailee("connection", "rotate", play.connection, stdin=credential(play.api_key))
    answer = play.call_until("/v1/echo", lambda answer: answer.status == 200)
    yield Check(
        "genuine-again",
        "the genuine API is back, and served again with the user's next key",
        answer.status == 200 and answer.json.get("peer") == EGRESS,
        seen(answer),
    )


def moved(play: Play) -> Iterator[Check]:
    """The record is approved with another port, where a fake has even the pinned key."""
    port = play.stage.free_port()
    standing = play.start_fake(port, "server")
    yield _baited(
        play,
        standing,
        "moved-valid",
        "it has even the pinned key: a client follows and sends {} bytes",
    )
    play.add_provider(port)
    before = play.fake_counts(standing)
    answer = play.call_until("/v1/balance", lambda answer: bool(answer.error))
    after = play.fake_counts(standing)
    got = {name: after[name] - before[name] for name in ("connections", "plaintext_bytes")}
    yield Check(
        "moved-closed",
        f"the sealed key does not open for another place: {answer.error or answer.status}",
        (answer.status, answer.error) == (503, "credential-closed"),
        seen(answer),
    )
    yield Check(
        "moved-nothing",
        f"the new place got {got['plaintext_bytes']} bytes of the call",
        got["plaintext_bytes"] == 0,
        {**got},
    )
    play.stage.end(standing.process)


def _baited(play: Play, standing: Fake, name: str, what: str) -> Check:
    """A client without pins: it shows that the fake works, and what is at stake."""
    answer = ask_https(standing.place, USER, "GET", "/v1/balance", _BAIT)
    counts = play.fake_counts(standing)
    got = counts["plaintext_bytes"]
    return Check(name, what.format(got), answer.status == 200 and got > len(_BAIT), {**counts})


def _nothing_got(play: Play, standing: Fake, name: str, what: str) -> Check:
    before = play.fake_counts(standing)
    answer = play.call("/v1/balance")
    counts = play.fake_counts(standing)
    got = {each: counts[each] - before[each] for each in counts if each != "open"}
    aborted = got["connections"] == 1 and got["raw_bytes"] > 0 and got["handshakes"] == 0
    return Check(
        f"{name}-nothing",
        f"{what.format(got['plaintext_bytes'])}: {_how(answer)}",
        aborted and got["plaintext_bytes"] == 0 and answer.error == "pin-mismatch",
        {**seen(answer), **got},
    )


def _how(answer: Answer) -> str:
    return answer.error or str(answer.status)
