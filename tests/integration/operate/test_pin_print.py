"""What `pin print` prints is run against real TLS servers: it lets two keys in, and no third."""

import asyncio
import io
import json
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from bailee.cli import main
from bailee.reference.pki import Issued, World, create_intermediate, create_leaf
from origin import Origin, run_origin
from pki import expired_leaf

NAMES = ["localhost", "127.0.0.1"]
CURL_PIN_MISMATCH = 90
CURL_CHAIN_REFUSED = 60
KINDS = pytest.mark.parametrize("kind", ["curl", "python"])


@dataclass(frozen=True, slots=True)
class Own:
    """The operator's CA and server, and a directory with `ca.pem` and `spare.key`."""

    directory: Path
    world: World
    spare: Issued
    """The leaf that the spare key will have one day."""

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the directory."""
        return subprocess.run(
            command,
            cwd=self.directory,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def print(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Do what `bailee pin print` does, here: a process for each would take long."""
        told, said = io.StringIO(), io.StringIO()
        with (
            chdir(self.directory),
            redirect_stdout(told),
            redirect_stderr(said),
            pytest.raises(SystemExit) as left,
        ):
            main(["pin", "print", *arguments])
        code = left.value.code
        assert isinstance(code, int)
        return subprocess.CompletedProcess(arguments, code, told.getvalue(), said.getvalue())

    def snippet(self, port: int, kind: str, *more: str) -> "Snippet":
        """Print with the spare key as a backup, and write the snippet down."""
        arguments = (f"localhost:{port}", "--as", kind, "--ca-file", "ca.pem", *more)
        done = self.print(*arguments, "--backup-key", "spare.key")
        assert done.returncode == 0, done.stderr
        path = self.directory / f"{kind}-{port}"
        path.write_text(done.stdout)
        return Snippet(self, kind, path)


@dataclass(frozen=True, slots=True)
class Snippet:
    """A snippet in a file."""

    own: Own
    kind: str
    path: Path

    def run(self) -> subprocess.CompletedProcess[str]:
        """Run it as an application would."""
        program = ["sh"] if self.kind == "curl" else [sys.executable, "-W", "error"]
        return self.own.run(*program, str(self.path))

    def stops_at_pin(self) -> bool:
        """Whether it stops because no pin fits, and for no other reason."""
        done = self.run()
        if self.kind == "curl":
            return done.returncode == CURL_PIN_MISMATCH
        return done.returncode == 1 and "no pin fits the key of localhost" in done.stderr

    def stops_at_chain(self) -> bool:
        """Whether it stops because the chain is not valid."""
        done = self.run()
        if self.kind == "curl":
            return done.returncode == CURL_CHAIN_REFUSED
        return done.returncode == 1 and "SSLCertVerificationError" in done.stderr


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Own:
    directory = tmp_path_factory.mktemp("own")
    world = World.create(NAMES, title="Own")
    spare = create_leaf(world.issuer, NAMES)
    (directory / "ca.pem").write_bytes(world.root.pem)
    (directory / "spare.key").write_bytes(spare.key_pem)
    return Own(directory, world, spare)


@contextmanager
def serving(
    issued: Issued, port: int = 0, maximum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
) -> Iterator[Origin]:
    """Serve in a thread until the block ends."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    origin = run_origin(issued, port=port, maximum=maximum)
    try:
        yield asyncio.run_coroutine_threadsafe(origin.__aenter__(), loop).result(20)
    finally:
        ending = origin.__aexit__(None, None, None)
        asyncio.run_coroutine_threadsafe(ending, loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@KINDS
def test_snippet_lets_two_keys_in_and_no_third(own: Own, kind: str) -> None:
    """The present key and the spare one are served; another of the same CA and name gets nothing.

    Nor does a pin switch validation off: the present key in an expired certificate is refused.
    """
    with serving(own.world.leaf) as origin:
        snippet, port = own.snippet(origin.port, kind), origin.port
        assert origin.arrived == []
        assert snippet.run().returncode == 0
        assert len(origin.arrived) == 1
    with serving(own.spare, port) as origin:
        assert snippet.run().returncode == 0
        assert len(origin.arrived) == 1
    with serving(create_leaf(own.world.issuer, NAMES), port) as origin:
        assert snippet.stops_at_pin()
        assert (origin.arrived, origin.plain_bytes) == ([], 0)
    with serving(expired_leaf(own.world.issuer, NAMES), port) as origin:
        assert snippet.stops_at_chain()
        assert origin.plain_bytes == 0


@KINDS
def test_snippet_under_tls_1_2(own: Own, kind: str) -> None:
    """An operator's server may be older than what the gateway wants of providers."""
    with serving(own.world.leaf, maximum=ssl.TLSVersion.TLSv1_2) as origin:
        snippet, port = own.snippet(origin.port, kind), origin.port
        assert snippet.run().returncode == 0
    third = create_leaf(own.world.issuer, NAMES)
    with serving(third, port, ssl.TLSVersion.TLSv1_2) as origin:
        assert snippet.stops_at_pin()
        assert origin.plain_bytes == 0


def test_issuer_pin_in_python(own: Own) -> None:
    """It lets new keys of the same issuer in, and neither another issuer nor one just presented."""
    with serving(own.world.leaf) as origin:
        snippet, port = own.snippet(origin.port, "python", "--issuer"), origin.port
        assert snippet.run().returncode == 0
    with serving(create_leaf(own.world.issuer, NAMES), port):
        assert snippet.run().returncode == 0
    other = create_leaf(create_intermediate(own.world.root, "Other CA"), NAMES)
    with serving(other, port) as origin:
        assert snippet.stops_at_pin()
        assert origin.plain_bytes == 0
    assert own.world.intermediate is not None
    appended = Issued(
        other.certificate, other.key, (*other.above, own.world.intermediate.certificate)
    )
    with serving(appended, port) as origin:
        assert snippet.stops_at_pin()
        assert origin.plain_bytes == 0


def test_json_tells_what_was_pinned(own: Own) -> None:
    """The pins are those of the certificates, computed by another hand."""
    with serving(own.world.leaf) as origin:
        for more, present in (((), own.world.leaf), (("--issuer",), own.world.issuer)):
            done = own.print(
                f"127.0.0.1:{origin.port}", "--as", "python", "--ca-file", "ca.pem", *more,
                "--backup", own.spare.pin_text, "-o", "json",
            )  # fmt: skip
            told = json.loads(done.stdout)
            assert told["pins"] == [present.pin_text, own.spare.pin_text]
            assert (told["host"], told["port"]) == ("127.0.0.1", origin.port)
            assert told["pinned"] == ("issuer" if more else "leaf")
            assert all(pin in told["snippet"] for pin in told["pins"])
            assert len(told["rotation"]) >= 2
        assert origin.plain_bytes == 0


def test_new_backup_key(own: Own) -> None:
    """Its pin is in the snippet, and a file that is there is not written over."""
    with serving(own.world.leaf) as origin:
        arguments = (f"localhost:{origin.port}", "--as", "curl", "--ca-file", "ca.pem")
        done = own.print(*arguments, "--new-backup-key", "new.key")
        assert done.returncode == 0, done.stderr
        assert "new.key is the spare key" in done.stderr
        again = own.print(*arguments, "--backup-key", "new.key")
        assert again.stdout == done.stdout
        kept = (own.directory / "new.key").read_bytes()
        assert b"PRIVATE KEY" not in done.stdout.encode() + done.stderr.encode()
        refused = own.print(*arguments, "--new-backup-key", "new.key")
        assert (refused.returncode, refused.stdout) == (1, "")
        assert (own.directory / "new.key").read_bytes() == kept


def test_server_that_two_verifiers_refuse(own: Own) -> None:
    """No pin of a chain that is not valid is ever printed, and no spare key is made for it."""
    with serving(own.world.leaf) as origin:
        done = own.print(
            f"localhost:{origin.port}", "--as", "curl", "--new-backup-key", "unused.key"
        )
        assert (done.returncode, done.stdout) == (1, "")
        assert "refused the chain" in done.stderr
        assert "--ca-file" in done.stderr
        done = own.print(
            f"other.test:{origin.port}", "--address", "127.0.0.1", "--as", "curl",
            "--ca-file", "ca.pem", "--new-backup-key", "unused.key",
        )  # fmt: skip
        assert (done.returncode, done.stdout) == (1, "")
        assert "other.test" in done.stderr
    assert not (own.directory / "unused.key").exists()


def test_backup_that_is_none(own: Own) -> None:
    """A pin of the present chain is no backup; none at all is an error that says how to get one."""
    with serving(own.world.leaf) as origin:
        arguments = (f"localhost:{origin.port}", "--as", "curl", "--ca-file", "ca.pem")
        for pin in (own.world.leaf.pin_text, own.world.issuer.pin_text):
            done = own.print(*arguments, "--backup", pin)
            assert (done.returncode, done.stdout) == (1, "")
            assert "is no backup" in done.stderr
        done = own.print(*arguments)
        assert (done.returncode, done.stdout) == (1, "")
        for way in ("--new-backup-key", "--backup-key", "--backup sha256/"):
            assert way in done.stderr
