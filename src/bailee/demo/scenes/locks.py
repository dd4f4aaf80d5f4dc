"""The lock: whether a key's allowlist is in force, measured and not believed."""

from collections.abc import Iterator

from bailee.demo.play import EGRESS, PROVIDER, Play
from bailee.demo.scenes.custody import credential
from bailee.demo.stage import Command, Done
from bailee.demo.telling import Check, NotTold

_JSON = ("-o", "json")


def lock(play: Play) -> Iterator[Check]:
    """One key is restricted and another is not: the keeper finds out which."""
    stdin = credential(play.make_open_key())
    consent, other = play.stage.run(
        Command(("tenant", "set", "default", "--probing", "ok", *_JSON)),
        Command(("connection", "add", PROVIDER, "--subject", "bob", *_JSON), stdin),
    )
    if consent.json["probing"] != "ok":
        raise NotTold("the users' consent to probes was not recorded")
    restricted, unrestricted = play.stage.run(
        Command(("lock", "check", play.connection, *_JSON)),
        Command(("lock", "check", other.json["id"], *_JSON)),
    )
    yield _lock(
        "lock-enforced",
        f"the user's key: served from {EGRESS}, refused at a decoy",
        restricted,
        "enforced",
    )
    yield _lock(
        "lock-open",
        "a key that its user did not restrict: the decoy is served",
        unrestricted,
        "open",
    )
    exposure = play.bailee("exposure")
    total, exposed = exposure["total"], exposure["exposed"]
    yield Check(
        "exposure",
        f"of {total} keys, {exposed} would work for a thief today",
        (total, exposed) == (2, 1),
        {"total": total, "exposed": exposed},
    )


def _lock(name: str, what: str, checked: Done, state: str) -> Check:
    found = checked.json
    seen = {"state": found["state"], "cause": found["cause"]}
    return Check(name, f"{what}: {found['state']}", found["state"] == state, seen)
