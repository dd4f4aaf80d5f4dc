"""What does this answer mean? The conditions of a provider's file, held against an answer.

The status of an answer says little: some APIs refuse inside a 200, and others say 401 for whatever
went wrong. So a file names its refusals one by one, and what it does not name is never read as more
than it says.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from bailee.model import Condition, Meaning, Provider, Refusal
from bailee.providers.answer import NOWHERE, Answer, spelled

_LIMITED: Final = frozenset({418, 429})
# JSON spells these characters in one way alone, unless it escapes them as \uXXXX.
_PLAIN = re.compile(r"[A-Za-z0-9 :_\-]+")
_ESCAPED: Final = b"\\u"


def holds(condition: Condition, status: int, body: bytes) -> bool:
    """Tell whether an answer is what a condition describes.

    Args:
        condition: An empty one holds for every answer.
        status: The answer's status.
        body: The answer's body without any content coding; at most 64 KiB of it count.
    """
    return _holds(condition, Answer(status, body))


def meaning_of_call(provider: Provider, status: int, body: bytes) -> Meaning:
    """Say what the answer to a caller's request means: the gateway's `Bailee-Verdict`.

    The first refusal that fits counts; else 418 and 429 are a limit, every 2xx is served, and the
    rest is unclear. Use `compile_refusals` where there are many answers.
    """
    return compile_refusals(provider.refusals).of_call(status, body)


def meaning_of_probe(provider: Provider, status: int, body: bytes) -> Meaning:
    """Say what the answer to the file's own probe means.

    Stricter than for a call: it is served only where the probe's success holds, and a provider
    without a probe never serves one.
    """
    answer = Answer(status, body)
    for refusal in provider.refusals:
        if _holds(refusal.when, answer):
            return refusal.means
    if provider.probe is not None and _holds(provider.probe.success, answer):
        return Meaning.SERVED
    return Meaning.LIMITED if status in _LIMITED else Meaning.UNCLEAR


def compile_refusals(refusals: Iterable[Refusal]) -> "CompiledRefusals":
    """Make refusals ready to be held against many answers, in their order."""
    return CompiledRefusals(tuple(refusals))


@dataclass(slots=True)
class CompiledRefusals:
    """A provider's refusals, sorted by status as answers come."""

    refusals: tuple[Refusal, ...]
    _by_status: dict[int, "_Possible"] = field(default_factory=dict)

    def needs_body(self, status: int) -> bool:
        """Tell whether what an answer of this status means can depend on its body."""
        return bool(self._possible(status).refusals)

    def of_call(self, status: int, body: bytes) -> Meaning:
        """Say what the answer to a caller's request means, as `meaning_of_call` does."""
        possible = self._possible(status)
        if possible.refusals and (_ESCAPED in body or possible.traces.search(body)):
            answer = Answer(status, body)
            for refusal in possible.refusals:
                if _holds(refusal.when, answer):
                    return refusal.means
        if status in _LIMITED:
            return Meaning.LIMITED
        return Meaning.SERVED if 200 <= status <= 299 else Meaning.UNCLEAR

    def _possible(self, status: int) -> "_Possible":
        found = self._by_status.get(status)
        if found is None:
            found = self._by_status[status] = _possible_refusals(self.refusals, status)
        return found


@dataclass(frozen=True, slots=True)
class _Possible:
    """The refusals that a status leaves possible."""

    refusals: tuple[Refusal, ...]
    traces: re.Pattern[bytes]
    """Most answers refuse nothing: those in which this is not found are not parsed."""


def _possible_refusals(refusals: tuple[Refusal, ...], status: int) -> _Possible:
    possible = tuple(
        each for each in refusals if not each.when.status or status in each.when.status
    )
    traces = {re.escape(_trace(each.when)) for each in possible}
    return _Possible(possible, re.compile(b"" if b"" in traces else b"|".join(sorted(traces))))


def _holds(condition: Condition, answer: Answer) -> bool:
    if condition.status and answer.status not in condition.status:
        return False
    if condition.contains and not any(text.lower() in answer.text for text in condition.contains):
        return False
    return all(_is_something(answer.find(path)) for path in condition.present) and all(
        spelled(answer.find(path)) == value for path, value in condition.equals
    )


def _is_something(found: object) -> bool:
    return found is not NOWHERE and found is not None and found not in ("", [], {})


def _trace(condition: Condition) -> bytes:
    """Find a text that must stand in a body for the condition to hold; empty if none is known."""
    for _, value in condition.equals:
        if _PLAIN.fullmatch(value):
            return value.encode("ascii")
    return b""
