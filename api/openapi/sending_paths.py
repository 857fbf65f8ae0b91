"""Describes sends (api/sending)."""

from api.gateway.client import MEDIA_KINDS
from api.openapi.builders import (
    BOOLEAN,
    NO_NUL_PATTERN,
    STRING,
    Schema,
    error_responses,
    get_operation,
    header_parameter,
    json_response,
    links,
    object_schema,
    path_parameter,
    schema_ref,
    success_response,
)
from api.sending import requests

_COMMON_FIELDS: Schema = {
    "to": {
        "type": "string",
        "format": "recipient",
        "minLength": 1,
        "maxLength": requests.MAX_RECIPIENT_LENGTH,
        "description": "A phone number with its country code, or a LID whose phone number is known.",
    },
    "session_id": {
        "type": "string",
        "format": "session-to-send-from",
        "maxLength": requests.MAX_SESSION_ID_LENGTH,
        "description": "Required where SAK_SESSION_ID is not set; elsewhere only that session.",
    },
}
_JSON_BODY = object_schema(
    {
        **_COMMON_FIELDS,
        "text": {
            "type": "string",
            "minLength": 1,
            "maxLength": requests.MAX_TEXT_LENGTH,
            "pattern": r"^[^\u0000]*[^\s\u0000][^\u0000]*$",
        },
    },
    "session_id",
)
_FORM_BODY: Schema = {
    **object_schema(
        {
            **_COMMON_FIELDS,
            "caption": {"type": "string", "maxLength": requests.MAX_CAPTION_LENGTH, "pattern": NO_NUL_PATTERN},
            **{kind: {"type": "string", "format": "binary"} for kind in MEDIA_KINDS},
        },
        *("session_id", "caption", *MEDIA_KINDS),
    ),
    "description": "Exactly one file.",
    "oneOf": [{"required": [kind]} for kind in MEDIA_KINDS],
}
_IDEMPOTENCY_KEY_PARAMETER = header_parameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": 257},
    "For 24 hours, a repeated request with the same key gets the first response and sends nothing.",
)
_SEND_ID_PARAMETER = path_parameter("id", {"type": "string", "minLength": 1})
_SEND = schema_ref("Send")
_SEND_LINKS = links(
    send=("/api/sends/{id}/get", "id", "send_id"), reconcile=("/api/sends/{id}/reconcile/post", "id", "send_id")
)


def _send_error_response(description: str) -> Schema:
    return json_response(description, {"allOf": [schema_ref("Error"), object_schema({"data": _SEND})]})


PATHS: Schema = {
    "/api/send": {
        "post": {
            "summary": "Send a text, or a file with a caption.",
            "parameters": [_IDEMPOTENCY_KEY_PARAMETER],
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": _JSON_BODY}, "multipart/form-data": {"schema": _FORM_BODY}},
            },
            "responses": {
                "200": success_response("Sent.", _SEND, links=_SEND_LINKS),
                "202": success_response(
                    "Queued by the gateway, which does not report whether it is sent later.", _SEND, links=_SEND_LINKS
                ),
                "409": _send_error_response("The first request with this key is still running."),
                "502": _send_error_response("Certainly not sent."),
                "504": _send_error_response("The outcome is unknown; do not repeat it automatically."),
                **error_responses(413, 415, 422),
            },
        }
    },
    "/api/sends/{id}": {"get": get_operation("Get a send and its state.", [_SEND_ID_PARAMETER], _SEND, 404)},
    "/api/sends/{id}/reconcile": {
        "post": {
            "summary": "Compare an unknown or queued send with the gateway's own list.",
            "parameters": [_SEND_ID_PARAMETER],
            "responses": {
                "200": success_response(
                    "The send, and whether its outcome is known now.",
                    {"allOf": [_SEND, object_schema({"settled": BOOLEAN, "explanation": STRING})]},
                ),
                **error_responses(404, 502),
            },
        }
    },
}
