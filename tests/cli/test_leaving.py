"""How commands leave when they are cut short."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import bailee
from bailee.operate.setup import create_vault

LINE = (
    '{"type":"start","chain":"gateway-20260101-000000-0000000000000000","at":1.0,'
    '"role":"gateway","host":"h","version":"0","seq":1,"hash":"' + "0" * 64 + '"}\n'
)


def start(arguments: list[str], stdout: int) -> subprocess.Popen[bytes]:
    """Run a command as a process of its own."""
    environ = {**os.environ, "PYTHONPATH": str(Path(bailee.__file__).parents[1])}
    command = [sys.executable, "-m", "bailee", *arguments]
    return subprocess.Popen(command, env=environ, stdout=stdout, stderr=subprocess.PIPE)


def make_journal(directory: Path) -> Path:
    """A vault with one line in its journal; returns its config."""
    made = create_vault(directory / "d", ())
    chain = made.directory / "journal" / "gateway-20260101-000000-0000000000000000.jsonl"
    chain.write_text(LINE)
    return made.config


def test_interrupt_of_a_tail(tmp_path: Path) -> None:
    """^C ends with 130 and one line, not with a traceback."""
    config = make_journal(tmp_path)
    arguments = ["journal", "tail", "-f", "-o", "json", "--config", str(config)]
    with start(arguments, subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == LINE.encode()
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=30)
        finally:
            process.kill()
    assert errors.strip() == b"bailee: interrupted"
    assert process.returncode == 130


def test_reader_that_has_had_enough(tmp_path: Path) -> None:
    """A closed pipe, as of `| head -1`, ends quietly with 1."""
    config = make_journal(tmp_path)
    reading, writing = os.pipe()
    os.close(reading)
    try:
        arguments = ["journal", "export", "--config", str(config)]
        with start(arguments, writing) as process:
            _, errors = process.communicate(timeout=30)
    finally:
        os.close(writing)
    assert errors == b""
    assert process.returncode == 1
