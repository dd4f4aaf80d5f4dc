"""The application that the admin role serves."""

import asyncio
import time
from collections.abc import Callable

from fastapi import FastAPI
from starlette.types import ASGIApp

from bailee.admin.api.desk import Parts
from bailee.admin.api.door import Door, operator_of
from bailee.admin.api.problems import answer_with_problems
from bailee.admin.api.routes import (
    callers,
    connections,
    egress,
    grants,
    jobs,
    journal,
    pins,
    providers,
    standing,
    tenant,
)
from bailee.admin.changes import Changes
from bailee.journal.writer import Journal
from bailee.store.engine import Store
from bailee.vault.authority import AuthorityVerifier

ROUTES = (standing, providers, pins, jobs, tenant, connections, callers, grants, egress, journal)


def create_app(
    store: Store,
    verifier: AuthorityVerifier,
    journal: Journal,
    *,
    clock: Callable[[], float] = time.time,
    draining: asyncio.Event | None = None,
) -> ASGIApp:
    """Make the admin application, door and routes.

    Args:
        store: The database.
        verifier: Of the authority of the config.
        journal: Of the role `admin`; all changes are recorded in it, from several threads.
        clock: Unix seconds.
        draining: Set by whoever serves, so that requests which wait for a job end at once.
    """
    parts = Parts(store, verifier, Changes(journal, clock), clock, draining or asyncio.Event())
    return Door(build_api(parts), lambda text: operator_of(store, text, clock()))


def build_api(parts: Parts | None) -> FastAPI:
    """Make the routes without the door. Without `parts` they can only be described."""
    api = FastAPI(
        title="Bailee admin",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    api.state.parts = parts
    answer_with_problems(api)
    for each in ROUTES:
        api.include_router(each.router)
    return api
