"""The composition root of the public role: `python -m bailee.app.public --config F ...`."""

import asyncio
import os
import sys

import uvloop

from bailee.app.web import listening, serve
from bailee.config import load
from bailee.public.app import create_app
from bailee.public.feed import PublishedFeed
from bailee.store.engine import Store
from bailee.supervise.inheritance import inherited
from bailee.supervise.logs import configure_logs
from bailee.vault.authority import AuthorityVerifier


def main(arguments: list[str]) -> None:
    """Run the role to its end."""
    given = inherited(arguments)
    configure_logs("public")
    settings = load(given.config, os.environ)
    store = Store.open(settings.store.url)
    try:
        feed = PublishedFeed(store, AuthorityVerifier(settings.vault.authority))
        socket = listening(given, settings.public.listen)
        uvloop.run(serve(create_app(feed), socket, given.control_fd, asyncio.Event()))
    finally:
        store.close()


if __name__ == "__main__":
    main(sys.argv[1:])
