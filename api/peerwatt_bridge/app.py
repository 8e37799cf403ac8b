"""The HTTP application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from peerwatt_bridge import problems
from peerwatt_bridge.guard.openapi import document
from peerwatt_bridge.routes import (
    acts,
    admin,
    equivocations,
    events,
    health,
    market,
    meters,
    metrics,
    readings,
    reads,
    typed_data,
)
from peerwatt_bridge.services.bridge import Bridge
from peerwatt_bridge.services.waiting import CommandWaits

DESCRIPTION = """Takes what homes and meters signed, keeps it, and brings it to the chain.

Convenience, never authority: whatever the bridge does anybody can do without it."""


def create_app(bridge: Bridge) -> FastAPI:
    """The application of a bridge; its workers run as long as it does."""

    @asynccontextmanager
    async def live(_: FastAPI) -> AsyncIterator[None]:
        bridge.start()
        try:
            yield
        finally:
            await run_in_threadpool(bridge.stop)

    app = FastAPI(
        title="peerwatt bridge",
        description=DESCRIPTION,
        version=version("peerwatt"),
        lifespan=live,
        # One page of documentation, from our own host.
        docs_url=None,
        redoc_url=None,
    )
    app.state.bridge = bridge
    app.state.waits = CommandWaits(bridge.database)
    problems.install(app)
    bridge.defences.install(app)
    for routes in (readings, equivocations, acts, typed_data, market, reads, events, meters, admin, health, metrics):
        app.include_router(routes.router)
    document(app)
    return app
