"""`GET /openapi.json`: what the API takes and gives, for programs that read such things."""

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from api import chats, envelope, formats, messages, parameters, sendschema

_Schema = dict[str, Any]


def _object(properties: _Schema, *, required: bool = True) -> _Schema:
    return {"type": "object", "properties": properties, **({"required": sorted(properties)} if required else {})}


def _list(items: _Schema) -> _Schema:
    return {"type": "array", "items": items}


def _ref(name: str) -> _Schema:
    return {"$ref": f"#/components/schemas/{name}"}


_TEXT: _Schema = {"type": "string"}
_WHOLE: _Schema = {"type": "integer"}
_YES: _Schema = {"type": "boolean"}
_MAYBE_TEXT: _Schema = {"type": ["string", "null"]}
_MAYBE_WHOLE: _Schema = {"type": ["integer", "null"]}
_MAYBE_TIME: _Schema = {"type": ["string", "null"], "format": "date-time"}
_TIME: _Schema = {"type": "string", "format": "date-time"}
_CURSOR: _Schema = {"type": ["string", "null"], "description": "Opaque; null at the end."}
_DIRECTION: _Schema = {"type": "string", "enum": list(messages.DIRECTIONS)}

SCHEMAS: _Schema = {
    "Error": _object({"success": {"const": False}, "error": _TEXT, "code": _TEXT}),
    "Reaction": _object({"emoji": _TEXT, "direction": _DIRECTION, "sender": _MAYBE_TEXT, "reacted_at": _TIME}),
    "Message": {
        **_object(
            {
                "id": _MAYBE_WHOLE,
                "message_id": _MAYBE_TEXT,
                "session_id": _TEXT,
                "address": _TEXT,
                "direction": _DIRECTION,
                "message_type": _TEXT,
                "message_text": _MAYBE_TEXT,
                "media_url": _MAYBE_TEXT,
                "caption": _MAYBE_TEXT,
                "status": _MAYBE_TEXT,
                "timestamp": {"type": "integer", "description": "Milliseconds since 1970, UTC."},
                "created_at": _TIME,
                "deleted": {"type": "boolean", "description": "For everyone: texts and media are null then."},
                "edited": _YES,
                "reactions": _list(_ref("Reaction")),
                "rev": {"type": "integer", "description": "Grows: of two states of a message the greater is newer."},
            }
        ),
    },
    "Chat": _object(
        {
            "phone_number": _MAYBE_TEXT,
            "name": _MAYBE_TEXT,
            "last_message_at": _TIME,
            "unread_count": _WHOLE,
            "session_id": _TEXT,
            "address": _TEXT,
            "kind": {"type": "string", "enum": list(chats.KINDS)},
            "marked_unread": _YES,
            "waiting_since": _MAYBE_TIME,
            "last_message": {"type": ["object", "null"]},
            "rev": _WHOLE,
        }
    ),
}


def _query(name: str, schema: _Schema, description: str = "", *, required: bool = False) -> _Schema:
    return {"name": name, "in": "query", "required": required, "schema": schema, "description": description}


_LIMIT = {"type": "integer", "minimum": 1, "maximum": parameters.MAX_LIMIT}
_FLAG = {"type": "string", "enum": ["true", "false", "1", "0"]}
_PHONE = {
    "name": "phone",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "minLength": 1},
    "description": "A phone with its country code in any spelling, or a WhatsApp id such as …@g.us.",
}
_SESSION = _query("session_id", _TEXT, "One session instead of all that the token sees.")
_SPAN = [
    _query("since", _TEXT, "ISO 8601 or milliseconds, inclusive."),
    _query("until", _TEXT, "ISO 8601 or milliseconds, exclusive."),
]
_NARROW = [
    _SESSION,
    _query("direction", _DIRECTION),
    _query("type", {"type": "string", "enum": list(messages.TYPES)}),
    *_SPAN,
]
_FORMAT = _query("format", {"type": "string", "enum": list(formats.FORMATS)})


def _answers(data: _Schema, *refusals: int) -> _Schema:
    ok = _object({"success": {"const": True}, "data": data})
    refused = {"description": "Refused.", "content": {"application/json": {"schema": _ref("Error")}}}
    return {
        "200": {"description": "The answer.", "content": {"application/json": {"schema": ok}}},
        "304": {"description": "Still the same."},
        **{str(status): refused for status in (400, 401, 403, 429, 503, *refusals)},
    }


def _get(summary: str, asked: list[_Schema], data: _Schema, *refusals: int) -> _Schema:
    return {"get": {"summary": summary, "parameters": asked, "responses": _answers(data, *refusals)}}


def _file(summary: str, asked: list[_Schema]) -> _Schema:
    answers = _answers(_object({}), 404)
    kinds = {one.media_type.partition(";")[0]: {"schema": _TEXT} for one in formats.FORMATS.values()}
    answers["200"] = {"description": "The file; its last line is a manifest.", "content": kinds}
    return {"get": {"summary": summary, "parameters": asked, "responses": answers}}


_READ_BODY: _Schema = {
    "type": "object",
    "properties": {
        "up_to": {"type": ["string", "null"], "minLength": 1, "description": "A message_id; without it: everything."},
        "as_of": {"type": ["string", "null"], "description": "Of the page that was read; without it: this moment."},
        "unread": {"type": ["boolean", "null"], "description": "true: show the chat as unread again."},
    },
}
_PATHS: _Schema = {
    "/api/chats": _get(
        "The chats, newest first.",
        [
            _query("limit", _LIMIT),
            _query("cursor", _TEXT, "Of the page before: goes on with older chats."),
            _query("before", _TEXT, "The same as cursor."),
            _query("after", _TEXT, "What came to the top since."),
            _SESSION,
            _query("unread", _FLAG),
            _query("waiting", _FLAG),
            _query("kind", {"type": "string", "enum": list(chats.KINDS)}),
            _query("q", {"type": "string", "maxLength": 512}, "Part of a name or number, or how the last text begins."),
        ],
        _object({"contacts": _list(_ref("Chat")), "cursor": _CURSOR, "before": _CURSOR, "after": _CURSOR}),
    ),
    "/api/chats/{phone}": _get(
        "A page of a conversation, oldest message first.",
        [
            _PHONE,
            _query("limit", _LIMIT),
            _query("before", _TEXT),
            _query("after", _TEXT),
            _query("around", {"type": "string", "maxLength": 512}, "A message_id or a cursor."),
            _query("at", _TEXT, "ISO 8601 or milliseconds: the page around a time."),
            _query("versions", _FLAG, "Whether each message tells its texts before edits."),
            *_NARROW,
        ],
        _object(
            {
                "phoneNumber": _MAYBE_TEXT,
                "address": _TEXT,
                "messages": _list(_ref("Message")),
                "before": _CURSOR,
                "after": _CURSOR,
                "as_of": _TEXT,
            }
        ),
        404,
    ),
    "/api/chats/{phone}/read": {
        "post": {
            "summary": "Mark messages as read.",
            "parameters": [_PHONE, _SESSION],
            "requestBody": {"required": False, "content": {"application/json": {"schema": _READ_BODY}}},
            "responses": _answers(_object({"unread_count": _WHOLE, "marked_unread": _YES}), 404, 410, 413),
        }
    },
    "/api/chats/{phone}/export": _file("A whole chat as a file.", [_PHONE, _SESSION, _FORMAT]),
    "/api/sessions/{session_id}/export": _file(
        "A whole session as a file.",
        [{"name": "session_id", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}, _FORMAT],
    ),
    "/api/search": _get(
        "Messages in which all the words occur, newest first.",
        [
            _query("q", {"type": "string", "minLength": 1, "maxLength": 512}, required=True),
            _query("limit", _LIMIT),
            _query("cursor", _TEXT),
            _query("address", _TEXT, "One chat."),
            *_NARROW,
        ],
        _object({"results": _list(_ref("Message")), "cursor": _CURSOR, "fuzzy": _YES, "complete": _YES}),
    ),
    "/api/changes": _get(
        "What changed since a cursor, oldest first; without one, the cursor that means now.",
        [_query("since", _TEXT), _query("limit", _LIMIT), _SESSION],
        _object({"changes": _list({"type": "object"}), "cursor": _TEXT, "more": _YES}),
        410,
    ),
    "/api/stats": _get(
        "Messages per minute, hour or day, response times, who waits, what is unread.",
        [
            *_SPAN,
            _query("step", {"type": "string", "enum": ["minute", "hour", "day"]}),
            _query("zone", _TEXT, "Such as Asia/Kolkata."),
            _SESSION,
        ],
        _object({name: {} for name in ("messages", "first_responses", "waiting", "unread")}),
    ),
    "/api/sessions": _get("The sessions.", [], _object({"sessions": _list({"type": "object"})})),
    "/api/ledger": _get(
        "What was received and what became of it.",
        [],
        _object(
            {
                "received": _WHOLE,
                "stored": _WHOLE,
                "waiting": _MAYBE_WHOLE,
                "as_of": _MAYBE_TIME,
                "oldest_waiting_at": _MAYBE_TIME,
            }
        ),
    ),
    "/api/parked": _get(
        "Events that nobody understood, newest first.",
        [_query("limit", _LIMIT), _query("cursor", _TEXT), _SESSION],
        _object({"parked": _list({"type": "object"}), "cursor": _CURSOR}),
    ),
}
DOCUMENT = json.dumps(
    {
        "openapi": "3.1.0",
        "info": {"title": "WhatsApp history", "version": "1"},
        "security": [{"bearer": []}],
        "paths": _PATHS | sendschema.PATHS,
        "components": {
            "schemas": SCHEMAS | sendschema.SCHEMAS,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }
)


def openapi(_: Request) -> Response:
    return Response(DOCUMENT, media_type=envelope.JSON)
