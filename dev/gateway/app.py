from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Mount, Route

from dev.gateway import control as gateway_control
from dev.gateway import messages, misbehaviour, responses, webhooks
from dev.gateway.connections import Wires
from dev.gateway.message_reports import Reports
from dev.gateway.rate_limit import Limit, Limited
from dev.gateway.state import Memory

BASE = "/api/v1"
CALLS: tuple[tuple[str, str, Callable[..., Any]], ...] = (
    ("POST", "/webhooks", webhooks.register),
    ("GET", "/webhooks", webhooks.listing),
    ("POST", "/webhooks/test", webhooks.test),
    ("PUT", "/webhooks/{id}", webhooks.change),
    ("DELETE", "/webhooks/{id}", webhooks.delete),
    ("POST", "/messages/send", messages.send),
    ("POST", "/messages/send-image", messages.send_image),
    ("POST", "/messages/send-document", messages.send_document),
    ("POST", "/messages/send-video", messages.send_video),
    ("GET", "/messages/history", messages.history),
    ("GET", "/sessions/{id}/status", messages.session_status),
)
"""SAK's calls; `PUT /webhooks/{id}` is how a misbehaviour and the counts name one."""


def create_app(memory: Memory, plan: misbehaviour.Plan, wires: Wires, limit: Limit, reports: Reports) -> Starlette:
    calls = [
        Route(
            path,
            endpoint,
            methods=[method],
            middleware=[Middleware(misbehaviour.Misbehaving, f"{method} {path}", memory, plan, wires)],
        )
        for method, path, endpoint in CALLS
    ]
    control = [
        Route("/behaviour", gateway_control.behave, methods=["POST"]),
        Route("/behaviour", gateway_control.forgive, methods=["DELETE"]),
        Route("/seen", gateway_control.seen),
        Route("/switch", gateway_control.switch, methods=["POST"]),
        Route("/flush", gateway_control.flush, methods=["POST"]),
    ]
    app = Starlette(
        routes=[Mount(BASE, routes=calls, middleware=[Middleware(Limited, limit)]), Mount("/_pretend", routes=control)],
        exception_handlers={HTTPException: responses.refused},
    )
    app.state.memory = memory
    app.state.plan = plan
    app.state.limit = limit
    app.state.reports = reports
    return app
