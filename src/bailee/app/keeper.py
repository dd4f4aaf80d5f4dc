"""The composition root of the keeper: `python -m bailee.app.keeper --config F ...`."""

import asyncio
import os
import secrets
import sys
import time

import structlog
import uvloop

from bailee.app.chains import StoreChains, store_heads_forever
from bailee.app.keyring import open_keyring
from bailee.config import Settings, load
from bailee.egress.resolve import Resolver
from bailee.errors import BaileeError
from bailee.journal.writer import Journal
from bailee.keeper.checkpoints import Checkpoints
from bailee.keeper.decoys import Decoy, Decoys
from bailee.keeper.feed import FeedSigner
from bailee.keeper.jobs import JobLoop
from bailee.keeper.probing import Prober
from bailee.keeper.purging import Purging
from bailee.keeper.retention import Retention
from bailee.keeper.signing import AuthorityAccess
from bailee.keeper.target import Targets
from bailee.keeper.work.check_lock import CheckLock
from bailee.keeper.work.learn_pin import EgressSource, LearnPin
from bailee.manage.lock_checks import CHECK_LOCK
from bailee.manage.pins import LEARN_PIN
from bailee.store.engine import Store
from bailee.supervise.inheritance import (
    ControlLine,
    Inherited,
    harden_process,
    inherited,
)
from bailee.supervise.logs import configure_logs
from bailee.vault.authority import AuthorityVerifier

_log = structlog.get_logger("keeper")


async def run(
    settings: Settings, given: Inherited, store: Store, journal: Journal, access: AuthorityAccess
) -> None:
    """Do jobs and sign checkpoints until asked to drain; returns when the last job has ended."""
    sources = {each.name: EgressSource(each.bind, each.public) for each in settings.egress}
    resolver = Resolver()
    verifier = AuthorityVerifier(settings.vault.authority)
    check = CheckLock(
        store,
        verifier,
        access,
        Prober(store, access, resolver),
        journal,
        Targets(store, verifier, sources),
        Decoys(Decoy(each.name, each.bind, each.public) for each in settings.decoy),
    )
    loop = JobLoop(
        store,
        {
            LEARN_PIN: LearnPin(store, verifier, access, resolver, journal, sources),
            CHECK_LOCK: check,
        },
        sources,
        f"keeper-{secrets.token_hex(8)}",
        settings.keeper.poll_seconds,
        time.time,
    )
    checkpoints = Checkpoints(store, access, journal)
    feed = FeedSigner(store, verifier, access, journal)
    control, draining = ControlLine(given.control_fd), asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        asked = tasks.create_task(control.drained_asked())
        storing = tasks.create_task(store_heads_forever(journal))
        tasks.create_task(checkpoints.run(settings.keeper.checkpoint_seconds, draining))
        tasks.create_task(feed.run(draining))
        tasks.create_task(Purging(store, time.time, settings.gateway.once_days).run(draining))
        if settings.journal.keep_days:
            tasks.create_task(_retention(settings, store, access, journal).run(draining))
        working = tasks.create_task(loop.run(draining))
        await asyncio.sleep(0)  # lets every task begin: who hears that it serves may signal at once
        control.ready()
        await asked
        draining.set()
        await working
        storing.cancel()
    resolver.close()
    control.close()
    _close(journal, checkpoints)


def _retention(
    settings: Settings, store: Store, access: AuthorityAccess, journal: Journal
) -> Retention:
    verifier, kept = AuthorityVerifier(settings.vault.authority), settings.journal
    return Retention(store, access, verifier, journal, kept.directory, kept.keep_days)


def _close(journal: Journal, checkpoints: Checkpoints) -> None:
    """End the keeper's chain, and sign where all chains stand now."""
    journal.close()
    try:
        checkpoints.sign(last=True)
    except BaileeError as failure:
        _log.error("no last checkpoint", code=failure.code, detail=failure.detail)


def main(arguments: list[str]) -> None:
    """Run the role to its end."""
    given = inherited(arguments)
    configure_logs("keeper")
    harden_process()
    keyring = open_keyring(given)
    settings = load(given.config, os.environ)
    store = Store.open(settings.store.url)
    try:
        journal = Journal.open(
            settings.journal.directory, "keeper", StoreChains(store), sync=settings.journal.sync
        )
        access = AuthorityAccess(store, keyring, settings.vault.authority)
        try:
            uvloop.run(run(settings, given, store, journal, access))
        finally:
            journal.close()
    finally:
        store.close()


if __name__ == "__main__":
    main(sys.argv[1:])
