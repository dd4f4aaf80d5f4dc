"""The composition root of the public role: `python -m bailee.app.public --config F ...`."""

import asyncio
import os
import sys

import uvloop

from bailee.app.web import listening, serve
from bailee.config import load
from bailee.public.app import create_app
from bailee.supervise.inheritance import inherited
from bailee.supervise.logs import configure_logs


def main(arguments: list[str]) -> None:
    """Run the role to its end."""
    given = inherited(arguments)
    configure_logs("public")
    settings = load(given.config, os.environ)
    uvloop.run(
        serve(
            create_app(),
            listening(given, settings.public.listen),
            given.control_fd,
            asyncio.Event(),
        )
    )


if __name__ == "__main__":
    main(sys.argv[1:])
