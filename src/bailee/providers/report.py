"""What a provider itself says about a credential: where it may be used from, and what it may do.

Such a report can hold the credential, so nothing of it gets out of here but addresses, booleans and
the names of powers. What can't be read whole is reported as not told: an entry that nobody
understood could be anywhere.
"""

import re
from typing import Final

from bailee.errors import BadInput
from bailee.model import Provider, Report, SelfReport
from bailee.policy.allowlist import Allowlist
from bailee.providers.answer import NOWHERE, Answer, spelled
from bailee.providers.refusal import holds

POWERS: Final = ("read", "trade", "withdraw")
ADDRESSES_MAX: Final = 1024

_SEPARATORS = re.compile(r"[,;\s]+")


def read_report(provider: Provider, body: bytes, status: int = 200) -> Report:
    """Read the answer to a provider's `[report]` request.

    Args:
        provider: One without a report is told nothing.
        body: The answer's body without any content coding; at most 64 KiB of it count.
        status: The answer's status.

    Returns:
        What was told. An answer that is not the report that the file describes tells nothing.
    """
    report = provider.report
    if report is None or not holds(report.success, status, body):
        return Report()
    answer = Answer(status, body)
    restricted, addresses = _addresses(report, answer)
    if report.restricted:
        told = answer.find(report.restricted)
        restricted = _both(restricted, told) if report.addresses else _boolean(told)
    return Report(addresses if restricted else (), restricted, _powers(report, answer))


def _addresses(report: SelfReport, answer: Answer) -> tuple[bool | None, tuple[str, ...]]:
    """Return whether the report names addresses, and which."""
    if not report.addresses:
        return None, ()
    entries = _entries(answer.find(report.addresses))
    if entries is None or len(entries) > ADDRESSES_MAX:
        return None, ()
    if any(entry in report.unrestricted_values for entry in entries or ("",)):
        return False, ()
    try:
        allowlist = Allowlist.parse(entries)
    except BadInput:
        return None, ()
    if any(network.prefixlen == 0 for network in allowlist.networks):
        return False, ()
    return (True, allowlist.entries) if allowlist else (None, ())


def _entries(found: object) -> tuple[str, ...] | None:
    """Split a list, or a text separated by commas or spaces; `None` for anything else."""
    if isinstance(found, str):
        return tuple(each for each in _SEPARATORS.split(found) if each)
    if isinstance(found, list) and all(isinstance(each, str) for each in found):
        return tuple(each.strip() for each in found)
    return None


def _boolean(told: object) -> bool | None:
    return told if isinstance(told, bool) else None


def _both(named: bool | None, told: object) -> bool | None:
    """Believe the list and the boolean only where they agree; one that says open is enough."""
    flag = _boolean(told)
    if named is False or flag is False:
        return False
    return True if named and flag else None


def _powers(report: SelfReport, answer: Answer) -> tuple[str, ...]:
    had = {power for power, path, value in report.powers if _says(answer.find(path), value)}
    return tuple(power for power in POWERS if power in had)


def _says(found: object, value: str) -> bool:
    """Tell whether what a path leads to is a value, or a list or text that has it as one entry."""
    if found is NOWHERE:
        return False
    if isinstance(found, list):
        return any(spelled(each) == value for each in found)
    return spelled(found) == value or value in (_entries(found) or ())
