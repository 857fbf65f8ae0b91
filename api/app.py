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

from api import indexer
from api.auth import sign_in
from api.auth.access import Access
from api.auth.cookies import Cookies
from api.auth.tokens import Bearers
from api.chats import export, messages, read_flags, routes, search
from api.gateway.timeouts import Patience
from api.http import health, middleware, replica_metrics, responses, static
from api.http.database import Backend
from api.http.pool_metrics import Pools
from api.live import changes, stream
from api.live.broadcaster import Hub
from api.openapi import document
from api.operations import numbers, redrives
from api.sending import routes as sending_routes
from api.sending.dispatch import Dispatch
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
        registry.register(replica_metrics.Figures(backend.replica))
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
            *static.routes(),
            Route("/healthz", health.alive),
            Route("/readyz", health.ready),
            Route("/metrics", health.metrics),
            Route("/openapi.json", document.openapi),
            Route("/api/chats", routes.chats),
            Route("/api/chats/{phone}", messages.messages),
            Route("/api/chats/{phone}/read", read_flags.read, methods=["POST"]),
            Route("/api/chats/{phone}/export", export.chat),
            Route("/api/sessions/{session_id}/export", export.session),
            Route("/api/sessions", numbers.sessions),
            Route("/api/stats", numbers.stats),
            Route("/api/ledger", numbers.adding_up),
            Route("/api/parked", numbers.parked),
            Route("/api/parked/redrive", redrives.ask, methods=["POST"]),
            Route("/api/parked/redrive/{id}", redrives.one),
            Route("/api/search", search.searching),
            Route("/api/send", sending_routes.send, methods=["POST"]),
            Route("/api/sends/{id}", sending_routes.one),
            Route("/api/sends/{id}/reconcile", sending_routes.reconcile, methods=["POST"]),
            Route("/api/changes", changes.changes),
            Route("/api/stream", stream.stream),
            Route("/api/session", sign_in.signed_in),
            Route("/api/session", sign_in.sign_in, methods=["POST"]),
            Route("/api/session", sign_in.sign_out, methods=["DELETE"]),
        ],
        middleware=[
            *middleware.middleware(environ, registry),
            Middleware(Access, settings.token, cookies, Bearers(backend)),
        ],
        exception_handlers=responses.HANDLERS,
        lifespan=lifespan,
    )
    app.state.backend = backend
    app.state.hub = hub
    app.state.registry = registry
    app.state.dispatch = dispatch
    app.state.cookies = cookies
    app.state.catching_up = anyio.CapacityLimiter(_CATCHING_UP)
    app.state.exports = threading.BoundedSemaphore(export.AT_ONCE)
    return app
