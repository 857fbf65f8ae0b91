"""Assembles the simulated gateway as an ASGI application."""

from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Mount, Route

from dev.gateway import control as gateway_control
from dev.gateway import messages, misbehaviour, responses, webhooks
from dev.gateway.connections import OpenConnections
from dev.gateway.message_reports import MessageReports
from dev.gateway.rate_limit import RateLimit, RateLimitMiddleware
from dev.gateway.state import GatewayState

BASE_PATH = "/api/v1"
ROUTES: tuple[tuple[str, str, Callable[..., Any]], ...] = (
    ("POST", "/webhooks", webhooks.register),
    ("GET", "/webhooks", webhooks.list_webhooks),
    ("POST", "/webhooks/test", webhooks.send_test_ping),
    ("PUT", "/webhooks/{id}", webhooks.change),
    ("DELETE", "/webhooks/{id}", webhooks.delete),
    ("POST", "/messages/send", messages.send),
    ("POST", "/messages/send-image", messages.send_image),
    ("POST", "/messages/send-document", messages.send_document),
    ("POST", "/messages/send-video", messages.send_video),
    ("GET", "/messages/history", messages.history),
    ("GET", "/sessions", messages.list_sessions),
    ("GET", "/sessions/{id}/status", messages.session_status),
)
"""SAK's calls. `PUT /webhooks/{id}` is the name of a call in misbehaviours and counts."""


def create_app(
    state: GatewayState,
    plan: misbehaviour.MisbehaviourQueue,
    connections: OpenConnections,
    rate_limit: RateLimit,
    message_reports: MessageReports,
) -> Starlette:
    calls = [
        Route(
            path,
            endpoint,
            methods=[method],
            middleware=[Middleware(misbehaviour.MisbehaviourMiddleware, f"{method} {path}", state, plan, connections)],
        )
        for method, path, endpoint in ROUTES
    ]
    control = [
        Route("/behaviour", gateway_control.add_misbehaviour, methods=["POST"]),
        Route("/behaviour", gateway_control.clear_misbehaviour, methods=["DELETE"]),
        Route("/seen", gateway_control.call_counts),
        Route("/switch", gateway_control.configure, methods=["POST"]),
        Route("/flush", gateway_control.send_queued, methods=["POST"]),
    ]
    app = Starlette(
        routes=[
            Mount(BASE_PATH, routes=calls, middleware=[Middleware(RateLimitMiddleware, rate_limit)]),
            Mount("/_pretend", routes=control),
        ],
        exception_handlers={HTTPException: responses.handle_error},
    )
    app.state.memory = state
    app.state.plan = plan
    app.state.limit = rate_limit
    app.state.reports = message_reports
    return app
