"""The cast of the story and what it does in more than one scene."""

import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bailee.demo.stage import Command, Stage
from bailee.demo.telling import NotTold
from bailee.demo.wire import Answer, HttpsPlace, ask_http, ask_https
from bailee.reference.pki import World, create_leaf
from bailee.reference.provider_file import provider_file

API_NAME = "api.test"
API_ADDRESS = "127.0.0.1"
EGRESS = "127.0.0.2"
THIEF = "127.0.0.3"
DECOY = "127.0.1.3"
"""Outside of the egress address's /24: a neighbour's refusal proves nothing."""
USER = "127.0.0.77"
"""Where the user's browser is: the API's console is open to any address."""
PROVIDER = "ref"
APPLICATION = "app"
STRANGER = "stranger"
SERVING = b'"event": "serving"'
SERVER_LOG = "server.log"
CHANGE_SECONDS = 5.0
"""A change reaches every worker within one; a machine under load is given more."""
CHANGE_POLL_SECONDS = 0.05
_DECOY_ENTRY = """
[[decoy]]
name = "decoy"
bind = "{}"
"""


@dataclass(frozen=True, slots=True)
class Fake:
    """A running fake API."""

    process: subprocess.Popen[bytes]
    place: HttpsPlace


@dataclass(slots=True)
class Play:
    """Everybody in the story, and what they know. Mutable: scenes hand it on."""

    stage: Stage
    world: World
    """The genuine API's certificates."""
    spare_pin: str
    """Of the key that the API keeps for later: the backup pin."""
    place: HttpsPlace
    """Where the genuine API is. Its roots hold two CAs; a client trusts both."""
    gateway_port: int
    api: subprocess.Popen[bytes]
    server: subprocess.Popen[bytes]
    api_key: str = ""
    key_id: str = ""
    """What the API calls this key."""
    past_keys: list[str] = field(default_factory=list)
    """Keys that the user had before, and those of others."""
    connection: str = ""
    token: str = ""
    stranger_token: str = ""
    direct: int = 0
    """Keyed requests that were sent to the API around Bailee."""
    counted_before: int = 0
    """Keyed requests that the API had counted when it was stopped."""
    answered: list[str] = field(default_factory=list)
    """Ids of calls that the genuine API answered."""
    cut: list[str] = field(default_factory=list)
    """Ids of calls that were sent, and cut by a change of the vault before they were answered."""

    @property
    def vault(self) -> Path:
        """The vault's directory."""
        return self.stage.directory / "vault"

    # --- the API and its user ---

    def make_key(self) -> Any:
        """The user signs up at the API and makes a key for Bailee's address; returns its answer."""
        made = self._make_key("ann", [EGRESS])
        if self.api_key:
            self.past_keys.append(self.api_key)
        self.api_key, self.key_id = str(made["api_key"]), str(made["id"])
        return made

    def make_open_key(self) -> str:
        """Another user makes a key that any address may use; returns the key."""
        key = str(self._make_key("bob", None)["api_key"])
        self.past_keys.append(key)
        return key

    def _make_key(self, name: str, allow: list[str] | None) -> Any:
        session = str(self._console("POST", "/users", "", {"name": name}).json["session"])
        asked = {"label": "for the app", "allow": allow, "permissions": ["read", "withdraw"]}
        return self._console("POST", "/keys", session, asked).json

    def use_key_from(self, source: str) -> Answer:
        """Use the user's key around Bailee."""
        self.direct += 1
        return ask_https(self.place, source, "GET", "/v1/balance", self.api_key)

    def api_counters(self) -> dict[str, int]:
        """What the API counted since its start, the console left out."""
        counted: dict[str, int] = self._console("GET", "/counters", "", None).json
        return {name: count for name, count in counted.items() if name != "console"}

    def api_requests(self) -> int:
        """How many requests with a key reached the API in the whole story, Bailee's alone."""
        return self.counted_before + sum(self.api_counters().values()) - self.direct

    def stop_api(self) -> None:
        """End the genuine API, whose memory is lost."""
        self.counted_before += sum(self.api_counters().values())
        self.stage.end(self.api)

    def start_api(self) -> None:
        """Start the genuine API again where it was, with the same certificate."""
        self.api = start_api(self.stage, self.place.port)
        self.stage.read_line(self.api, "the API")

    def _console(self, method: str, path: str, session: str, value: object) -> Answer:
        answer = ask_https(self.place, USER, method, path, session, value)
        if answer.status >= 300:
            raise NotTold(f"the API's console answered {method} {path} with {answer.status}")
        return answer

    # --- the application ---

    def call(self, path: str, *, method: str = "GET", token: str | None = None) -> Answer:
        """Call through Bailee, as the application unless it is another's token."""
        answer = ask_http(
            self.gateway_port,
            method,
            f"/{self.connection}{path}",
            self.token if token is None else token,
            {} if method == "POST" else None,
        )
        if not answer.error:
            self.answered.append(answer.headers.get("bailee-call", ""))
        elif answer.json.get("reached") == "maybe":
            self.cut.append(answer.headers.get("bailee-call", ""))
        return answer

    def call_until(self, path: str, is_so: Callable[[Answer], bool]) -> Answer:
        """Call again and again until it answers as a change of the vault wants it."""
        deadline = time.monotonic() + CHANGE_SECONDS
        while not is_so(answer := self.call(path)) and time.monotonic() < deadline:
            time.sleep(CHANGE_POLL_SECONDS)
        return answer

    # --- commands and fakes ---

    def bailee(self, *arguments: str, stdin: bytes = b"") -> Any:
        """Run a `bailee` command and return the JSON that it prints.

        Raises:
            NotTold: It failed.
        """
        return self.stage.run(Command((*arguments, "-o", "json"), stdin))[0].json

    def add_provider(self, port: int) -> Any:
        """Say where the API is, and approve it; returns the command's answer."""
        path = self.stage.directory / "ref.toml"
        url = f"https://{API_NAME}:{port}"
        text = provider_file(
            url, id=PROVIDER, address=API_ADDRESS, ca_file="roots.pem", private=True
        )
        path.write_text(text, encoding="utf-8")
        return self.bailee("provider", "add", str(path))

    def move_back(self) -> None:
        """Let the provider's record lead to the genuine API again, and wait until calls go there.

        Raises:
            NotTold: They don't.
        """
        self.add_provider(self.place.port)
        if self.call_until("/v1/balance", lambda answer: answer.status == 200).status != 200:
            raise NotTold("calls are not served after the record was set right")

    def start_fake(self, port: int, name: str) -> Fake:
        """Start a fake with the certificates `NAME.pem` and the key `NAME.key`."""
        directory = self.stage.directory
        process = self.stage.start(
            "bailee.demo.fake",
            *(str(port), str(directory / f"{name}.pem"), str(directory / f"{name}.key")),
            log=f"{name}.log",
        )
        self.stage.read_line(process, "the fake API")
        return Fake(process, HttpsPlace(API_ADDRESS, port, API_NAME, self.place.roots))

    def fake_counts(self, fake: Fake) -> dict[str, int]:
        """Ask a fake's process what it counted."""
        assert fake.process.stdin is not None
        fake.process.stdin.write(b"\n")
        fake.process.stdin.flush()
        counts: dict[str, int] = self.stage.read_line(fake.process, "the fake API")
        return counts


def open_play(stage: Stage) -> Play:
    """Write certificates, start the API, make a vault and start its server."""
    world, spare_pin = _write_certificates(stage.directory)
    port = stage.free_port()
    api = start_api(stage, port)
    vault = str(stage.directory / "vault")
    made = stage.run(Command(("init", vault, "--egress", EGRESS, "-o", "json")))[0].json
    with open(made["config"], "a", encoding="utf-8") as config:
        config.write(_DECOY_ENTRY.format(DECOY))
    doors = {role: stage.free_port() for role in ("gateway", "public", "admin")}
    stage.set_environ(
        {f"BAILEE_{role.upper()}__LISTEN": f"127.0.0.1:{door}" for role, door in doors.items()}
        | {"BAILEE_CONFIG": made["config"], "BAILEE_GATEWAY__WORKERS": "1"}
    )
    server = stage.start("bailee", "serve", log=SERVER_LOG)
    stage.read_line(api, "the API")
    place = HttpsPlace(API_ADDRESS, port, API_NAME, stage.directory / "roots.pem")
    return Play(stage, world, spare_pin, place, doors["gateway"], api, server)


def start_api(stage: Stage, port: int) -> subprocess.Popen[bytes]:
    """Start the reference API with the genuine certificate."""
    certificate, key = stage.directory / "server.pem", stage.directory / "server.key"
    files = ("--certificate", str(certificate), "--key", str(key))
    where = f"{API_ADDRESS}:{port}"
    words = ("reference-api", "--listen", where, *files, "-o", "json")
    return stage.start("bailee", *words, log="api.log")


def _write_certificates(directory: Path) -> tuple[World, str]:
    """Write two CAs that are both trusted, the API's certificate of one, fakes' of the other.

    Returns:
        The genuine world, and the pin of a key of it that is not in use.
    """
    genuine, other = World.create([API_NAME]), World.create([API_NAME], title="Another trusted")
    genuine.write(directory)
    (directory / "roots.pem").write_bytes(genuine.root.pem + other.root.pem)
    other.leaf.write(directory, "fake")
    chain, _ = create_leaf(other.issuer, [API_NAME]).write(directory, "appended")
    # What the genuine API presents is public: whoever wants to can present it, too.
    chain.write_bytes(chain.read_bytes() + genuine.leaf.chain_pem)
    return genuine, create_leaf(genuine.issuer, [API_NAME]).pin_text
