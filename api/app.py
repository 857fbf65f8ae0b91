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
from api.auth.access import AuthMiddleware
from api.auth.cookies import SignInCookies
from api.auth.tokens import TokenAuthenticator
from api.chats import export, messages, read_flags, routes, search
from api.gateway.timeouts import Timeouts
from api.http import health, middleware, replica_metrics, responses, static
from api.http.database import Database
from api.http.pool_metrics import PoolMetrics
from api.live import changes, stream
from api.live.broadcaster import Broadcaster
from api.openapi import document
from api.operations import numbers, redrives
from api.sending import routes as sending_routes
from api.sending.dispatch import SendDispatcher
from api.settings import Settings

_MAX_DATABASE_STREAMS = 4
"""Streams and exports that may read the database at the same time; others take turns, and requests need not wait."""


def create_app(environ: Mapping[str, str] = os.environ, *, timeouts: Timeouts | None = None) -> Starlette:
    """The API, serving when its lifespan has begun; raises SettingsError. `patience` is with the gateway."""
    settings = Settings.from_environ(environ)
    backend = Database.from_settings(settings)
    hub = Broadcaster(backend)
    registry = CollectorRegistry()
    registry.register(PoolMetrics((backend.read_pool, backend.write_pool)))
    dispatch = SendDispatcher.from_settings(settings, timeouts)
    cookies = SignInCookies(settings.bootstrap_token)
    if backend.replica is not None:
        registry.register(replica_metrics.ReplicaMetrics(backend.replica))
        dispatch.observe_writes(backend.replica.require_lsn)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        # A thread more than there are connections would only wait for one; a few more answer what needs none.
        anyio.to_thread.current_default_thread_limiter().total_tokens = settings.pool_size + 4
        backend.open()
        tasks = [asyncio.create_task(hub.run()), asyncio.create_task(indexer.run(backend))]
        async with dispatch.lifespan():
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
            Route("/openapi.json", document.get_openapi),
            Route("/api/chats", routes.list_chats),
            Route("/api/chats/{phone}", messages.list_messages),
            Route("/api/chats/{phone}/read", read_flags.update_read_flag, methods=["POST"]),
            Route("/api/chats/{phone}/export", export.export_chat),
            Route("/api/sessions/{session_id}/export", export.export_session),
            Route("/api/sessions", numbers.list_sessions),
            Route("/api/stats", numbers.get_statistics),
            Route("/api/ledger", numbers.get_ledger),
            Route("/api/parked", numbers.list_parked),
            Route("/api/parked/redrive", redrives.request_redrive, methods=["POST"]),
            Route("/api/parked/redrive/{id}", redrives.get_redrive),
            Route("/api/search", search.search_messages),
            Route("/api/send", sending_routes.create_send, methods=["POST"]),
            Route("/api/sends/{id}", sending_routes.get_send),
            Route("/api/sends/{id}/reconcile", sending_routes.reconcile_send, methods=["POST"]),
            Route("/api/changes", changes.list_changes),
            Route("/api/stream", stream.stream),
            Route("/api/session", sign_in.get_sign_in),
            Route("/api/session", sign_in.sign_in, methods=["POST"]),
            Route("/api/session", sign_in.sign_out, methods=["DELETE"]),
        ],
        middleware=[
            *middleware.build(environ, registry),
            Middleware(AuthMiddleware, settings.bootstrap_token, cookies, TokenAuthenticator(backend)),
        ],
        exception_handlers=responses.EXCEPTION_HANDLERS,
        lifespan=lifespan,
    )
    app.state.backend = backend
    app.state.hub = hub
    app.state.registry = registry
    app.state.dispatch = dispatch
    app.state.cookies = cookies
    app.state.catching_up = anyio.CapacityLimiter(_MAX_DATABASE_STREAMS)
    app.state.exports = threading.BoundedSemaphore(export.MAX_CONCURRENT_EXPORTS)
    return app
