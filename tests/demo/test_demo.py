"""The demo, as a newcomer runs it: it tells the story, shows no secret and leaves nothing."""

import http.client
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from demo_run import Told, environment, leftovers, tell

CHECKS = {
    "key": ["key-allowlisted"],
    "custody": ["provider-approved", "pinned", "wrong-pin", "sealed"],
    "call": ["served", "source", "key-placed", "key-masked"],
    "thief": ["thief-refused", "address-decides"],
    "lock": ["lock-enforced", "lock-open", "exposure"],
    "fake": ["believed", "fake-nothing", "appended-nothing", "genuine-again"],
    "refusals": ["no-grant", "wrong-token", "denied-path", "none-reached"],
    "moved": ["moved-valid", "moved-closed", "moved-nothing"],
    "journal": ["journal-sound", "intents", "no-secret"],
}
SECRET = re.compile(r"bailee_[0-9A-Za-z]{20}|reference_(key|session)_|[0-9A-Za-z_-]{50}")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """One whole demo."""
    return tell(tmp_path_factory.mktemp("demo") / "scratch")


def test_demo_when_all_is_well(told: Told) -> None:
    """It exits with 0, and every check of every scene was made and held."""
    seen = {name: told.checks[name]["seen"] for name in told.failed}
    assert (told.code, seen, told.stderr) == (0, {}, "")
    scenes = told.report["scenes"]
    made = {each["name"]: [check["name"] for check in each["checks"]] for each in scenes}
    assert made == CHECKS
    assert told.report["as_told"] is True


def test_fakes_when_they_are_called(told: Told) -> None:
    """The fake's own process counted 0 bytes of Bailee, and all that a trusting client sent."""
    for name in ("fake-nothing", "appended-nothing"):
        seen = told.checks[name]["seen"]
        assert (seen["plaintext_bytes"], seen["handshakes"]) == (0, 0)
        assert (seen["connections"], seen["error"]) == (1, "pin-mismatch")
        assert seen["raw_bytes"] > 0
    for name in ("believed", "moved-valid"):
        assert told.checks[name]["seen"]["plaintext_bytes"] > 0
    assert told.checks["moved-nothing"]["seen"] == {"connections": 0, "plaintext_bytes": 0}


def test_demo_when_it_is_read(told: Told) -> None:
    """Its text fits 80 columns, has a mark for each check, and no colours where none are wanted."""
    assert max(map(len, told.stdout.splitlines())) <= 80
    assert told.stdout.count("✓") == sum(map(len, CHECKS.values()))
    assert "✗" not in told.stdout
    assert "\x1b" not in told.stdout


def test_demo_shows_no_secret(told: Told) -> None:
    """Neither text nor report holds a key, a session or a token."""
    assert SECRET.search("TOKEN=bailee_" + "a" * 49)
    assert SECRET.search(told.stdout) is None
    assert SECRET.search((told.scratch / "report.json").read_text()) is None


def test_demo_leaves_nothing(told: Told) -> None:
    """Its directory is removed and every process has ended."""
    assert leftovers(told.scratch) == []


@contextmanager
def running(scratch: Path) -> Iterator[subprocess.Popen[str]]:
    """A demo that stays up."""
    with subprocess.Popen(
        [sys.executable, "-m", "bailee", "demo"],
        env=environment(scratch),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.terminate()


def read_until(process: subprocess.Popen[str], start: str) -> list[str]:
    """Read lines of a demo's text until one starts as given."""
    lines: list[str] = []
    assert process.stdout is not None
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if line.startswith(start):
            return lines
    raise AssertionError(lines)


def test_demo_when_it_stays(tmp_path: Path) -> None:
    """The call that it prints is served from 127.0.0.2 as printed, and Ctrl-C ends all of it."""
    scratch = tmp_path / "scratch"
    with running(scratch) as process:
        lines = read_until(process, "curl ")
        assert lines[-1] == 'curl -H "Authorization: Bearer $TOKEN" $CALLS/v1/balance'
        token, calls = (line.partition("=")[2] for line in lines[-3:-1])
        url = urlsplit(calls)
        assert url.hostname is not None
        connection = http.client.HTTPConnection(url.hostname, url.port, timeout=30)
        for path, expected in (("/v1/balance", b'"EUR": "1000.00"'), ("/v1/echo", b'"127.0.0.2"')):
            connection.request("GET", url.path + path, headers={"Authorization": f"Bearer {token}"})
            answer = connection.getresponse()
            assert answer.status == 200
            assert expected in answer.read()
        connection.close()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        assert (process.returncode, err) == (0, "")
        assert "gone" in out
    assert leftovers(scratch) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_demo_when_interrupted(tmp_path: Path, number: signal.Signals) -> None:
    """A signal in the middle ends all of it, in one line and without a trace."""
    scratch = tmp_path / "scratch"
    with running(scratch) as process:
        read_until(process, "2 ")
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
        assert (process.returncode, err.strip()) == (130, "bailee: interrupted")
    assert leftovers(scratch) == []


def test_demo_when_its_report_has_no_place(tmp_path: Path) -> None:
    """A report that can't be written is said before anything is started."""
    scratch = tmp_path / "scratch"
    ran = subprocess.run(
        [sys.executable, "-m", "bailee", "demo", "--once", "--json", str(tmp_path / "no" / "r")],
        env=environment(scratch),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "can't be written" in ran.stderr
    assert leftovers(scratch) == []


def test_leftovers_when_there_are_some(tmp_path: Path) -> None:
    """What looks for leftovers finds files and processes."""
    environ = environment(tmp_path / "scratch")
    (tmp_path / "scratch" / "tmp" / "file").touch()
    with subprocess.Popen(
        [sys.executable, "-c", "print(flush=True); input()"],
        env={**os.environ, **environ},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        found = leftovers(tmp_path / "scratch")
        process.kill()
    assert found[0] == "file"
    assert found[1].startswith(f"process {process.pid}:")
