"""`/messages`: sends text and files, lists sent messages, and returns the state and settings of the session."""

from collections.abc import Iterator
from typing import IO

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse

from dev.gateway import misbehaviour, responses, webhooks
from dev.gateway import state as gateway_state

CHUNK_BYTES = 65536


def _state(request: Request) -> gateway_state.GatewayState:
    return request.app.state.memory


async def send(request: Request) -> JSONResponse:
    state = _state(request)
    body = await webhooks.json_body(request)
    responses.require_key(request, state.account, body.get("sessionId"))
    if not body.get("to") or not body.get("text"):
        raise responses.PretendGatewayError(400, "VALIDATION_ERROR", "to and text are required")
    # In a thread, because listeners of sent messages may call back.
    sent = await run_in_threadpool(
        state.send, str(body["to"]), "text", str(body["text"]), None, misbehaviour.forced_outcome(request)
    )
    return _send_response(sent)


async def send_image(request: Request) -> JSONResponse:
    return await _send_file(request, "image")


async def send_document(request: Request) -> JSONResponse:
    return await _send_file(request, "document")


async def send_video(request: Request) -> JSONResponse:
    return await _send_file(request, "video")


async def _send_file(request: Request, kind: str) -> JSONResponse:
    state = _state(request)
    responses.require_key(request, state.account)
    async with request.form() as form:
        to, caption, file = form.get("to"), form.get("caption"), form.get(kind)
        if not isinstance(to, str) or not to or not isinstance(file, UploadFile):
            raise responses.PretendGatewayError(400, "VALIDATION_ERROR", f"to and {kind} file are required")
        attachment = await run_in_threadpool(
            gateway_state.read_attachment, file.filename or "", file.content_type or "", _chunks(file.file)
        )
        text = caption if isinstance(caption, str) else ""
        sent = await run_in_threadpool(state.send, to, kind, text, attachment, misbehaviour.forced_outcome(request))
    if sent.status == "failed" and kind != "document":
        raise responses.PretendGatewayError(500, f"SEND_{kind.upper()}_FAILED", "INVALID_PHONE_NUMBER")
    return _send_response(sent)


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(CHUNK_BYTES):
        yield chunk


def _send_response(sent: gateway_state.RequestedSend) -> JSONResponse:
    """Return a success response even if the message failed. A failed message has no id and no reason."""
    ids = {} if sent.message_id is None else {"messageId": sent.message_id}
    return responses.success(ids | {"status": sent.status})


async def history(request: Request) -> JSONResponse:
    state = _state(request)
    responses.require_key(request, state.account)
    limit = _integer_parameter(request, "limit", 50)
    offset = _integer_parameter(request, "offset", 0)
    newest_first = state.sent_messages()[::-1]
    rows = [
        {
            "message_id": sent.history_id,
            "to_number": sent.to,
            "message_type": sent.type,
            "status": sent.status,
            "created_at": sent.created_at,
        }
        for sent in newest_first[offset : offset + limit]
    ]
    return responses.success({"messages": rows})


def _integer_parameter(request: Request, name: str, default: int) -> int:
    word = request.query_params.get(name, "")
    return int(word) or default if word.isascii() and word.isdigit() else default


async def session_status(request: Request) -> JSONResponse:
    state = _state(request)
    account = state.account
    if request.headers.get("x-api-key") != account.user_key:
        responses.require_token(request, account)
    if request.path_params["id"] != account.session_id:
        raise responses.PretendGatewayError(404, "SESSION_NOT_FOUND", "Session not found")
    return responses.success(
        {
            "sessionId": account.session_id,
            "name": "Demo",
            "connected": state.connected,
            "phoneNumber": account.phone,
            "lastConnectedAt": state.last_connected_at,
        }
    )


def list_sessions(request: Request) -> JSONResponse:
    state = _state(request)
    responses.require_token(request, state.account)
    session = {
        "id": state.account.session_id,
        "name": "Demo",
        "phone_number": state.account.phone,
        "connected": state.connected,
        "autoReplyEnabled": state.auto_reply_enabled,
    }
    return responses.success({"sessions": [session]})
