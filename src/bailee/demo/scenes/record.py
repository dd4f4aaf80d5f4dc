"""The journal, and the search for secrets where none may be."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from bailee.demo.play import SERVER_LOG, Play
from bailee.demo.stage import Command
from bailee.demo.telling import Check


def journal(play: Play) -> Iterator[Check]:
    """The journal is whole, has a line for each request, and no file holds a secret."""
    requests = play.api_requests()
    verified, exported = play.stage.run(
        Command(("journal", "verify", "-o", "json")), Command(("journal", "export", "-o", "json"))
    )
    report = json.loads(verified.stdout or b"{}")
    yield Check(
        "journal-sound",
        "the journal verifies: nothing edited, cut, swapped or missing",
        verified.code == 0 and report.get("sound") is True,
        {"exit_status": verified.code, "findings": len(report.get("findings", []))},
    )
    entries = [json.loads(line) for line in exported.stdout.splitlines()]
    intents = {entry["call"] for entry in entries if entry["type"] == "intent"}
    probes = sum(entry.get("kind") == "lock.probe" for entry in entries)
    missing = [call for call in (*play.answered, *play.cut) if call not in intents]
    least = len(play.answered) + probes
    counts = {"requests": requests, "intents": len(intents), "probes": probes}
    yield Check(
        "intents",
        f"the API counted {requests} requests of Bailee: each was written down before",
        0 < least <= requests <= least + len(play.cut) and not missing,
        {**counts, "without_intent": len(missing)},
    )
    files = [*play.vault.rglob("*"), play.stage.directory / SERVER_LOG]
    found = [path.name for path in files if path.is_file() and _holds_secret(play, path)]
    yield Check(
        "no-secret",
        "no file holds a key or a token: database, journal and log were searched",
        not found,
        {"files": len(files), "found_in": ", ".join(found) or None},
    )


def _holds_secret(play: Play, path: Path) -> bool:
    content = path.read_bytes()
    secrets = [*play.past_keys, play.api_key, play.token, play.stranger_token]
    return any(form in content for secret in secrets for form in _forms(secret.encode()))


def _forms(secret: bytes) -> Iterator[bytes]:
    """How a secret may look: as it is, percent-encoded, hex, base64 in its three alignments."""
    yield secret
    yield quote(secret).encode()
    yield secret.hex().encode()
    for shift in range(3):
        # The first and last groups depend on what stands beside it.
        yield base64.b64encode(bytes(shift) + secret)[4:-4]
