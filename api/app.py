"""Assembles the ASGI application from the environment."""

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, Mapping

import anyio
import anyio.to_thread
from prometheus_client import CollectorRegistry, Counter
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route

from api.auth import sign_in, single_sign_on
from api.auth.access import AuthMiddleware
from api.auth.cookies import SignInCookies
from api.auth.failed_attempts import FailedAttempts
from api.auth.known_clients import KnownClients
from api.auth.revocations import RevocationWatch
from api.auth.single_sign_on import SingleSignOn
from api.auth.token_uses import TokenUses
from api.auth.tokens import TokenAuthenticator
from api.chats import chat_list, labels, message_details, messages, notes, profile, read_flags, search, stars
from api.chats.exports import export
from api.chats.exports.export_slots import ExportSlots
from api.gateway.timeouts import Timeouts
from api.http import health, metrics, middleware, responses, static
from api.http.database import Database
from api.live import changes, stream, stream_tickets
from api.live.broadcaster import Broadcaster
from api.oidc.provider import Provider
from api.openapi import document, query_parameters
from api.operations import ledger, parked, redrives, sessions, statistics, webhook_test
from api.people import audit, tokens
from api.push import routes as push_routes
from api.push.sender import PushSender
from api.push.settings import PushSettings
from api.sending import routes as sending_routes
from api.sending.dispatch import SendDispatcher
from api.settings import Settings
from http_server.connections import Connections
from http_server.server import BoundedServer
from http_server.shared_page import shared

_MAX_DATABASE_STREAMS = 4
"""The number of streams and exports that read the database concurrently. It leaves connections to other requests."""


def create_server(app: Starlette) -> BoundedServer:
    """Return the server of the API. At shutdown it ends event streams, which would not end by themselves."""
    state = app.state
    return BoundedServer(
        app,
        state.connections,
        is_known=state.known_clients.has_sent,
        trusts_proxy=True,
        before_shutdown=state.broadcaster.close,
    )


def create_app(environ: Mapping[str, str] = os.environ, *, timeouts: Timeouts | None = None) -> Starlette:
    """Return the API. Its lifespan opens the database and runs the background tasks. Raises SettingsError.

    `timeouts` apply to calls to gateways.
    """
    settings = Settings.from_environ(environ)
    push_settings = PushSettings.from_environ(environ)
    database = Database.from_settings(settings)
    broadcaster = Broadcaster(database)
    revocations = RevocationWatch(database)
    token_uses = TokenUses(database)
    registry = CollectorRegistry()
    registry.register(metrics.PoolMetrics((database.read_pool, database.write_pool)))
    refusals = Counter("sak_api_refused_requests", "Requests that the server refused.", ["code"], registry=registry)
    connections = Connections(settings.connection_bounds, lambda code: refusals.labels(code).inc())
    registry.register(metrics.ConnectionMetrics(connections))
    dispatcher = SendDispatcher.from_settings(settings, timeouts)
    cookies = SignInCookies(settings.bootstrap_token)
    failed_attempts = FailedAttempts()
    if database.replica is not None:
        registry.register(metrics.ReplicaMetrics(database.replica))
        dispatcher.observe_writes(database.replica.require_lsn)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        # More threads would only wait for a connection. The four extra threads serve requests that need none.
        anyio.to_thread.current_default_thread_limiter().total_tokens = settings.pool_size + 4
        database.open()
        tasks = [asyncio.create_task(task.run()) for task in (broadcaster, revocations, token_uses)]
        push = None if push_settings is None else PushSender(database, push_settings, push_routes.signing_mark(cookies))
        if push is not None:
            push.start()
        async with dispatcher.lifespan():
            yield
            broadcaster.close()
        if push is not None:
            await anyio.to_thread.run_sync(push.stop)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await anyio.to_thread.run_sync(database.close)

    app = Starlette(
        # Starlette compares a request with each in turn, so frequent ones come first.
        routes=[
            Route("/api/chats", chat_list.list_chats),
            Route("/api/chat-counts", chat_list.count_chats),
            Route("/api/chats/{phone}", messages.list_messages),
            Route("/api/changes", changes.list_changes),
            Route("/api/search", search.search_messages),
            Route("/api/chats/{phone}/read", read_flags.update_read_flag, methods=["POST"]),
            Route("/api/chats/{phone}/export", export.export_chat),
            Route("/api/chats/{phone}/profile", profile.get_profile),
            Route("/api/chats/{phone}/details", message_details.get_details),
            Route("/api/chats/{phone}/star", stars.set_star, methods=["POST"]),
            Route("/api/chats/{phone}/labels", labels.change_labels, methods=["POST"]),
            Route("/api/chats/{phone}/notes", notes.add_note, methods=["POST"]),
            Route("/api/chats/{phone}/notes/{id}", notes.change_note, methods=["POST"]),
            Route("/api/chats/{phone}/notes/{id}", notes.delete_note, methods=["DELETE"]),
            Route("/api/starred", stars.list_starred),
            Route("/api/labels", labels.list_labels),
            Route("/api/sessions/{session_id}/export", export.export_session),
            Route("/api/sessions", sessions.list_sessions),
            Route("/api/sessions/{session_id}", sessions.change_session, methods=["PATCH"]),
            Route("/api/stats", statistics.get_statistics),
            Route("/api/ledger", ledger.get_ledger),
            Route("/api/parked", parked.list_parked),
            Route("/api/parked/reasons", parked.list_reasons),
            Route("/api/parked/redrive", redrives.request_redrive, methods=["POST"]),
            Route("/api/parked/redrive/{id}", redrives.get_redrive),
            Route("/api/test-events", webhook_test.describe),
            Route("/api/test-events", webhook_test.send, methods=["POST"]),
            Route("/api/test-events/{digest}", webhook_test.get),
            Route("/api/test-events/{digest}", webhook_test.remove, methods=["DELETE"]),
            Route("/api/send", sending_routes.create_send, methods=["POST"]),
            Route("/api/sends/{id}", sending_routes.get_send),
            Route("/api/sends/{id}/reconcile", sending_routes.reconcile_send, methods=["POST"]),
            Route("/api/push", push_routes.get_key),
            Route("/api/push", push_routes.subscribe, methods=["POST"]),
            Route("/api/push", push_routes.unsubscribe, methods=["DELETE"]),
            Route("/api/stream", stream.stream),
            Route("/api/stream-tickets", stream_tickets.create_stream_ticket, methods=["POST"]),
            Route("/api/tokens", tokens.list_tokens),
            Route("/api/tokens", tokens.create_token, methods=["POST"]),
            Route("/api/tokens/{id}", tokens.change_token, methods=["PATCH"]),
            Route("/api/tokens/{id}", tokens.revoke_token, methods=["DELETE"]),
            Route("/api/audit", audit.list_audit),
            Route("/sign-in", single_sign_on.get_sign_in_options),
            Route("/sign-in/start", single_sign_on.start_single_sign_on),
            Route("/sign-in/callback", single_sign_on.finish_single_sign_on),
            Route("/api/session", sign_in.get_sign_in),
            Route("/api/session", sign_in.sign_in, methods=["POST"]),
            Route("/api/session", sign_in.sign_out, methods=["DELETE"]),
            Route("/healthz", health.alive),
            Route("/readyz", shared(health.ready)),
            Route("/metrics", shared(health.metrics)),
            Route("/openapi.json", document.get_openapi),
            Route("/api/docs", document.get_reference),
            *static.routes(),
        ],
        middleware=[
            *middleware.build(environ, registry, is_behind_tls=settings.is_behind_tls),
            Middleware(
                AuthMiddleware,
                settings.bootstrap_token,
                cookies,
                TokenAuthenticator(database, token_uses),
                failed_attempts,
                settings.pool_size,
            ),
        ],
        exception_handlers=responses.EXCEPTION_HANDLERS,
        lifespan=lifespan,
    )
    query_parameters.restrict(app.routes)
    # A redirect would lead to the host named in the request.
    app.router.redirect_slashes = False
    app.state.database = database
    app.state.broadcaster = broadcaster
    app.state.revocations = revocations
    app.state.connections = connections
    app.state.registry = registry
    app.state.dispatcher = dispatcher
    app.state.cookies = cookies
    app.state.known_clients = KnownClients(failed_attempts, cookies)
    provider = settings.single_sign_on and Provider(settings.single_sign_on)
    app.state.single_sign_on = provider and SingleSignOn(provider)
    app.state.stream_limiter = anyio.CapacityLimiter(_MAX_DATABASE_STREAMS)
    app.state.export_slots = ExportSlots()
    app.state.push_settings = push_settings
    return app
