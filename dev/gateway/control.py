"""`/_pretend`: sets the behaviour of the simulated gateway and returns the calls that it received."""

import dataclasses

from starlette.requests import Request
from starlette.responses import JSONResponse

from dev.gateway import misbehaviour as gateway_misbehaviour
from dev.gateway import responses, webhooks
from dev.gateway.message_reports import MessageReports
from dev.gateway.rate_limit import RateLimit
from dev.gateway.state import GatewayState


async def add_misbehaviour(request: Request) -> JSONResponse:
    plan: gateway_misbehaviour.MisbehaviourQueue = request.app.state.plan
    misbehaviour = gateway_misbehaviour.parse(await webhooks.json_body(request))
    plan.enqueue(misbehaviour)
    return responses.success(dataclasses.asdict(misbehaviour))


async def clear_misbehaviour(request: Request) -> JSONResponse:
    plan: gateway_misbehaviour.MisbehaviourQueue = request.app.state.plan
    plan.clear()
    return responses.success({})


async def call_counts(request: Request) -> JSONResponse:
    """Respond with the number of requests per call, and the messages that really went to WhatsApp."""
    memory: GatewayState = request.app.state.memory
    return responses.success(
        {"seen": memory.call_counts(), "reached": [dataclasses.asdict(sent) for sent in memory.delivered_messages()]}
    )


async def configure(request: Request) -> JSONResponse:
    """Set any of `{"connected": bool, "reports": bool, "per_minute": number or null}`.

    Respond with the current values.
    """
    state = request.app.state
    memory: GatewayState = state.memory
    reports: MessageReports = state.reports
    limit: RateLimit = state.limit
    body = await webhooks.json_body(request)
    if "connected" in body:
        memory.connected = bool(body["connected"])
    if "reports" in body:
        reports.enabled = bool(body["reports"])
    if "per_minute" in body:
        limit.per_minute = body["per_minute"]
    return responses.success(
        {"connected": memory.connected, "reports": reports.enabled, "per_minute": limit.per_minute}
    )


def send_queued(request: Request) -> JSONResponse:
    """Send what is queued."""
    memory: GatewayState = request.app.state.memory
    return responses.success([dataclasses.asdict(sent) for sent in memory.send_queued()])
