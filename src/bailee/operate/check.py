"""One line of what `bailee doctor` says."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Check:
    """What was looked at, how it is, and what to do about it."""

    level: Level
    about: str
    found: str
    advice: str = ""


def ok(about: str, found: str) -> Check:
    """It is in order."""
    return Check(Level.OK, about, found)


def warn(about: str, found: str, advice: str) -> Check:
    """It works, and should be looked at."""
    return Check(Level.WARN, about, found, advice)


def fail(about: str, found: str, advice: str) -> Check:
    """It does not work, or it breaks a promise."""
    return Check(Level.FAIL, about, found, advice)
