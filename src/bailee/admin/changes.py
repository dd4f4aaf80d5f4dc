"""Every change that is made here stands in the journal: asked for, and then how it went."""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import structlog

from bailee.errors import BaileeError, JournalUnavailable
from bailee.journal.entry import Event
from bailee.journal.writer import Journal
from bailee.model import Role, TenantId, TokenId
from bailee.policy.token import PREFIX

_log = structlog.get_logger("admin")
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,127}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks: a token by its id, its role, and whose things the request is about."""

    token: TokenId
    tenant: TenantId
    role: Role


@dataclass(slots=True)
class Change:
    """A change under way. A route sets `target` when only the change itself told the id."""

    target: str
    detail: dict[str, str] = field(default_factory=dict)


class Changes:
    """Writes changes into the journal of this process, from any thread.

    Args:
        journal: Of the role `admin`; nobody else writes to it.
        clock: Unix seconds.
    """

    def __init__(self, journal: Journal, clock: Callable[[], float]) -> None:
        self._journal = journal
        self._clock = clock
        self._writing = threading.Lock()

    def __repr__(self) -> str:
        return f"Changes({self._journal!r})"

    @contextmanager
    def change(self, actor: Actor, kind: str, target: str = "", **detail: str) -> Iterator[Change]:
        """Record a change around its making. What can't be recorded is not made.

        Two lines: `step` is `asked`, then `done`, `refused` (with the error's code) or `failed`.
        `detail` must not hold a credential, a token, or a subject.

        Args:
            actor: Who asks.
            kind: What is changed, as in `caller.add`.
            target: The id or name of the thing; one that has not the form of a name is left out.
            detail: More of it.

        Raises:
            JournalUnavailable: It can't be recorded, and nothing was changed.
        """
        change = Change(target, detail)
        self._write(actor, kind, change, "asked")
        try:
            yield change
        except BaileeError as error:
            change.detail["code"] = error.code
            self._write_after(actor, kind, change, "refused")
            raise
        except BaseException:
            self._write_after(actor, kind, change, "failed")
            raise
        self._write_after(actor, kind, change, "done")

    def _write(self, actor: Actor, kind: str, change: Change, step: str) -> None:
        event = Event(
            kind=kind,
            at=self._clock(),
            actor=actor.token,
            tenant=actor.tenant,
            target=_plain(change.target),
            detail={"step": step} | {name: _plain(text) for name, text in change.detail.items()},
        )
        with self._writing:
            self._journal.record(event)

    def _write_after(self, actor: Actor, kind: str, change: Change, step: str) -> None:
        """The change is made or refused already: that it was asked for stands in the journal."""
        try:
            self._write(actor, kind, change, step)
        except JournalUnavailable as failure:
            _log.error("a change's end is not in the journal", kind=kind, step=step, **_of(failure))


def _plain(text: str) -> str:
    """Pass ids and names, and nothing that could be free text or a token."""
    return text if _PLAIN.fullmatch(text) and not text.startswith(PREFIX) else ""


def _of(error: BaileeError) -> dict[str, str]:
    return {"code": error.code, "detail": error.detail}
