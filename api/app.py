"""The process as an ASGI application: its parts, put together from the environment."""

import asyncio
import contextlib
import os
import threading
from collections.abc import AsyncGenerator, Mapping

import anyio
import anyio.to_thread
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route

from api import (
    changes,
    chats,
    envelope,
    exporting,
    front,
    health,
    indexer,
    login,
    messages,
    numbers,
    openapi,
    pages,
    reading,
    redrives,
    replica,
    searching,
    sends,
    stream,
)
from api.access import Access
from api.backend import Backend
from api.bearers import Bearers
from api.cookies import Cookies
from api.dispatch import Dispatch
from api.hub import Hub
from api.pools import Pools
from api.sak.patience import Patience
from api.settings import Settings

_CATCHING_UP = 4
"""Streams and exports that may read the database at the same time; others take turns, and requests need not wait."""


def create_app(environ: Mapping[str, str] = os.environ, *, patience: Patience | None = None) -> Starlette:
    """The API, serving when its lifespan has begun; raises SettingsError. `patience` is with the gateway."""
    settings = Settings.read(environ)
    backend = Backend.of(settings)
    hub = Hub(backend)
    registry = CollectorRegistry()
    registry.register(Pools((backend.reads, backend.writes)))
    dispatch = Dispatch.of(settings, patience)
    cookies = Cookies(settings.token)
    if backend.replica is not None:
        registry.register(replica.Figures(backend.replica))
        dispatch.tell(backend.replica.need)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        # A thread more than there are connections would only wait for one; a few more answer what needs none.
        anyio.to_thread.current_default_thread_limiter().total_tokens = settings.connections + 4
        backend.open()
        tasks = [asyncio.create_task(hub.run()), asyncio.create_task(indexer.run(backend))]
        async with dispatch.living():
            yield
            hub.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await anyio.to_thread.run_sync(backend.close)

    app = Starlette(
        routes=[
            *pages.routes(),
            Route("/healthz", health.alive),
            Route("/readyz", health.ready),
            Route("/metrics", health.metrics),
            Route("/openapi.json", openapi.openapi),
            Route("/api/chats", chats.chats),
            Route("/api/chats/{phone}", messages.messages),
            Route("/api/chats/{phone}/read", reading.read, methods=["POST"]),
            Route("/api/chats/{phone}/export", exporting.chat),
            Route("/api/sessions/{session_id}/export", exporting.session),
            Route("/api/sessions", numbers.sessions),
            Route("/api/stats", numbers.stats),
            Route("/api/ledger", numbers.adding_up),
            Route("/api/parked", numbers.parked),
            Route("/api/parked/redrive", redrives.ask, methods=["POST"]),
            Route("/api/parked/redrive/{id}", redrives.one),
            Route("/api/search", searching.searching),
            Route("/api/send", sends.send, methods=["POST"]),
            Route("/api/sends/{id}", sends.one),
            Route("/api/sends/{id}/reconcile", sends.reconcile, methods=["POST"]),
            Route("/api/changes", changes.changes),
            Route("/api/stream", stream.stream),
            Route("/api/session", login.signed_in),
            Route("/api/session", login.sign_in, methods=["POST"]),
            Route("/api/session", login.sign_out, methods=["DELETE"]),
        ],
        middleware=[
            *front.middleware(environ, registry),
            Middleware(Access, settings.token, cookies, Bearers(backend)),
        ],
        exception_handlers=envelope.HANDLERS,
        lifespan=lifespan,
    )
    app.state.backend = backend
    app.state.hub = hub
    app.state.registry = registry
    app.state.dispatch = dispatch
    app.state.cookies = cookies
    app.state.catching_up = anyio.CapacityLimiter(_CATCHING_UP)
    app.state.exports = threading.BoundedSemaphore(exporting.AT_ONCE)
    return app
