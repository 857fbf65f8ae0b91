"""`/webhooks`: registers, lists, changes, deletes and tests webhooks."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse

from dev.gateway import delivery, responses
from dev.gateway.state import GatewayState, RegisteredWebhook

ALIASES = {"message": "message.received", "session": "session.status"}


def _parse_events(value: object) -> list[str]:
    words = cast("list[object]", value) if isinstance(value, list) else []
    events = [word.strip() for word in words if isinstance(word, str) and word.strip()]
    if not events:
        raise responses.PretendGatewayError(
            400, "VALIDATION_ERROR", "events array must include at least one valid event"
        )
    return [ALIASES.get(event, event) for event in events]


async def json_body(request: Request) -> dict[str, Any]:
    """Return the request's JSON object, or an empty one if it has none, like Express."""
    raw = await request.body()
    if not raw:
        return {}
    try:
        value: object = await request.json()
    except ValueError:
        raise responses.PretendGatewayError(400, "VALIDATION_ERROR", "the body is not JSON") from None
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _state(request: Request) -> GatewayState:
    return request.app.state.memory


def _find_webhook(memory: GatewayState, request: Request) -> RegisteredWebhook:
    for webhook in memory.webhooks():
        if webhook.id == request.path_params["id"]:
            return webhook
    raise responses.PretendGatewayError(404, "WEBHOOK_NOT_FOUND", "Webhook not found")


async def register(request: Request) -> JSONResponse:
    memory = _state(request)
    responses.require_token(request, memory.account)
    body = await json_body(request)
    session_id, url = body.get("sessionId"), body.get("url")
    if not session_id or not isinstance(url, str) or not url or not isinstance(body.get("events"), list):
        raise responses.PretendGatewayError(400, "VALIDATION_ERROR", "sessionId, url, and events array are required")
    events = _parse_events(body["events"])
    if session_id != memory.account.session_id:
        raise responses.PretendGatewayError(404, "SESSION_NOT_FOUND", "Session not found")
    webhook, new = memory.register(url, events)
    data = {"webhookId": webhook.id, "url": url, "secret": webhook.secret, "events": list(webhook.events)}
    return responses.success(data, 201 if new else 200)


async def list_webhooks(request: Request) -> JSONResponse:
    memory = _state(request)
    responses.require_token(request, memory.account)
    wanted = request.query_params.get("sessionId")
    webhooks = memory.webhooks() if wanted in (None, "", memory.account.session_id) else []
    rows = [
        {
            "id": webhook.id,
            "session_id": memory.account.session_id,
            "url": webhook.url,
            "events": list(webhook.events),
            "is_active": webhook.active,
            "failed_attempts": 0,
            "created_at": webhook.created_at,
        }
        for webhook in webhooks
    ]
    return responses.success({"webhooks": rows})


async def change(request: Request) -> JSONResponse:
    memory = _state(request)
    responses.require_token(request, memory.account)
    webhook = _find_webhook(memory, request)
    body = await json_body(request)
    if body.get("url"):
        webhook = dataclasses.replace(webhook, url=str(body["url"]))
    if body.get("events"):
        webhook = dataclasses.replace(webhook, events=tuple(_parse_events(body["events"])))
    if isinstance(body.get("isActive"), bool):
        webhook = dataclasses.replace(webhook, active=body["isActive"])
    memory.replace_webhook(webhook)
    return JSONResponse({"success": True, "message": "Webhook updated successfully"})


async def delete(request: Request) -> JSONResponse:
    memory = _state(request)
    responses.require_token(request, memory.account)
    memory.remove_webhook(_find_webhook(memory, request).id)
    return JSONResponse({"success": True, "message": "Webhook deleted successfully"})


async def send_test_ping(request: Request) -> JSONResponse:
    """Post the ping to every matching active webhook at once, and return their responses."""
    memory = _state(request)
    body = await json_body(request)
    responses.require_key(request, memory.account, body.get("sessionId"))
    matching = [
        webhook
        for webhook in memory.webhooks()
        if webhook.active and body.get("webhookId") in (None, webhook.id) and body.get("url") in (None, webhook.url)
    ]
    if not matching:
        raise responses.PretendGatewayError(404, "WEBHOOK_NOT_FOUND", "No active webhook found for this session")
    event = {
        "event": body.get("event") or "message.received",
        "sessionId": memory.account.session_id,
        "timestamp": responses.iso_now(),
        "test": True,
        "text": body.get("message") or "SAK webhook live test",
    }
    results = await run_in_threadpool(_deliver_to_all, matching, event)
    return responses.success(
        {
            "sessionId": memory.account.session_id,
            "event": event["event"],
            "attempted": len(results),
            "results": results,
        }
    )


def _deliver_to_all(webhooks: list[RegisteredWebhook], event: dict[str, Any]) -> list[dict[str, Any]]:
    def one(webhook: RegisteredWebhook) -> dict[str, Any]:
        result = delivery.deliver(webhook.url, webhook.secret, event)
        row = {"webhookId": webhook.id, "url": webhook.url, "ok": result.ok, "status": result.status}
        return row | ({"error": result.preview} if result.status is None else {"responsePreview": result.preview})

    with ThreadPoolExecutor(max_workers=8) as pool:
        return list(pool.map(one, webhooks))
