"""What `/openapi.json` says of sends."""

from typing import Any

from api.openapi.builders import NO_NUL

_Schema = dict[str, Any]

_TEXT: _Schema = {"type": "string"}
_MAYBE_TEXT: _Schema = {"type": ["string", "null"]}
_TO: _Schema = {
    "type": "string",
    "format": "recipient",
    "minLength": 1,
    "maxLength": 128,
    "description": "A phone with its country code; of a LID, the phone must be known.",
}
_FROM: _Schema = {
    "type": "string",
    "format": "session-to-send-from",
    "maxLength": 200,
    "description": "Where SAK_SESSION_ID is not set; else it may only be that one.",
}
_STATES = ("pending", "sent", "queued", "failed", "unknown")
_SEND: _Schema = {
    "messageId": {"type": ["string", "null"], "description": "WhatsApp's if sent; the gateway's own if queued."},
    "status": {"type": "string", "enum": list(_STATES)},
    "send_id": {"type": "string", "format": "uuid"},
    "session_id": _TEXT,
    "to": _TEXT,
    "message_type": {"type": "string", "enum": ["text", "image", "document", "video"]},
    "code": _MAYBE_TEXT,
    "reason": _MAYBE_TEXT,
    "timestamp": {"type": "integer"},
    "created_at": {"type": "string", "format": "date-time"},
}
SCHEMAS: _Schema = {"Send": {"type": "object", "properties": _SEND, "required": sorted(_SEND)}}

_SENT = {"$ref": "#/components/schemas/Send"}
_ERROR = {"$ref": "#/components/schemas/Error"}


def _answer(description: str, schema: _Schema) -> _Schema:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _success(data: _Schema) -> _Schema:
    return {
        "type": "object",
        "properties": {"success": {"const": True}, "data": data},
        "required": ["data", "success"],
    }


def _not_sent(description: str) -> _Schema:
    both = {"allOf": [_ERROR, {"type": "object", "properties": {"data": _SENT}, "required": ["data"]}]}
    return _answer(description, both)


def _refused(*statuses: int) -> _Schema:
    return {str(status): _answer("Refused.", _ERROR) for status in (400, 401, 403, 429, 503, *statuses)}


_JSON: _Schema = {
    "type": "object",
    "properties": {
        "to": _TO,
        "text": {
            "type": "string",
            "minLength": 1,
            "maxLength": 65_536,
            "pattern": r"^[^\u0000]*[^\s\u0000][^\u0000]*$",
        },
        "session_id": _FROM,
    },
    "required": ["text", "to"],
}
_FORM: _Schema = {
    "type": "object",
    "description": "One of the three files.",
    "properties": {
        "to": _TO,
        "caption": {"type": "string", "maxLength": 1_024, "pattern": NO_NUL},
        "session_id": _FROM,
        **{kind: {"type": "string", "format": "binary"} for kind in ("image", "document", "video")},
    },
    "required": ["to"],
    "oneOf": [{"required": [kind]} for kind in ("image", "document", "video")],
}
_KEY: _Schema = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 257},
    "description": "For 24 hours the same key with the same request gives the same answer and sends nothing.",
}
_ID: _Schema = {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
_VERDICT: _Schema = {
    "allOf": [
        _SENT,
        {
            "type": "object",
            "properties": {"settled": {"type": "boolean"}, "explanation": _TEXT},
            "required": ["explanation", "settled"],
        },
    ]
}
_TO_SEND: _Schema = {
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
            "parameters": [_KEY],
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": _JSON}, "multipart/form-data": {"schema": _FORM}},
            },
            "responses": {
                "200": _answer("Sent.", _success(_SENT)) | {"links": _TO_SEND},
                "202": _answer("Queued by the gateway, which never tells whether it went out.", _success(_SENT))
                | {"links": _TO_SEND},
                "409": _not_sent("The key's first request is still waiting for the gateway."),
                "502": _not_sent("It was certainly not sent."),
                "504": _not_sent("It may have been sent or not; do not send it again by machine."),
                **_refused(413, 415, 422),
            },
        }
    },
    "/api/sends/{id}": {
        "get": {
            "summary": "What is known of a send.",
            "parameters": [_ID],
            "responses": {
                "200": _answer("The send.", _success(_SENT)),
                "304": {"description": "Still the same."},
                **_refused(404),
            },
        }
    },
    "/api/sends/{id}/reconcile": {
        "post": {
            "summary": "Compare an unknown or queued send with the gateway's own list.",
            "parameters": [_ID],
            "responses": {
                "200": _answer("The send, and whether its end is known now.", _success(_VERDICT)),
                **_refused(404, 502),
            },
        }
    },
}
