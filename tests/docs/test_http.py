"""What docs/http.md says of numbers, codes, settings and names is what the code has."""

import re
from pathlib import Path

import pytest

from bailee.config_keys import KEYS
from bailee.egress.pool import IDLE_SECONDS
from bailee.errors import BaileeError
from bailee.gateway.answers import ANSWER_HEAD_LIMIT, INTERIM_LIMIT
from bailee.gateway.inbound import BODY_WAITING_LIMIT
from bailee.gateway.limits import BYTES_PER_SECOND
from bailee.gateway.session import KEEP_ALIVE_SECONDS, LINGER_BYTES, LINGER_SECONDS
from bailee.gateway.verdict import HELD_LIMIT
from bailee.http.head import HEAD_LIMIT
from bailee.http.hop import STANDARD_REQUEST_HEADERS, answer_header_passes, may_never_pass
from bailee.model import RELAYED_METHODS

TEXT = (Path(__file__).parents[2] / "docs" / "http.md").read_text()
BOUNDS = {
    "head of a request": f"{HEAD_LIMIT >> 10} KiB",
    "trailer of a request": f"{HEAD_LIMIT >> 10} KiB",
    "body of a request, in time": (
        f"{BYTES_PER_SECOND >> 10} KiB a second on average, from `gateway.slow_seconds` on"
    ),
    "body that waits for the API": f"{BODY_WAITING_LIMIT >> 10} KiB",
    "head or trailer of an answer": f"{ANSWER_HEAD_LIMIT >> 10} KiB",
    "1xx answers before the one that counts": str(INTERIM_LIMIT),
    "a kept connection without a request": f"{KEEP_ALIVE_SECONDS:g} s",
    "a kept connection to the API": f"{IDLE_SECONDS:g} s",
    "body that nobody wants, read so that the refusal is seen": (
        f"{LINGER_BYTES >> 20} MiB or {LINGER_SECONDS:g} s"
    ),
}


def test_codes_are_errors() -> None:
    """Each code that stands behind a status is one of an error with that status."""
    statuses = {each.code: each.status for each in BaileeError.__subclasses__()}
    named = re.findall(r"\b([0-9]{3}) `([a-z-]+)`", TEXT)
    assert len({code for _, code in named}) >= 14
    assert {(code, int(status)) for status, code in named} <= statuses.items()


def test_settings_are_keys() -> None:
    """Each setting that is named is there."""
    named = set(re.findall(r"`(gateway\.[a-z_]+)`", TEXT))
    assert len(named) >= 7 and named <= {key.title for key in KEYS}


@pytest.mark.parametrize("what", BOUNDS)
def test_bound_is_that_of_the_code(what: str) -> None:
    """Its row names the constant's value."""
    (row,) = re.findall(rf"^\| {re.escape(what)} \| (.+?) \|", TEXT, re.MULTILINE)
    assert row == BOUNDS[what]


def test_every_bound_is_held_to_the_code() -> None:
    """A row is a setting's, or stands above."""
    rows = re.findall(r"^\| (.+?) \| (.+?) \|", TEXT.partition("## Bounds")[2], re.MULTILINE)[1:]
    assert {what for what, bound in rows if not bound.startswith("`gateway.")} == set(BOUNDS)
    assert f"held until it is whole, at most {HELD_LIMIT >> 10} KiB" in TEXT.replace("\n", " ")


def test_lists_are_those_of_the_code() -> None:
    """Methods and headers, none more and none less."""
    methods = _names_after("**Methods.**", ".")
    assert set(methods) == RELAYED_METHODS
    always = [name.lower().encode() for name in _names_after("Always:", "Besides")]
    assert sorted(always) == sorted(STANDARD_REQUEST_HEADERS)
    for name in ("cookie", "via", "forwarded", "x-forwarded-a", "x-original-url", "bailee-a"):
        assert may_never_pass(name.encode())
    dropped = _names_after("**What is dropped.**", "that is not ours")
    assert len(dropped) == 4
    assert not any(answer_header_passes(name.lower().encode()) for name in dropped)


def _names_after(start: str, end: str) -> list[str]:
    """What stands in backticks between two places."""
    return re.findall(r"`([A-Za-z.-]+)`", TEXT.partition(start)[2].partition(end)[0])
