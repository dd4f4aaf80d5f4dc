"""The story: played scene after scene, told as it goes, and ended without a trace."""

import json
import os
import shlex
import signal
import sys
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from bailee.demo.play import Play, open_play
from bailee.demo.scenes import SCENES
from bailee.demo.stage import Stage
from bailee.demo.telling import Check, NotTold, Scene, Teller, Told
from bailee.errors import BadInput

AS_TOLD, NOT_AS_TOLD = 0, 1
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_FAILURES = (NotTold, OSError, ValueError, TypeError, LookupError, AttributeError)
"""What a scene may meet: an answer of another form is as wrong as none."""


def run(
    *,
    once: bool,
    json_file: Path | None = None,
    only: Collection[str] = (),
    as_json: bool = False,
) -> int:
    """Tell the whole story on this machine.

    Everything that it starts it ends, and its directory goes with it.

    Args:
        once: Leave at the end; otherwise stay up with a call to copy until Ctrl-C.
        json_file: Where to write what was seen: no secrets.
        only: Names of scenes to tell after the first two; all of them by default.
        as_json: Tell it on stderr, and print what was seen on stdout as JSON.

    Returns:
        0 if all was as told, 1 if not.

    Raises:
        BadInput: `json_file` can't be written. Nothing was started.
        KeyboardInterrupt: It was interrupted in the middle. All has ended.
    """
    if json_file is not None:
        _require_writable(json_file)
    teller, started = Teller(sys.stderr if as_json else None), time.monotonic()
    teller.title("Bailee: one call, whole")
    teller.aside("A vault, an API, a thief and a fake, all on this machine. Nothing is kept.")
    with _signals_interrupt(), Stage() as stage, _deaf_at_the_end():
        play, told = _tell(stage, teller, [each for each in SCENES if _is_told(each, only)])
        seconds = time.monotonic() - started
        passed = play is not None and all(check.passed for each in told for check in each.checks)
        teller.line("")
        _sum_up(teller, told, passed, seconds)
        report = _report(told, passed, seconds)
        if json_file is not None:
            json_file.write_text(report, encoding="utf-8")
        if as_json:
            print(report, end="", flush=True)
        if play is not None and passed and not once:
            play.move_back()
            _stay(play, teller)
    return AS_TOLD if passed else NOT_AS_TOLD


def _tell(stage: Stage, teller: Teller, scenes: Sequence[Scene]) -> tuple[Play | None, list[Told]]:
    """Tell scene after scene; one that can't be told to its end is the last.

    Returns:
        The cast, or None if the story broke off; and what was told.
    """
    told: list[Told] = []
    play: Play | None = None
    for number, scene in enumerate(scenes, 1):
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
    return play, told


def _is_told(scene: Scene, only: Collection[str]) -> bool:
    return not only or scene.name in only or scene in SCENES[:2]


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


def _report(told: list[Told], passed: bool, seconds: float) -> str:
    report = {
        "as_told": passed,
        "seconds": round(seconds, 3),
        "scenes": [each.described() for each in told],
    }
    return json.dumps(report, indent=2, ensure_ascii=False) + "\n"


@contextmanager
def _signals_interrupt() -> Iterator[None]:
    """Let SIGTERM and a closed terminal end the story as Ctrl-C does."""

    def interrupt(_: int, __: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {each: signal.getsignal(each) for each in _SIGNALS}
    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGHUP, interrupt)
    try:
        yield
    finally:
        for each, what in before.items():
            signal.signal(each, what)


@contextmanager
def _deaf_at_the_end() -> Iterator[None]:
    """An impatient second Ctrl-C must not leave processes behind: ending them takes seconds."""
    try:
        yield
    finally:
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_IGN)
