"""The user's key: made at the API, sealed by Bailee."""

import json
from collections.abc import Iterator
from typing import Any

from bailee.demo.play import (
    API_NAME,
    APPLICATION,
    EGRESS,
    PROVIDER,
    SERVER_LOG,
    SERVING,
    STRANGER,
    Play,
)
from bailee.demo.stage import Command, Done
from bailee.demo.telling import Check

_WRONG_PIN = "sha256/" + "A" * 43 + "="
_JSON = ("-o", "json")


def key(play: Play) -> Iterator[Check]:
    """A user makes a key at the API, and allows Bailee's address and no other."""
    made = play.make_key()
    yield Check(
        "key-allowlisted",
        f"the key may be used from {EGRESS}, and from nowhere else",
        made["allow"] == [EGRESS],
        {"allow": ", ".join(made["allow"] or ["any address"])},
    )


def custody(play: Play) -> Iterator[Check]:
    """The provider is approved, its key pinned, and the user's key sealed."""
    play.stage.wait_for(play.server, SERVER_LOG, SERVING)
    added = play.add_provider(play.place.port)
    yield Check(
        "provider-approved",
        "the provider's record is signed by the authority",
        added["state"] == "approved",
        {"state": added["state"]},
    )
    learned, wrong, connection, caller, stranger = play.stage.run(
        _learn(play, play.world.leaf.pin_text),
        _learn(play, _WRONG_PIN),
        Command(
            ("connection", "add", PROVIDER, "--subject", "ann", *_JSON), credential(play.api_key)
        ),
        Command(("caller", "add", APPLICATION, *_JSON)),
        Command(("caller", "add", STRANGER, *_JSON)),
    )
    yield _pinned(play, learned.json)
    yield _not_pinned(wrong)
    play.token, play.stranger_token = caller.json["token"], stranger.json["token"]
    play.connection = connection.json["id"]
    play.bailee("grant", "add", APPLICATION, play.connection, "--allow", "GET /v1/**")
    yield Check(
        "sealed",
        "the key is sealed before it leaves the command that read it",
        connection.json["state"] == "active" and play.api_key not in connection.stdout.decode(),
        {"state": connection.json["state"], "version": connection.json["version"]},
    )


def credential(api_key: str) -> bytes:
    """What a user hands over, for a command's stdin."""
    return json.dumps({"api_key": api_key}).encode()


def _learn(play: Play, pin: str) -> Command:
    wanted = ("--approve", pin, "--backup", play.spare_pin)
    return Command(("pin", "learn", PROVIDER, *wanted, *_JSON))


def _pinned(play: Play, learned: Any) -> Check:
    seen = [certificate["pin"] for certificate in learned["chain"]]
    approved = learned["approved"]["pins"]
    return Check(
        "pinned",
        f"the key of {API_NAME} is seen from {EGRESS}, and pinned, with a backup",
        seen[0] == play.world.leaf.pin_text and approved == [seen[0], play.spare_pin],
        {"certificates": len(seen), "pins": len(approved)},
    )


def _not_pinned(wrong: Done) -> Check:
    return Check(
        "wrong-pin",
        "a pin that is not in the verified chain is not approved",
        wrong.code == 1 and "nothing was approved" in wrong.stderr,
        {"exit_status": wrong.code},
    )
