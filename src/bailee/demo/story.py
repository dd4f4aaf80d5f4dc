"""The story: played scene after scene, told as it goes, and ended without a trace."""

import json
import os
import shlex
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from bailee.demo.play import Play, open_play
from bailee.demo.scenes import SCENES
from bailee.demo.stage import Stage
from bailee.demo.telling import Check, NotTold, Scene, Teller, Told
from bailee.errors import BadInput

AS_TOLD, NOT_AS_TOLD = 0, 1
_FAILURES = (NotTold, OSError, ValueError, TypeError, LookupError, AttributeError)
"""What a scene may meet: an answer of another form is as wrong as none."""


def run(*, once: bool, json_file: Path | None = None, until: str | None = None) -> int:
    """Tell the whole story on this machine.

    Everything that it starts it ends, and its directory goes with it.

    Args:
        once: Leave at the end; otherwise stay up with a call to copy until Ctrl-C.
        json_file: Where to write what was seen: no secrets.
        until: The last scene to tell, by name; all of them by default.

    Returns:
        0 if all was as told, 1 if not.

    Raises:
        BadInput: `json_file` can't be written. Nothing was started.
        KeyboardInterrupt: It was interrupted in the middle. All has ended.
    """
    if json_file is not None:
        _require_writable(json_file)
    teller, started = Teller(), time.monotonic()
    teller.title("Bailee: one call, whole")
    teller.aside("A vault, an API, a thief and a fake, all on this machine. Nothing is kept.")
    with _sigterm_interrupts(), Stage() as stage, _deaf_to_interrupts_at_the_end():
        play, told = _tell(stage, teller, until)
        seconds = time.monotonic() - started
        passed = play is not None and all(check.passed for each in told for check in each.checks)
        teller.line("")
        _sum_up(teller, told, passed, seconds)
        if json_file is not None:
            _write(json_file, told, passed, seconds)
        if play is not None and passed and not once:
            # The last the vault heard is that the API is elsewhere.
            play.add_provider(play.place.port)
            _stay(play, teller)
    return AS_TOLD if passed else NOT_AS_TOLD


def _tell(stage: Stage, teller: Teller, until: str | None) -> tuple[Play | None, list[Told]]:
    """Tell scene after scene; one that can't be told to its end is the last.

    Returns:
        The cast, or None if the story broke off; and what was told.
    """
    told: list[Told] = []
    play: Play | None = None
    for number, scene in enumerate(SCENES, 1):
        teller.begin(number, scene)
        checks: list[Check] = []
        whole = True
        try:
            play = play or open_play(stage)
            for check in scene.play(play):
                checks.append(check)
                teller.check(check)
        except _FAILURES as error:
            checks.append(_broken(scene, error))
            teller.check(checks[-1])
            whole = False
        told.append(Told(scene, tuple(checks)))
        if not whole:
            return None, told
        if scene.name == until:
            break
    return play, told


def _broken(scene: Scene, error: Exception) -> Check:
    # Only our own texts are known to hold no secret.
    reason = str(error) if isinstance(error, NotTold) else type(error).__name__
    return Check(f"{scene.name}-told", "this could not be told to its end", False, {"why": reason})


def _sum_up(teller: Teller, told: list[Told], passed: bool, seconds: float) -> None:
    checks = [check for each in told for check in each.checks]
    held = sum(check.passed for check in checks)
    if passed:
        teller.title(f"All {held} checks held, in {seconds:.1f} seconds.")
    else:
        teller.title(f"Not as told: {held} of {len(checks)} checks held.")


def _stay(play: Play, teller: Teller) -> None:
    """Keep all of it up until Ctrl-C, or until the server ends."""
    teller.line("")
    teller.line("It stays up until Ctrl-C. Your turn, in another terminal:")
    teller.line("")
    teller.line(f"TOKEN={shlex.quote(play.token)}")
    teller.line(f"CALLS=http://127.0.0.1:{play.gateway_port}/{play.connection}")
    teller.line('curl -H "Authorization: Bearer $TOKEN" $CALLS/v1/balance')
    teller.line("")
    teller.aside("What the API sees of a call: $CALLS/v1/echo")
    teller.aside(f"The journal: bailee journal tail -f --config {play.vault / 'bailee.toml'}")
    try:
        play.server.wait()
        teller.line("The server has ended.")
    except KeyboardInterrupt:
        teller.line("")
    teller.aside("Ended; the vault and all processes are gone.")


def _require_writable(file: Path) -> None:
    target = file if file.exists() else file.parent
    if not os.access(target, os.W_OK) or file.is_dir():
        raise BadInput(f"{file} can't be written", "name a file in a directory of yours")


def _write(file: Path, told: list[Told], passed: bool, seconds: float) -> None:
    report = {
        "as_told": passed,
        "seconds": round(seconds, 3),
        "scenes": [each.described() for each in told],
    }
    file.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


@contextmanager
def _sigterm_interrupts() -> Iterator[None]:
    """Let SIGTERM and a closed terminal end the story as Ctrl-C does."""

    def interrupt(_: int, __: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {each: signal.signal(each, interrupt) for each in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for each, what in before.items():
            signal.signal(each, what)


@contextmanager
def _deaf_to_interrupts_at_the_end() -> Iterator[None]:
    """An impatient second Ctrl-C must not leave processes behind: ending them takes seconds."""
    try:
        yield
    finally:
        for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(each, signal.SIG_IGN)
