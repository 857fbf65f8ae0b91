"""`/_pretend`: what only a pretend gateway has, to tell it how to behave and to ask what it saw."""

import dataclasses

from starlette.requests import Request
from starlette.responses import JSONResponse

from dev.gateway import misbehaviour as gateway_misbehaviour
from dev.gateway import responses, webhooks
from dev.gateway.message_reports import Reports
from dev.gateway.rate_limit import Limit
from dev.gateway.state import Memory


async def behave(request: Request) -> JSONResponse:
    plan: gateway_misbehaviour.Plan = request.app.state.plan
    misbehaviour = gateway_misbehaviour.read(await webhooks.body_of(request))
    plan.add(misbehaviour)
    return responses.success(dataclasses.asdict(misbehaviour))


async def forgive(request: Request) -> JSONResponse:
    """Nothing goes wrong from here on."""
    plan: gateway_misbehaviour.Plan = request.app.state.plan
    plan.clear()
    return responses.success({})


async def seen(request: Request) -> JSONResponse:
    """Requests per call, and what really went to WhatsApp."""
    memory: Memory = request.app.state.memory
    return responses.success(
        {"seen": memory.seen(), "reached": [dataclasses.asdict(sent) for sent in memory.reached()]}
    )


async def switch(request: Request) -> JSONResponse:
    """`{"connected": bool, "reports": bool, "per_minute": number or null}`, each if told; says how they are now."""
    state = request.app.state
    memory: Memory = state.memory
    reports: Reports = state.reports
    limit: Limit = state.limit
    body = await webhooks.body_of(request)
    if "connected" in body:
        memory.connected = bool(body["connected"])
    if "reports" in body:
        reports.on = bool(body["reports"])
    if "per_minute" in body:
        limit.per_minute = body["per_minute"]
    return responses.success({"connected": memory.connected, "reports": reports.on, "per_minute": limit.per_minute})


def flush(request: Request) -> JSONResponse:
    """Sends what is queued."""
    memory: Memory = request.app.state.memory
    return responses.success([dataclasses.asdict(sent) for sent in memory.flush()])
