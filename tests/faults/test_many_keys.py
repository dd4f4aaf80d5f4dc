"""Ten thousand keys come in by one command, and each of them can be used."""

import json
import time
from pathlib import Path

from bailee.cli.import_lines import Ids, Line
from bailee.model import DEFAULT_TENANT
from bailee.secret import Secret
from served import call, run_place

KEYS = 10_000
SECONDS = 60.0
USED = (0, 1, 499, 500, 5000, KEYS - 1)


def test_ten_thousand_imported_keys_are_usable(tmp_path: Path) -> None:
    """One run, within a minute; keys from all over the file work at once."""
    ids = Ids(DEFAULT_TENANT)
    numbers = range(KEYS)
    lines = [Line(n + 1, "api", f"user-{n}", None, Secret(b"{}")) for n in numbers]
    connections = [ids.id_of(line) for line in lines]
    text = "".join(
        json.dumps(
            {"provider": "api", "subject": f"user-{n}", "credential": {"api_key": f"key-{n}"}}
        )
        + "\n"
        for n in numbers
    )
    with run_place(tmp_path) as place:
        token = place.house.operator_token()

        def cli(*words: str, stdin: str = "") -> str:
            done = place.served.cli(*words, stdin=stdin, BAILEE_TOKEN=token)
            assert done.returncode == 0, done.stderr
            return done.stdout

        began = time.monotonic()
        report = json.loads(cli("connection", "import", "-o", "json", stdin=text))
        assert time.monotonic() - began < SECONDS
        assert (report["lines"], report["added"], report["failed"]) == (KEYS, KEYS, 0)
        cli("grant", "add", "app", "provider=api", "--allow", "GET /**")
        for n in USED:
            reply = call(place.served.port, "GET", f"/{connections[n]}/k", place.token)
            assert reply.status == 200, reply
        heads = place.origin.heads()
    assert [f"Bearer key-{n}\r\n" in head for n, head in zip(USED, heads, strict=True)] == [
        True for _ in USED
    ]
