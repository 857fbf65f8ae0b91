"""`POST /api/send`, `GET /api/sends/{id}` and `POST /api/sends/{id}/reconcile`: send and look up sends."""

import json
import math
from uuid import UUID

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from api.auth import access
from api.auth.callers import Caller
from api.http import database, responses, timestamps
from api.http.errors import ApiError
from api.sending import idempotency, reconciliation, requests
from api.sending.dispatch import SendDispatcher
from api.sending.outbox import SendOutcome
from api.sending.reconciliation import Reconciliation
from api.sending.requests import SendRequest
from store.postgres.connections import Connection
from store.sending import sends
from store.sending.sends import Send

_HTTP_STATUS = {"sent": 200, "queued": 202, "accepted": 409, "failed": 502, "unknown": 504}
_ERROR_MESSAGES = {
    "accepted": "The first request with this Idempotency-Key is still running: try again.",
    "failed": "Not sent",
    "unknown": "The outcome is unknown, and it is not sent again automatically",
}
_ERROR_CODES = {"accepted": "send_in_progress", "failed": "send_failed", "unknown": "send_unknown"}


async def create_send(request: Request) -> Response:
    """Send a text or a file with a caption. Respond with 200 if sent, 202 if queued, 502 if failed, 504 if unknown."""
    caller = access.caller(request)
    caller.require_scope("write")
    key = idempotency.key(request)
    dispatcher = _dispatcher_from(request)
    _ = dispatcher.outbox  # raises ApiError if there is no gateway, before a file is uploaded
    if not requests.is_multipart(request):
        return await _send(dispatcher, caller, await requests.read_json(request), key)
    max_file_bytes = database.from_request(request).settings.max_file_bytes
    form = await requests.read_form(request, max_file_bytes)
    try:
        # In a thread, because `from_form` may read the file from disk.
        send_request = await run_in_threadpool(requests.from_form, form, max_file_bytes)
        return await _send(dispatcher, caller, send_request, key)
    finally:
        await form.close()


async def _send(dispatcher: SendDispatcher, caller: Caller, send_request: SendRequest, key: str | None) -> Response:
    session_id = _select_session(dispatcher, caller, send_request.session_id)
    return _outcome_response(await dispatcher.send(send_request, caller.name, session_id, key))


def _select_session(dispatcher: SendDispatcher, caller: Caller, requested: str | None) -> str:
    """Return the session to send from. Raises ApiError."""
    configured = dispatcher.default_session
    session_id = requested or configured
    if session_id is None:
        raise ApiError(400, "session_missing", "session_id is required, as SAK_SESSION_ID is not set.")
    if caller.sessions is not None and session_id not in caller.sessions:
        raise ApiError(403, "session_forbidden", "This token may not send from that session.")
    if dispatcher.outbox.sender_of(session_id) is not None:
        return session_id
    dispatcher.require_sak()
    # The key of a session always sends from that session, so the send would be recorded in the wrong one.
    if configured is not None and session_id != configured:
        sentence = "SAK_SESSION_ID is another session; to choose one, use an owner's key and unset it."
        raise ApiError(400, "wrong_session", sentence)
    return session_id


def _outcome_response(outcome: SendOutcome) -> Response:
    """Return the response to a send. Error responses also contain `data`."""
    send = outcome.send
    status = _HTTP_STATUS[send.state]
    data = json.dumps(send_fields(send), ensure_ascii=False)
    headers = {} if outcome.is_new else {"idempotency-replayed": "true"}
    if status < 300:
        return Response(f'{{"success":true,"data":{data}}}', status, headers, responses.JSON_MEDIA_TYPE)
    if status == 409:
        headers["retry-after"] = "5"
    elif outcome.retry_after is not None:
        headers["retry-after"] = str(math.ceil(outcome.retry_after))
    sentence = _ERROR_MESSAGES[send.state] + (f": {send.reason}." if send.reason and status != 409 else "")
    error = json.dumps(sentence, ensure_ascii=False)
    body = f'{{"success":false,"error":{error},"code":"{_ERROR_CODES[send.state]}","data":{data}}}'
    return Response(body, status, headers, responses.JSON_MEDIA_TYPE)


def send_fields(send: Send) -> dict[str, object]:
    """Return a send in the format of the API."""
    return {
        "messageId": send.message_id or send.gateway_id,
        "status": "pending" if send.state == "accepted" else send.state,
        "send_id": str(send.send_id),
        "session_id": send.session_id,
        "to": send.address,
        "message_type": send.kind,
        "code": send.code,
        "reason": send.reason,
        "timestamp": send.timestamp,
        "created_at": timestamps.format_utc(send.timestamp),
    }


def reconciliation_fields(result: Reconciliation) -> dict[str, object]:
    return {**send_fields(result.send), "settled": result.is_settled, "explanation": result.explanation}


def get_send(request: Request) -> Response:
    """Respond with a send and its state."""
    return responses.success_object(send_fields(_load_send(request)))


def reconcile_send(request: Request) -> Response:
    """Compare an unknown or queued send with the gateway's own list."""
    access.caller(request).require_scope("write")
    send = _load_send(request)
    result = reconciliation.reconcile(_dispatcher_from(request).outbox, send)
    return responses.success_object(reconciliation_fields(result))


def _load_send(request: Request) -> Send:
    caller = access.caller(request)
    try:
        send_id = UUID(request.path_params["id"])
    except ValueError:
        send_id = None

    def query(connection: Connection) -> Send | None:
        return None if send_id is None else sends.get(connection, send_id)

    send = database.from_request(request).read_primary(query)
    if send is None or (caller.sessions is not None and send.session_id not in caller.sessions):
        raise ApiError(404, "send_not_found", "There is no send with that id.")
    return send


def _dispatcher_from(request: Request) -> SendDispatcher:
    dispatcher: SendDispatcher = request.app.state.dispatcher
    return dispatcher
