"""What of an answer is seen before it is passed on, and what must never be seen in it.

Most answers come whole, mean what their status says and show nothing: they need no screen.
"""

from collections.abc import Sequence

import structlog

from bailee.errors import AnswerMalformed
from bailee.gateway.answers import Begun
from bailee.gateway.opening import Needles
from bailee.gateway.route import ProviderView
from bailee.gateway.verdict import HeldAnswer, is_coded, judge, must_hold, verdict_lines
from bailee.http.echo import EchoGuard, mask
from bailee.model import CallId, Meaning

_log = structlog.get_logger("gateway")


class Screen:
    """Stands in the way of one answer: holds it until its meaning is known, masks the credential.

    Args:
        call: Whose answer it is.
        view: The provider.
        needles: What must not stand in the answer.
    """

    def __init__(self, call: CallId, view: ProviderView, needles: Needles) -> None:
        self._call = call
        self._view = view
        self._needles = needles
        self._held: HeldAnswer | None = None
        self._guard: EchoGuard | None = None
        self.limited = False
        """Whether it means that the provider limits; known with the verdict."""
        self.verdict: Sequence[bytes] = ()
        """Header lines that tell the caller what the answer means, once that is known."""

    def __repr__(self) -> str:
        return f"Screen({self._call}, {self._held})"

    @property
    def holds(self) -> bool:
        """Whether the answer is held back."""
        return self._held is not None

    def sift(
        self, begun: Begun | None, pieces: list[bytes], *, last: bool
    ) -> tuple[Begun | None, list[bytes]]:
        """Take what came of the answer, and give what may be passed on of it now.

        Raises:
            AnswerMalformed: Nothing can be looked for in it, and the provider shows credentials.
        """
        if begun is not None and self._view.provider.echoes and is_coded(begun):
            raise AnswerMalformed("an answer that may show the credential is compressed")
        if self._view.refusals is not None and (begun is not None or self._held is not None):
            begun, pieces = self._judged(begun, pieces, last=last)
            if begun is None:
                return None, []
        if self._guard is not None or (not last and self._needles):
            pieces = self._guarded(pieces, last=last)
        return begun, pieces

    def _judged(
        self, begun: Begun | None, pieces: list[bytes], *, last: bool
    ) -> tuple[Begun | None, list[bytes]]:
        """Hold the answer back until its meaning is known; its head is None until then."""
        refusals, held = self._view.refusals, self._held
        if held is None and begun is not None and refusals is not None:
            if not must_hold(refusals, begun):
                return self._understood(begun, [], pieces)
            held = self._held = HeldAnswer(begun)
        if held is None:
            return begun, pieces
        held.add(pieces)
        if not last and not held.full:
            return None, []
        self._held = None
        return self._understood(held.begun, held.pieces, held.pieces)

    def _understood(
        self, begun: Begun, seen: list[bytes], pieces: list[bytes]
    ) -> tuple[Begun, list[bytes]]:
        refusals = self._view.refusals
        if refusals is not None:
            meaning = judge(refusals, begun, seen)
            self.limited = meaning is Meaning.LIMITED
            self.verdict = verdict_lines(self._call, self._view, begun, meaning)
        return begun, pieces

    def _guarded(self, pieces: list[bytes], *, last: bool) -> list[bytes]:
        """Take the credential out of a part of a body that comes in several."""
        guard = self._guard
        if guard is None:
            guard = self._guard = EchoGuard(self._needles)
        before = guard.masked
        body = guard.feed(b"".join(pieces), last=last)
        if guard.masked and not before:
            warn_of_echo(self._call)
        return [body] if body else []


def mask_whole(data: bytes, needles: Needles, call: CallId) -> bytes:
    """Take the credential out of a head, and of a whole answer."""
    masked = mask(data, needles)
    if masked is not data:
        warn_of_echo(call)
    return masked


def warn_of_echo(call: CallId) -> None:
    """Say once that a provider shows credentials."""
    _log.warning("the answer shows the credential: it was masked", call=call)
