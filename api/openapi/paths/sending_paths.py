"""Describes sends (api/sending)."""

from api.gateway.media import MEDIA_KINDS
from api.openapi import spec
from api.openapi.spec import BOOLEAN, STRING, Schema
from api.sending import requests

_TO: Schema = {
    "type": "string",
    "format": "recipient",
    "minLength": 1,
    "maxLength": requests.MAX_RECIPIENT_LENGTH,
    "description": "A phone number with its country code, or a LID whose phone number is known.",
}
_SESSION_ID = spec.formatted(
    "session-to-send-from",
    "Required if SAK_SESSION_ID is not set; otherwise only that session is allowed.",
    requests.MAX_SESSION_ID_LENGTH,
)
_TEXT: Schema = {
    "type": "string",
    "minLength": 1,
    "maxLength": requests.MAX_TEXT_LENGTH,
    "pattern": r"^[^\u0000]*[^\s\u0000][^\u0000]*$",
}
_CAPTION: Schema = {"type": "string", "maxLength": requests.MAX_CAPTION_LENGTH, "pattern": spec.NO_NUL_PATTERN}
_FILE: Schema = {"type": "string", "format": "binary"}
_JSON_BODY = spec.record(("session_id",), to=_TO, session_id=_SESSION_ID, text=_TEXT)
_FORM_BODY: Schema = {
    **spec.record(
        ("session_id", "caption", *MEDIA_KINDS),
        to=_TO,
        session_id=_SESSION_ID,
        caption=_CAPTION,
        **dict.fromkeys(MEDIA_KINDS, _FILE),
    ),
    "description": "Exactly one file.",
}
_IDEMPOTENCY_KEY = spec.header(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": 257},
    "For 24 hours, a repeated request with the same key gets the first response and sends nothing.",
)
_SEND_ID = spec.path("id", {"type": "string", "minLength": 1})
_SEND = spec.ref("Send")
_LINKS = spec.links(
    send=("/api/sends/{id}/get", "id", "send_id"), reconcile=("/api/sends/{id}/reconcile/post", "id", "send_id")
)
_QUEUED = "Queued by the gateway, which does not report whether it is sent later."
_RECONCILED = spec.success(
    "The send, and whether its outcome is now known.",
    {"allOf": [_SEND, spec.record(settled=BOOLEAN, explanation=STRING)]},
)


def _error(description: str) -> Schema:
    return spec.response(description, {"allOf": [spec.ref("Error"), spec.record(data=_SEND)]})


PATHS: Schema = {
    "/api/send": {
        "post": {
            "summary": "Send a text, or a file with a caption.",
            "parameters": [_IDEMPOTENCY_KEY],
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": _JSON_BODY}, "multipart/form-data": {"schema": _FORM_BODY}},
            },
            "responses": {
                "200": spec.success("Sent.", _SEND, links=_LINKS),
                "202": spec.success(_QUEUED, _SEND, links=_LINKS),
                "409": _error("The first request with this key is still running."),
                "502": _error("Certainly not sent."),
                "504": _error("The outcome is unknown; do not repeat it automatically."),
                **spec.errors(413, 415, 422),
            },
        }
    },
    "/api/sends/{id}": spec.get("Get a send and its state.", [_SEND_ID], _SEND, 404),
    "/api/sends/{id}/reconcile": spec.post(
        "Compare an unknown or queued send with the gateway's own list.",
        [_SEND_ID],
        {"200": _RECONCILED, **spec.errors(404, 502)},
    ),
}
