"""The composition root of the admin role: `python -m bailee.app.admin --config F ...`.

Neither it nor what it imports can open a credential, read the root key or dial a provider.
"""

import asyncio
import os
import sys

import uvloop

from bailee.admin.api.app import create_app
from bailee.app.chains import StoreChains, store_heads_forever
from bailee.app.web import listening, serve
from bailee.config import Settings, load
from bailee.journal.writer import Journal
from bailee.store.engine import Store
from bailee.supervise.inheritance import Inherited, inherited
from bailee.supervise.logs import configure_logs
from bailee.vault.authority import AuthorityVerifier


async def run(settings: Settings, given: Inherited, store: Store, journal: Journal) -> None:
    """Serve the admin API until asked to drain."""
    draining = asyncio.Event()
    app = create_app(store, AuthorityVerifier(settings.vault.authority), journal, draining=draining)
    async with asyncio.TaskGroup() as tasks:
        storing = tasks.create_task(store_heads_forever(journal))
        try:
            socket = listening(given, settings.admin.listen)
            await serve(app, socket, given.control_fd, draining)
        finally:
            storing.cancel()


def main(arguments: list[str]) -> None:
    """Run the role to its end."""
    given = inherited(arguments)
    configure_logs("admin")
    settings = load(given.config, os.environ)
    store = Store.open(settings.store.url)
    try:
        journal = Journal.open(
            settings.journal.directory, "admin", StoreChains(store), sync=settings.journal.sync
        )
        try:
            uvloop.run(run(settings, given, store, journal))
        finally:
            journal.close()
    finally:
        store.close()


if __name__ == "__main__":
    main(sys.argv[1:])
