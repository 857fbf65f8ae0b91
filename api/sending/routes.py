"""`POST /api/send` and what became of it: `GET /api/sends/{id}`, `POST /api/sends/{id}/reconcile`."""

import json
from datetime import UTC, datetime
from uuid import UUID

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from api.auth import access
from api.auth.access import Caller
from api.http import database, parameters, responses
from api.http.errors import Refusal
from api.sending import idempotency, reconciliation, requests
from api.sending.dispatch import Dispatch
from api.sending.outbox import Posted
from api.sending.requests import Letter
from store.postgres.connections import Connection
from store.sending import sends
from store.sending.sends import Send

_STATUS = {"sent": 200, "queued": 202, "accepted": 409, "failed": 502, "unknown": 504}
_SENTENCE = {
    "accepted": "This Idempotency-Key's first request is still waiting for SAK: ask again.",
    "failed": "It was not sent",
    "unknown": "It may have been sent or not, and is not sent again by itself",
}
_CODE = {"accepted": "send_in_progress", "failed": "send_failed", "unknown": "send_unknown"}


async def send(request: Request) -> Response:
    """Send a text, or a file with a caption; 200 sent, 202 queued, 502 failed, 504 unknown."""
    caller = access.caller(request)
    caller.needs("write")
    key = idempotency.key(request)
    dispatch = _dispatch(request)
    _ = dispatch.outbox  # refuses where there is no gateway, before a file is taken in for nothing
    if not requests.is_form(request):
        return await _send(dispatch, caller, await requests.read(request), key)
    most = database.of(request).settings.file_bytes
    form = await requests.form(request, most)
    try:
        # Reading the file's first bytes may mean reading a disk.
        return await _send(dispatch, caller, await run_in_threadpool(requests.of_form, form, most), key)
    finally:
        await form.close()


async def _send(dispatch: Dispatch, caller: Caller, wanted: Letter, key: str | None) -> Response:
    session_id = _session(dispatch, caller, wanted.session_id)
    return answer(await dispatch.send(wanted, token=caller.name, session_id=session_id, key=key))


def _session(dispatch: Dispatch, caller: Caller, wanted: str | None) -> str:
    """The session that is sent from; raises Refusal."""
    configured = dispatch.outbox.settings.session_id
    session_id = wanted or configured
    if session_id is None:
        raise Refusal(400, "session_missing", "session_id says which session to send from; SAK_SESSION_ID is not set.")
    if caller.sessions is not None and session_id not in caller.sessions:
        raise Refusal(403, "session_forbidden", "This token may not send from that session.")
    # A session's own key sends from its session, whatever it is told: the send would be kept in the wrong one.
    if configured is not None and session_id != configured:
        raise Refusal(
            400, "wrong_session", "SAK_SESSION_ID is another session: leave it unset to choose, with an owner's key."
        )
    return session_id


def answer(posted: Posted) -> Response:
    """The answer to a send: the guide's shape, and `data` also where it is not a success."""
    send = posted.send
    status = _STATUS[send.state]
    data = json.dumps(described(send), ensure_ascii=False)
    headers = {} if posted.new else {"idempotency-replayed": "true"}
    if status < 300:
        return Response(f'{{"success":true,"data":{data}}}', status, headers, responses.JSON)
    if status == 409:
        headers["retry-after"] = "5"
    sentence = _SENTENCE[send.state] + (f": {send.reason}." if send.reason and status != 409 else "")
    error = json.dumps(sentence, ensure_ascii=False)
    body = f'{{"success":false,"error":{error},"code":"{_CODE[send.state]}","data":{data}}}'
    return Response(body, status, headers, responses.JSON)


def described(send: Send) -> dict[str, object]:
    """A send as clients see it."""
    at = datetime.fromtimestamp(send.timestamp / 1000, UTC).isoformat(timespec="milliseconds")
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
        "created_at": at.replace("+00:00", "Z"),
    }


def one(request: Request) -> Response:
    """What is known of a send."""
    parameters.known(request, ())
    return responses.success(json.dumps(described(_found(request)), ensure_ascii=False))


def reconcile(request: Request) -> Response:
    """Compare an unknown or a queued send with the gateway's own list, once, because somebody asks."""
    access.caller(request).needs("write")
    send = _found(request)
    verdict = reconciliation.settle(_dispatch(request).outbox, send)
    return responses.success(
        json.dumps(
            {**described(verdict.send), "settled": verdict.settled, "explanation": verdict.explanation},
            ensure_ascii=False,
        )
    )


def _found(request: Request) -> Send:
    caller = access.caller(request)
    try:
        send_id = UUID(request.path_params["id"])
    except ValueError:
        send_id = None

    def question(connection: Connection) -> Send | None:
        return None if send_id is None else sends.get(connection, send_id)

    found = database.of(request).ask(question)
    if found is None or (caller.sessions is not None and found.session_id not in caller.sessions):
        raise Refusal(404, "send_not_found", "There is no send with that id.")
    return found


def _dispatch(request: Request) -> Dispatch:
    dispatch: object = request.app.state.dispatch
    assert isinstance(dispatch, Dispatch)
    return dispatch
