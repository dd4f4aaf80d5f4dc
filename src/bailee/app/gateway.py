"""The composition root of one gateway worker: `python -m bailee.app.gateway --config F ...`."""

import asyncio
import gc
import os
import ssl
import sys
import time
from dataclasses import dataclass
from typing import Final

import uvloop

from bailee.app.chains import StoreChains, store_heads_forever
from bailee.app.keyring import open_keyring
from bailee.config import GatewaySettings, Settings, load
from bailee.egress.pool import Pool
from bailee.egress.resolve import Resolver
from bailee.gateway.budgets import Budgets
from bailee.gateway.limits import CallLimits
from bailee.gateway.line import Line
from bailee.gateway.listener import Listener
from bailee.gateway.nonces import NonceLeases
from bailee.gateway.once import OnceKeys
from bailee.gateway.opening import CallVault
from bailee.gateway.outbox import Outbox
from bailee.gateway.pipeline import Pipeline
from bailee.gateway.route import DialSource
from bailee.gateway.routing import Routing
from bailee.gateway.snapshot import Snapshot
from bailee.http.calls_domain import CallsDomain
from bailee.journal.writer import Journal
from bailee.store.engine import Store
from bailee.store.lookup import CallLookup
from bailee.supervise.inheritance import (
    ControlLine,
    Inherited,
    harden_process,
    inherited,
    listening_socket,
)
from bailee.supervise.logs import configure_logs
from bailee.tls.context import load_tls
from bailee.vault.authority import AuthorityVerifier
from bailee.vault.keyring import Keyring

DRAIN_SECONDS: Final = 25.0


@dataclass(frozen=True, slots=True)
class _Ground:
    """What stands before the event loop runs."""

    settings: Settings
    keyring: Keyring | None
    verifier: AuthorityVerifier
    lookup: CallLookup
    journal: Journal
    nonces: NonceLeases
    once: OnceKeys
    tls: ssl.SSLContext | None


async def serve(ground: _Ground, given: Inherited) -> None:
    """Serve calls until asked to drain; returns when the last call has ended."""
    settings, loop = ground.settings, asyncio.get_running_loop()
    sources = [DialSource(each.name, each.bind, each.public) for each in settings.egress]
    routing = Routing(ground.lookup, ground.verifier, sources)
    snapshot = Snapshot(ground.lookup, routing, loop.time, settings.store.stale_seconds)
    resolver = Resolver()
    control = ControlLine(given.control_fd)
    budgets = Budgets(loop.time, control.say if control.is_open else None)
    control.on_line = budgets.hear
    async with asyncio.TaskGroup() as tasks:
        line = Line(
            vault=CallVault(ground.keyring, ground.lookup, ground.verifier),
            pool=Pool(),
            resolver=resolver,
            journal=ground.journal,
            tasks=tasks,
            outbox=Outbox(),
            calls=set(),
            clock=loop.time,
            limits=_limits(settings.gateway),
            nonces=ground.nonces,
            once=ground.once,
            budgets=budgets,
            scheme="http" if ground.tls is None else "https",
        )
        domain = settings.gateway.calls_domain
        listener = Listener(
            Pipeline(snapshot, line, CallsDomain(domain) if domain else None),
            snapshot,
            line,
            settings.gateway.connections,
            settings.gateway.head_seconds,
        )
        if given.listen_fd is None:
            raise SystemExit("bailee: error: the gateway was given no listening socket")
        snapshot.refresh()
        await listener.open(listening_socket(given.listen_fd), ground.tls)
        asked = tasks.create_task(control.drained_asked())
        ticking = tasks.create_task(listener.tick_forever())
        storing = tasks.create_task(store_heads_forever(ground.journal))
        await asyncio.sleep(0)  # whoever hears that this serves may signal at once
        control.ready()
        await asked
        await listener.drain(DRAIN_SECONDS)
        ticking.cancel()
        storing.cancel()
    resolver.close()
    control.close()


def _limits(settings: GatewaySettings) -> CallLimits:
    return CallLimits(
        connect_seconds=settings.connect_seconds,
        first_byte_seconds=settings.first_byte_seconds,
        idle_seconds=settings.idle_seconds,
        slow_seconds=settings.slow_seconds,
        call_seconds=settings.call_seconds or float("inf"),
        body_bytes=settings.body_bytes,
        held_body_bytes=settings.held_body_bytes,
        websocket_message_bytes=settings.websocket_message_bytes,
        calls=settings.calls,
        caller_concurrent=settings.caller_concurrent,
        caller_calls_per_second=settings.caller_calls_per_second,
        provider_concurrent=settings.provider_concurrent,
    )


def main(arguments: list[str]) -> None:
    """Run one worker to its end."""
    given = inherited(arguments)
    configure_logs("gateway")
    harden_process()
    keyring = open_keyring(given)
    settings = load(given.config, os.environ)
    store = Store.open(settings.store.url)
    journal = Journal.open(
        settings.journal.directory, "gateway", StoreChains(store), sync=settings.journal.sync
    )
    ground = _Ground(
        settings=settings,
        keyring=keyring,
        verifier=AuthorityVerifier(settings.vault.authority),
        lookup=CallLookup(settings.store.path),
        journal=journal,
        nonces=NonceLeases(store, time.time),
        once=OnceKeys(store, time.time),
        tls=None if settings.gateway.tls is None else load_tls(settings.gateway.tls).context,
    )
    # What stands now lives as long as the worker: the collector need not look at it again.
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    try:
        uvloop.run(serve(ground, given))
    finally:
        ground.nonces.close()
        ground.once.close()
        journal.close()
        ground.lookup.close()
        store.close()


if __name__ == "__main__":
    main(sys.argv[1:])
