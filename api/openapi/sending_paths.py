"""What `/openapi.json` says of sends."""

from typing import Any

from api.openapi.builders import NO_NUL_PATTERN

_Schema = dict[str, Any]

_STRING: _Schema = {"type": "string"}
_NULLABLE_STRING: _Schema = {"type": ["string", "null"]}
_RECIPIENT: _Schema = {
    "type": "string",
    "format": "recipient",
    "minLength": 1,
    "maxLength": 128,
    "description": "A phone with its country code; of a LID, the phone must be known.",
}
_SESSION_ID: _Schema = {
    "type": "string",
    "format": "session-to-send-from",
    "maxLength": 200,
    "description": "Where SAK_SESSION_ID is not set; else it may only be that one.",
}
_SEND_STATES = ("pending", "sent", "queued", "failed", "unknown")
_SEND_PROPERTIES: _Schema = {
    "messageId": {"type": ["string", "null"], "description": "WhatsApp's if sent; the gateway's own if queued."},
    "status": {"type": "string", "enum": list(_SEND_STATES)},
    "send_id": {"type": "string", "format": "uuid"},
    "session_id": _STRING,
    "to": _STRING,
    "message_type": {"type": "string", "enum": ["text", "image", "document", "video"]},
    "code": _NULLABLE_STRING,
    "reason": _NULLABLE_STRING,
    "timestamp": {"type": "integer"},
    "created_at": {"type": "string", "format": "date-time"},
}
SCHEMAS: _Schema = {"Send": {"type": "object", "properties": _SEND_PROPERTIES, "required": sorted(_SEND_PROPERTIES)}}

_SEND_REF = {"$ref": "#/components/schemas/Send"}
_ERROR_REF = {"$ref": "#/components/schemas/Error"}


def _json_response(description: str, schema: _Schema) -> _Schema:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _success_schema(data: _Schema) -> _Schema:
    return {
        "type": "object",
        "properties": {"success": {"const": True}, "data": data},
        "required": ["data", "success"],
    }


def _send_error_response(description: str) -> _Schema:
    both = {"allOf": [_ERROR_REF, {"type": "object", "properties": {"data": _SEND_REF}, "required": ["data"]}]}
    return _json_response(description, both)


def _error_responses(*statuses: int) -> _Schema:
    return {str(status): _json_response("Refused.", _ERROR_REF) for status in (400, 401, 403, 429, 503, *statuses)}


_JSON_BODY: _Schema = {
    "type": "object",
    "properties": {
        "to": _RECIPIENT,
        "text": {
            "type": "string",
            "minLength": 1,
            "maxLength": 65_536,
            "pattern": r"^[^\u0000]*[^\s\u0000][^\u0000]*$",
        },
        "session_id": _SESSION_ID,
    },
    "required": ["text", "to"],
}
_FORM_BODY: _Schema = {
    "type": "object",
    "description": "One of the three files.",
    "properties": {
        "to": _RECIPIENT,
        "caption": {"type": "string", "maxLength": 1_024, "pattern": NO_NUL_PATTERN},
        "session_id": _SESSION_ID,
        **{kind: {"type": "string", "format": "binary"} for kind in ("image", "document", "video")},
    },
    "required": ["to"],
    "oneOf": [{"required": [kind]} for kind in ("image", "document", "video")],
}
_IDEMPOTENCY_KEY_PARAMETER: _Schema = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 257},
    "description": "For 24 hours the same key with the same request gives the same answer and sends nothing.",
}
_SEND_ID_PARAMETER: _Schema = {
    "name": "id",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "minLength": 1},
}
_RECONCILIATION: _Schema = {
    "allOf": [
        _SEND_REF,
        {
            "type": "object",
            "properties": {"settled": {"type": "boolean"}, "explanation": _STRING},
            "required": ["explanation", "settled"],
        },
    ]
}
_SEND_LINKS: _Schema = {
    "send": {
        "operationRef": "#/paths/~1api~1sends~1{id}/get",
        "parameters": {"id": "$response.body#/data/send_id"},
    },
    "reconcile": {
        "operationRef": "#/paths/~1api~1sends~1{id}~1reconcile/post",
        "parameters": {"id": "$response.body#/data/send_id"},
    },
}
PATHS: _Schema = {
    "/api/send": {
        "post": {
            "summary": "Send a text, or a file with a caption.",
            "parameters": [_IDEMPOTENCY_KEY_PARAMETER],
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": _JSON_BODY}, "multipart/form-data": {"schema": _FORM_BODY}},
            },
            "responses": {
                "200": _json_response("Sent.", _success_schema(_SEND_REF)) | {"links": _SEND_LINKS},
                "202": _json_response(
                    "Queued by the gateway, which never tells whether it went out.", _success_schema(_SEND_REF)
                )
                | {"links": _SEND_LINKS},
                "409": _send_error_response("The key's first request is still waiting for the gateway."),
                "502": _send_error_response("It was certainly not sent."),
                "504": _send_error_response("It may have been sent or not; do not send it again by machine."),
                **_error_responses(413, 415, 422),
            },
        }
    },
    "/api/sends/{id}": {
        "get": {
            "summary": "What is known of a send.",
            "parameters": [_SEND_ID_PARAMETER],
            "responses": {
                "200": _json_response("The send.", _success_schema(_SEND_REF)),
                "304": {"description": "Still the same."},
                **_error_responses(404),
            },
        }
    },
    "/api/sends/{id}/reconcile": {
        "post": {
            "summary": "Compare an unknown or queued send with the gateway's own list.",
            "parameters": [_SEND_ID_PARAMETER],
            "responses": {
                "200": _json_response("The send, and whether its end is known now.", _success_schema(_RECONCILIATION)),
                **_error_responses(404, 502),
            },
        }
    },
}
