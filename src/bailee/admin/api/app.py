"""The application that the admin role serves."""

import asyncio
import time
from collections.abc import Callable
from functools import cache
from typing import Final

from fastapi import FastAPI
from starlette.types import ASGIApp

from bailee.admin.api import openapi
from bailee.admin.api.census import take_census
from bailee.admin.api.desk import Parts
from bailee.admin.api.door import Door, actor_of
from bailee.admin.api.metrics import Metrics
from bailee.admin.api.problems import answer_with_problems
from bailee.admin.api.roles import check_table
from bailee.admin.api.router import served_by
from bailee.admin.api.routes import (
    callers,
    connections,
    description,
    egress,
    grants,
    jobs,
    journal,
    locks,
    pins,
    providers,
    revocations,
    standing,
    tenants,
    tokens,
)
from bailee.admin.changes import Changes
from bailee.journal.writer import Journal
from bailee.store.engine import Store
from bailee.vault.authority import AuthorityVerifier

ROUTES: Final = (
    standing,
    description,
    tenants,
    tokens,
    providers,
    pins,
    egress,
    jobs,
    connections,
    callers,
    grants,
    locks,
    revocations,
    journal,
)


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
    metrics = Metrics(lambda: take_census(store))
    parts = Parts(
        store, verifier, Changes(journal, clock), clock, draining or asyncio.Event(), metrics
    )
    return Door(build_api(parts), lambda text: actor_of(store, text, clock()), metrics)


def build_api(parts: Parts | None) -> FastAPI:
    """Make the routes without the door. Without `parts` they can only be described.

    Raises:
        RuntimeError: The table of roles does not fit the routes.
    """
    check_table(served_by(each.router for each in ROUTES))
    api = FastAPI(
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
    )
    api.state.parts = parts
    answer_with_problems(api)
    for each in ROUTES:
        api.include_router(each.router)
    # Made when it is first asked for: it takes longer than all the rest.
    api.openapi = cache(lambda: openapi.document(api))  # type: ignore[method-assign]  # as FastAPI's manual has it
    return api
