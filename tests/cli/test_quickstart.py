"""`bailee quickstart` at a real terminal: what is asked, what is hidden, and running it again."""

import json
import re
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from bailee.cli.admin_api import AdminApi
from bailee.cli.learning import Learned, learn_chain
from bailee.cli.pin_approval import Wanted, approve_pins
from bailee.cli.provider_approval import add_approved
from bailee.cli.provider_source import read_source
from bailee.cli.wire import parse_place
from bailee.config import Settings, load
from bailee.policy.pin import format_pin
from bailee.reference.accounts import KeyKind
from bailee.reference.provider_file import provider_file
from bailee.secret import Secret
from bailee.vault.authority import AuthorityVerifier
from cli.conftest import Site, open_site
from reference_server import ApiPlace, World
from transcript import Step
from typist import Terminal

TRUST, PINS, BACKUP, KEY = "go where this says? [y/N]: ", "approve: ", "to stop): ", "api_key: "
NO_BACKUP = "danger-no-backup"
WRONG = "reference_key_wrong-canary-0123456789"


@dataclass(frozen=True, slots=True)
class Ran:
    """A run that has ended."""

    code: int
    stdout: str
    shown: str
    """All that was on the terminal."""

    @property
    def told(self) -> dict[str, Any]:
        """Its stdout, where that is JSON."""
        told: dict[str, Any] = json.loads(self.stdout)
        return told


@dataclass(frozen=True, slots=True)
class Place:
    """A running vault with a decoy, and the API beside it. Each test has a provider of its own."""

    site: Site
    api: ApiPlace
    provider: str = ""

    @property
    def file(self) -> str:
        return str(self.site.directory / f"{self.provider}.toml")

    def describe(self, kind: KeyKind = KeyKind.BEARER, host: str = "api.test") -> None:
        """Write the provider's file."""
        text = provider_file(
            f"https://{host}:{self.api.port}",
            id=self.provider,
            kind=kind,
            address="127.0.0.1",
            ca_file="ca.pem",
            private=True,
        )
        Path(self.file).write_text(text)

    @property
    def admin(self) -> AdminApi:
        """The admin API, as the commands use it."""
        environ = self.site.environ
        token = Path(environ["BAILEE_CONFIG"]).with_name("operator.token").read_bytes()
        url = f"http://{environ['BAILEE_ADMIN__LISTEN']}"
        return AdminApi(parse_place(url, "url"), Secret(token.strip()))

    def run(self, line: str) -> str:
        """Run a command that succeeds, without a terminal; returns its stdout."""
        done = self.site.run(Step(0, f"bailee {line}"))
        assert done.code == 0, done
        return "\n".join(done.stdout)

    def learned(self) -> Learned:
        """The chain of the API, as the keeper sees it."""
        verifier = AuthorityVerifier(self.settings.vault.authority)
        return learn_chain(self.admin, verifier, self.provider, None, None)

    def add_provider(self) -> None:
        """Approve the provider, as its own command does."""
        add_approved(self.admin, self.settings, read_source(self.file))

    def add_trust(self) -> None:
        """Approve the provider and the pin of its leaf, as their own commands do."""
        self.add_provider()
        learned = self.learned()
        approve_pins(self.admin, self.settings, learned, Wanted((learned.chain[0].pin,), ()))

    @property
    def settings(self) -> Settings:
        return load(Path(self.site.environ["BAILEE_CONFIG"]), self.site.environ)

    def pins(self) -> list[dict[str, Any]]:
        """The pin sets of the provider."""
        return list(self.admin.pages("/v1/pins", provider=self.provider))

    def connections(self) -> list[dict[str, Any]]:
        """The connections of the provider."""
        return list(self.admin.pages("/v1/connections", provider=self.provider))

    def counted(self) -> tuple[int, int, int, int, int]:
        """Serial of the provider and of its pins; connections, callers and grants."""
        callers = [
            each["id"] for each in self.admin.pages("/v1/callers") if each["name"] == self.provider
        ]
        grants = [each for each in self.admin.pages("/v1/grants") if each["caller"] in callers]
        pins = self.pins()
        return (
            int(self.admin.read(f"/v1/providers/{self.provider}")["serial"]),
            pins[0]["serial"] if pins else 0,
            len(self.connections()),
            len(callers),
            len(grants),
        )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    directory = tmp_path_factory.mktemp("quickstart")
    with open_site("server with decoy", directory) as opened:
        files = World.create(["api.test"]).write(directory / "unused")
        files = replace(files, ca=directory / "ca.pem")
        yield Place(opened, ApiPlace("127.0.0.1", int(opened.bound["api_port"]), files))


@pytest.fixture
def place(site: Place, request: pytest.FixtureRequest) -> Place:
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_").lower())
    place = replace(site, provider=name[:32].strip("-"))
    place.describe()
    return place


class Sitting:
    """Somebody who runs the command at a terminal."""

    def __init__(self, place: Place, directory: Path) -> None:
        self.place, self.directory = place, directory
        self.number = 0

    def __call__(self, *typed: tuple[str, str], more: Sequence[str] = (), stop: str = "") -> Ran:
        """Run it: wait for each prompt and type what follows; press Ctrl-C at `stop`."""
        self.number += 1
        directory = self.directory / str(self.number)
        directory.mkdir()
        source = () if more and not more[0].startswith("-") else (self.place.file,)
        with closing(Terminal(directory)) as terminal:
            process = subprocess.Popen(
                [str(terminal.python), "-m", "bailee", "quickstart", *source]
                + [*more, "--caller", self.place.provider],
                cwd=self.place.site.directory,
                env=self.place.site.environ,
                stdin=terminal.end,
                stdout=subprocess.PIPE,
                stderr=terminal.end,
                text=True,
            )
            with process:
                for prompt, text in typed:
                    terminal.wait_for(prompt.encode())
                    terminal.type(text.encode())
                if stop:
                    terminal.wait_for(stop.encode())
                    process.send_signal(signal.SIGINT)
                code = terminal.wait_for_end(process)
                assert process.stdout is not None
                return Ran(code, process.stdout.read(), terminal.ever_shown.decode())


@pytest.fixture
def sit(place: Place, tmp_path: Path) -> Sitting:
    return Sitting(place, tmp_path)


def test_from_nothing_to_a_call(place: Place, sit: Sitting) -> None:
    """Typed answers lead to a call, a proven lock and a base URL; the key is shown nowhere."""
    key = place.api.make_key(["127.0.0.2"])
    ran = sit(
        (TRUST, "y"), (PINS, "b"), (BACKUP, NO_BACKUP), (KEY, f"  {key} "), ("this once? ", "y")
    )
    assert ran.code == 0, ran
    assert key not in ran.shown + ran.stdout
    for told in (
        "Bailee-Verdict: served",
        "enforced: served at the egress address",
        f"bailee provider add {place.file}",
        "--danger-no-backup",
    ):
        assert told in ran.shown
    assert "bailee_" not in ran.shown
    lines = dict(re.split(r"  +", line, maxsplit=1) for line in ran.stdout.splitlines())
    curl = lines["curl"].replace("$TOKEN", lines["token"])
    answer = subprocess.run(["bash", "-c", f"{curl} --silent"], capture_output=True, check=True)
    assert json.loads(answer.stdout)["addresses"] == ["127.0.0.2"]
    assert place.counted() == (1, 1, 1, 1, 1)
    again = sit(more=["-o", "json"])
    assert again.code == 0, again
    assert set(again.told["done"].values()) == {"reused"}
    assert (again.told["token"], again.told["lock"]["state"]) == (None, "enforced")
    assert place.counted() == (1, 1, 1, 1, 1)


def test_interrupted_at_each_prompt(place: Place, sit: Sitting) -> None:
    """Whatever was interrupted, the next run goes on from there, and nothing is there twice."""
    key = place.api.make_key(["127.0.0.2"])
    answers = [(TRUST, "y"), (PINS, "l"), (BACKUP, NO_BACKUP), (KEY, key)]
    done = 0
    for number, (prompt, _) in enumerate(answers):
        ran = sit(*answers[done:number], stop=prompt)
        assert ran.code == 130, ran
        # Pins are approved as a whole: both of their questions come again.
        done = (0, 1, 1, 3)[number]
    assert place.counted() == (1, 1, 0, 0, 0)
    ran = sit((KEY, key), stop="is sealed and stored")
    assert ran.code == 130
    ran = sit(stop="6  A first call")
    assert ran.code == 130
    ran = sit(("this once? ", "n"), more=["-o", "json"])
    assert ran.code == 0, ran
    assert set(ran.told["done"].values()) <= {"reused", "added"}
    assert place.counted() == (1, 1, 1, 1, 1)


def test_what_other_commands_made(place: Place, sit: Sitting) -> None:
    """Provider, pins, connection, caller and grant of their own commands are recognised."""
    place.run(f"provider add {place.file}")
    leaf = format_pin(place.learned().chain[0].pin)
    place.run(f"pin approve {place.provider} {leaf} --{NO_BACKUP}")
    key = place.api.make_key(["127.0.0.2"])
    (place.site.directory / "own.json").write_text(json.dumps({"api_key": key}))
    place.run(f"connection add {place.provider} --subject me < own.json")
    place.run(f"caller add {place.provider}")
    over = f"{place.provider} provider={place.provider}"
    place.run(f"grant add {over} --allow 'GET /**'")
    ran = sit(more=[place.provider, "--yes", "-o", "json"])
    assert ran.code == 0, ran
    assert set(ran.told["done"].values()) == {"reused"}
    assert place.counted() == (1, 1, 1, 1, 1)


def test_provider_is_refused(place: Place, sit: Sitting) -> None:
    """Who says no has proposed and approved nothing."""
    ran = sit((TRUST, "n"))
    assert ran.code == 1
    assert "nothing was approved" in ran.shown
    assert place.provider not in [each["id"] for each in place.admin.pages("/v1/providers")]


@pytest.mark.parametrize(
    "typed", [[(PINS, "n")], [(PINS, "b"), (BACKUP, "sha256/wrong"), (BACKUP, "")]]
)
def test_pins_are_refused(place: Place, sit: Sitting, typed: list[tuple[str, str]]) -> None:
    """Who says no, or knows no backup and does not go without by name, has approved no pin."""
    ran = sit((TRUST, "y"), *typed)
    assert ran.code == 1
    assert "no pin was approved" in ran.shown
    assert (place.pins(), place.connections()) == ([], [])


def test_backup_is_typed(place: Place, sit: Sitting) -> None:
    """A backup must not be in the chain; with a good one the set is no danger."""
    place.add_provider()
    leaf = format_pin(place.learned().chain[0].pin)
    spare = "sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
    ran = sit((PINS, "l"), (BACKUP, leaf), (BACKUP, spare), stop=KEY)
    assert "it is no backup" in ran.shown
    (pins,) = place.pins()
    assert (pins["pins"], pins["danger_no_backup"]) == ([leaf, spare], False)


def test_wrong_key(place: Place, sit: Sitting) -> None:
    """What the verdict means is said, a new key may be typed, and the next run may bring one."""
    place.add_trust()
    ran = sit((KEY, WRONG), ("what now: ", "s"))
    assert ran.code == 1
    assert "Bailee-Verdict: credential" in ran.shown
    assert "refused the key: it is unknown there" in ran.shown
    assert "run this again with --new-key" in ran.shown
    foreign, good = place.api.make_key(["127.0.0.5"]), place.api.make_key(["127.0.0.2"])
    ran = sit(
        (KEY, foreign),
        ("allowlist does not have 127.0.0.2", ""),
        ("what now: ", "k"),
        (KEY, good),
        ("this once? ", "n"),
        more=["--new-key", "-o", "json"],
    )
    assert ran.code == 0, ran
    assert (ran.told["done"]["connection"], ran.told["call"]["verdict"]) == ("rotated", "served")
    assert not any(each in ran.shown + ran.stdout for each in (WRONG, foreign, good))
    assert place.counted()[2:] == (1, 1, 1)


def test_address_is_refused(place: Place, sit: Sitting) -> None:
    """A key that is not for our address is told from a wrong one, with what to do."""
    place.add_trust()
    ran = sit((KEY, place.api.make_key(["127.0.0.5"])), ("what now: ", "s"))
    assert ran.code == 1
    assert "Bailee-Verdict: address" in ran.shown
    assert "hint: allow 127.0.0.2 in the key's settings at Reference API" in ran.shown


def test_signed_requests(place: Place, sit: Sitting) -> None:
    """Each field of a signing key has a hidden prompt, and its SDK's place is printed."""
    place.describe(KeyKind.HMAC)
    place.add_trust()
    made = place.api.make_any_key(["127.0.0.2"], kind="hmac")
    ran = sit(
        (KEY, made["api_key"]),
        ("api_secret: ", made["api_secret"]),
        ("this once? ", "y"),
        more=["-o", "json"],
    )
    assert ran.code == 0, ran
    assert made["api_secret"] not in ran.shown + ran.stdout
    told = ran.told
    assert (told["call"]["verdict"], told["lock"]["state"]) == ("served", "enforced")
    assert (told["token_goes_into"], told["dummy_secret"]) == ("header Reference-Key", "unused")


def test_changed_trust_record(place: Place, sit: Sitting) -> None:
    """A file that leads elsewhere is shown and asked for, and the key is taken again."""
    place.add_trust()
    key = place.api.make_key(["127.0.0.2"])
    assert sit((KEY, key), ("this once? ", "n")).code == 0
    place.describe(host="127.0.0.1")
    ran = sit((TRUST, "n"))
    assert "the trust record CHANGES: credentials must be entered again" in ran.shown
    assert ran.code == 1
    assert place.counted()[0] == 1
    ran = sit((TRUST, "y"), (KEY, key), ("this once? ", "n"), more=["-o", "json"])
    assert ran.code == 0, ran
    assert ran.told["done"]["connection"] == "rotated"
    assert place.counted() == (2, 1, 1, 1, 1)


def test_file_without_a_probe(place: Place, sit: Sitting) -> None:
    """A path is asked for; the lock can't be measured, which is said."""
    text = Path(place.file).read_text()
    Path(place.file).write_text(text[: text.index("[allowlisting]")])
    place.add_trust()
    key = place.api.make_key(["127.0.0.2"])
    ran = sit((KEY, key), ("a path to try", "v1"), ("a path to try", "/v1/balance"))
    assert ran.code == 0, ran
    assert "GET /v1/balance: 200" in ran.shown
    assert "its file does not say how it refuses" in ran.shown
    assert "the provider's file has no [probe]" in ran.shown


def test_gate_wants_a_lock(place: Place, sit: Sitting) -> None:
    """Where the tenant wants a lock before any call, it is measured, and the call made again."""
    place.add_trust()
    place.admin.change("/v1/tenants/default", {"gate": "enforced"})
    try:
        key = place.api.make_key(["127.0.0.2"])
        bad = sit((KEY, key), ("this once? ", "n"))
        ran = sit(("this once? ", "y"), more=["-o", "json"])
    finally:
        place.admin.change("/v1/tenants/default", {"gate": "none"})
    assert bad.code == 1
    assert "the tenant's gate wants a better lock than this key has" in bad.shown
    assert ran.code == 0, ran
    assert "Bailee-Error: lock-required" in ran.shown
    assert ran.told["call"]["verdict"] == "served"
