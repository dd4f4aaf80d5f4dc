"""`bailee serve`: start the roles, restart what dies, reload on SIGHUP, drain on SIGTERM."""

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import structlog

from bailee.config import Settings, load
from bailee.errors import BaileeError
from bailee.supervise.bus import Bus
from bailee.supervise.child import ROLES, Child, Launch, Role
from bailee.supervise.directory import DirectoryLock
from bailee.supervise.inheritance import harden_process
from bailee.supervise.logs import configure_logs
from bailee.supervise.plan import Place, make_plan
from bailee.supervise.slot import DRAIN_SECONDS, Slot
from bailee.supervise.sockets import open_listeners
from bailee.supervise.users import hold_database, role_users
from bailee.vault.backends import RootKeys

log = structlog.get_logger()
ROLE_NAMES = tuple(role.name for role in ROLES)


class Supervisor:
    """The parent of all roles of a node, or of one role that runs alone.

    Args:
        config: The file; it is read again at each reload.
        environ: The environment's settings go before the file's.
        roles: Names of the roles to run; one alone shares its directory with the other three.
        module: What a role runs with `-m`.
        announce: Called once all processes serve, with the doors by role: address and port.
    """

    def __init__(
        self,
        config: Path,
        environ: Mapping[str, str],
        *,
        roles: Sequence[str] = ROLE_NAMES,
        module: str = "bailee.app.{role}",
        announce: Callable[[Mapping[str, tuple[str, int]]], None] = lambda doors: None,
    ) -> None:
        self._config = config
        self._environ = environ
        self._roles: tuple[Role, ...] = tuple(role for role in ROLES if role.name in roles)
        self._module = module
        self._announce = announce
        self._keys = RootKeys(environ)
        self._bus = Bus(time.monotonic)
        self._slots: list[Slot] = []

    def __repr__(self) -> str:
        return f"Supervisor({self._config}, {len(self._slots)} processes)"

    def run(self) -> int:
        """Serve until SIGTERM or SIGINT; returns the exit status 0.

        Raises:
            ConfigInvalid: The configuration has faults.
            StartRefused: Port or directory in use, or a user that can't run its role. Nothing was
                started.
        """
        settings = load(self._config, self._environ)
        configure_logs("supervisor")
        harden_process()
        for danger in settings.dangers:
            log.warning("a switch that weakens a promise is on", setting=danger)
        with contextlib.ExitStack() as held:
            alone = self._roles[0].name if len(self._roles) == 1 else None
            held.callback(DirectoryLock(settings.base, alone).close)
            if role_users(settings):
                held.callback(hold_database(settings.store.path).close)
            held.callback(self._close)
            for place in self._plan(settings):
                self._slots.extend(_open(place, self._bus))
            asyncio.run(self._serve())
        return 0

    def _plan(self, settings: Settings) -> tuple[Place, ...]:
        return make_plan(settings, self._roles, self._module, self._keys)

    def _close(self) -> None:
        for slot in self._slots:
            slot.close()

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        stop, reload = asyncio.Event(), asyncio.Event()
        loop.add_signal_handler(signal.SIGHUP, reload.set)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop, stop)
        async with asyncio.TaskGroup() as tasks:
            for slot in self._slots:
                tasks.create_task(slot.run(tasks))
            announcing = tasks.create_task(self._announce_doors())
            reloading = tasks.create_task(self._reload_on(reload, tasks))
            await stop.wait()
            announcing.cancel()
            reloading.cancel()
            log.info("draining")
            killing = loop.call_later(DRAIN_SECONDS, self._kill)
            await self._drain()
        killing.cancel()
        log.info("ended")

    def _stop(self, stop: asyncio.Event) -> None:
        """The first signal drains; a second one does not wait."""
        if stop.is_set():
            self._kill()
        stop.set()

    async def _drain(self) -> None:
        """Drain all; the keeper last: its last checkpoint signs where the others' chains end."""
        first = [slot for slot in self._slots if slot.launch.role.name != "keeper"]
        for slot in first:
            slot.stop()
        for slot in first:
            await slot.ended.wait()
        for slot in self._slots:
            if slot not in first:
                slot.stop()

    def _kill(self) -> None:
        for slot in self._slots:
            slot.kill()

    async def _announce_doors(self) -> None:
        for slot in self._slots:
            await slot.serving.wait()
        doors = {
            slot.launch.role.name: slot.listener.getsockname()[:2]
            for slot in self._slots
            if slot.listener is not None
        }
        log.info("serving", doors=doors, processes=len(self._slots))
        self._announce(doors)

    async def _reload_on(self, reload: asyncio.Event, tasks: asyncio.TaskGroup) -> None:
        while True:
            await reload.wait()
            reload.clear()
            try:
                await self._reload(tasks)
            except (BaileeError, OSError) as error:
                log.error("reload refused: the old settings stay", reason=str(error))

    async def _reload(self, tasks: asyncio.TaskGroup) -> None:
        """Start successors with the new configuration; when all are ready, drain the old ones."""
        settings = await asyncio.to_thread(load, self._config, self._environ)
        plan = await asyncio.to_thread(self._plan, settings)
        kept, new = await asyncio.to_thread(self._match, plan)
        places = kept + [(slot, slot.launch) for slot in new]
        children = await asyncio.gather(*(slot.prepare(launch) for slot, launch in places))
        if None in children:
            for child in children:
                if child is not None:
                    tasks.create_task(child.leave(0))
            for slot in new:
                slot.close()
            log.error("reload refused: the old processes stay")
            return
        self._adopt([(*place, child) for place, child in zip(places, children, strict=True)], tasks)
        for slot in new:
            tasks.create_task(slot.run(tasks))
        log.info("reloaded", processes=len(self._slots))

    def _adopt(
        self,
        successors: Sequence[tuple[Slot, Launch, Child | None]],
        tasks: asyncio.TaskGroup,
    ) -> None:
        present, self._slots = self._slots, [slot for slot, _, _ in successors]
        for slot, launch, child in successors:
            before = slot.adopt(launch, child) if child is not None else None
            if before is not None:
                tasks.create_task(before.leave(DRAIN_SECONDS))
        for slot in present:
            if slot not in self._slots:
                slot.stop()
                asyncio.get_running_loop().call_later(DRAIN_SECONDS, slot.kill)

    def _match(self, plan: Sequence[Place]) -> tuple[list[tuple[Slot, Launch]], list[Slot]]:
        """Which places stay where they are, and which are opened anew because they moved.

        A socket is not given up while its port stays: what waits in its queue would be lost. So
        fewer workers have to wait for a restart.
        """
        kept: list[tuple[Slot, Launch]] = []
        new: list[Slot] = []
        try:
            for place in plan:
                here = [slot for slot in self._slots if _holds(slot, place)]
                if len(here) > place.count:
                    log.warning("fewer workers need a restart", now=len(here), asked=place.count)
                kept.extend((slot, place.launch) for slot in here)
                new.extend(_open(place, self._bus, first=len(here)))
        except BaileeError:
            for slot in new:
                slot.close()
            raise
        return kept, new


def _holds(slot: Slot, place: Place) -> bool:
    """Whether a slot is of this place's role and listens where the place is to listen."""
    if slot.launch.role != place.launch.role:
        return False
    return slot.listener is None or slot.listener.getsockname()[:2] == place.listen


def _open(place: Place, bus: Bus, first: int = 0) -> list[Slot]:
    """Open what of a place is missing beyond its first so many slots."""
    missing = range(first, place.count)
    if place.listen is None:
        return [Slot(place.launch, number, None, bus) for number in missing]
    if not missing:
        return []
    listeners = open_listeners(place.listen, len(missing), place.setting, ours=first > 0)
    return [
        Slot(place.launch, number, listener, bus)
        for number, listener in zip(missing, listeners, strict=True)
    ]
