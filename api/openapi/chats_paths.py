"""What `/openapi.json` says of the calls that read, and of marking as read."""

from api.chats import export_formats, messages, routes
from api.http import parameters
from api.openapi.builders import (
    BOOLEAN,
    INTEGER,
    NO_NUL_PATTERN,
    STRING,
    Schema,
    array_schema,
    error_responses,
    formatted_string,
    get_operation,
    object_schema,
    path_parameter,
    post_operation,
    query_parameter,
    schema_ref,
    success_response,
)
from api.openapi.schemas import DIRECTION, NULLABLE_CURSOR

_LIMIT_PARAMETER: Schema = query_parameter("limit", {"type": "integer", "minimum": 1, "maximum": parameters.MAX_LIMIT})
_BOOLEAN: Schema = {"type": "boolean"}
_PHONE_PARAMETER = path_parameter(
    "phone",
    {"type": "string", "format": "address", "minLength": 1, "maxLength": 128},
    "A phone with its country code in any spelling, or a WhatsApp id such as …@g.us.",
)
_MESSAGE_ID: Schema = {"type": "string", "minLength": 1, "maxLength": 512, "pattern": NO_NUL_PATTERN}
SESSION_PARAMETER = query_parameter(
    "session_id", _MESSAGE_ID | {"minLength": 0}, "One session instead of all that the token sees."
)
_TIME_RANGE_PARAMETERS = [
    query_parameter(
        "since", formatted_string("moment", "ISO 8601 (without an offset: UTC) or milliseconds, inclusive.")
    ),
    query_parameter(
        "until", formatted_string("moment", "ISO 8601 (without an offset: UTC) or milliseconds, exclusive.")
    ),
]
_MESSAGE_FILTERS = [
    SESSION_PARAMETER,
    query_parameter("direction", DIRECTION),
    query_parameter("type", {"type": "string", "enum": list(messages.MESSAGE_TYPES)}),
    *_TIME_RANGE_PARAMETERS,
]
_FORMAT_PARAMETER = query_parameter("format", {"type": "string", "enum": list(export_formats.FORMATS)})
_CHATS_CURSOR, _MESSAGES_CURSOR, _SEARCH_CURSOR, _PARKED_CURSOR = (
    formatted_string(f"cursor-of-{name}", "As an answer gave it.", 8192)
    for name in ("chats", "messages", "search", "parked")
)


def _export_path(summary: str, parameter_schemas: list[Schema]) -> Schema:
    kinds = {one.media_type.partition(";")[0]: {"schema": STRING} for one in export_formats.FORMATS.values()}
    answers = {
        "200": {"description": "The file; its last line is a manifest.", "content": kinds},
        **error_responses(404),
    }
    return {"get": {"summary": summary, "parameters": parameter_schemas, "responses": answers}}


_AS_OF: Schema = {
    "type": ["string", "null"],
    "format": "as-of",
    "minLength": 1,
    "maxLength": 8192,
    "description": "Of the page that was read; without it: this moment.",
}
_READ_FLAG_BODY: Schema = {
    "anyOf": [
        {
            "type": "object",
            "description": "Mark as read.",
            "properties": {
                "up_to": {
                    "type": ["string", "null"],
                    "minLength": 1,
                    "pattern": NO_NUL_PATTERN,
                    "description": "A message_id; without it: everything.",
                },
                "as_of": _AS_OF,
                "unread": {"enum": [False, None]},
            },
        },
        {
            "type": "object",
            "description": "Show the chat as unread again.",
            "properties": {"up_to": {"type": "null"}, "as_of": {"type": "null"}, "unread": {"const": True}},
            "required": ["unread"],
        },
    ]
}
_CHAT_LINK: Schema = {
    "messages": {
        "operationRef": "#/paths/~1api~1chats~1{phone}/get",
        "parameters": {"phone": "$response.body#/data/contacts/0/address"},
    },
}

PATHS: Schema = {
    "/api/chats": {
        "get": get_operation(
            "The chats, newest first.",
            [
                _LIMIT_PARAMETER,
                query_parameter("cursor", _CHATS_CURSOR, "Of the page before: goes on with older chats."),
                query_parameter("before", _CHATS_CURSOR, "The same as cursor."),
                query_parameter("after", _CHATS_CURSOR, "What came to the top since; not together with the two above."),
                SESSION_PARAMETER,
                query_parameter("unread", _BOOLEAN),
                query_parameter("waiting", _BOOLEAN),
                query_parameter("kind", {"type": "string", "enum": list(routes.CHAT_KINDS)}),
                query_parameter(
                    "q",
                    {"type": "string", "maxLength": 512, "pattern": NO_NUL_PATTERN},
                    "Part of a name or number, or how the last text begins.",
                ),
            ],
            object_schema(
                {
                    "contacts": array_schema(schema_ref("Chat")),
                    "cursor": NULLABLE_CURSOR,
                    "before": NULLABLE_CURSOR,
                    "after": NULLABLE_CURSOR,
                }
            ),
            links=_CHAT_LINK,
        )
    },
    "/api/chats/{phone}": {
        "get": get_operation(
            "A page of a conversation, oldest message first.",
            [
                _PHONE_PARAMETER,
                _LIMIT_PARAMETER,
                query_parameter("before", _MESSAGES_CURSOR, "Of before, after, around and at, one."),
                query_parameter("after", _MESSAGES_CURSOR),
                query_parameter("around", _MESSAGE_ID | {"minLength": 0}, "A message_id or a cursor."),
                query_parameter("at", formatted_string("moment", "ISO 8601 or milliseconds: the page around a time.")),
                query_parameter("versions", _BOOLEAN, "Whether each message tells its texts before edits."),
                *_MESSAGE_FILTERS,
            ],
            object_schema(
                {
                    "phoneNumber": {"type": ["string", "null"]},
                    "address": STRING,
                    "messages": array_schema(schema_ref("Message")),
                    "before": NULLABLE_CURSOR,
                    "after": NULLABLE_CURSOR,
                    "as_of": STRING,
                    "outages": array_schema(schema_ref("Outage")),
                }
            ),
            404,
        )
    },
    "/api/chats/{phone}/read": {
        "post": post_operation(
            "Mark messages as read, or a chat as unread.",
            [_PHONE_PARAMETER, SESSION_PARAMETER],
            _READ_FLAG_BODY,
            {
                "200": success_response(
                    "What is unread now.", object_schema({"unread_count": INTEGER, "marked_unread": BOOLEAN})
                ),
                **error_responses(404, 410, 413),
            },
        )
    },
    "/api/chats/{phone}/export": _export_path(
        "A whole chat as a file.", [_PHONE_PARAMETER, SESSION_PARAMETER, _FORMAT_PARAMETER]
    ),
    "/api/sessions/{session_id}/export": _export_path(
        "A whole session as a file.",
        [path_parameter("session_id", {"type": "string", "minLength": 1}), _FORMAT_PARAMETER],
    ),
    "/api/search": {
        "get": get_operation(
            "Messages in which all the words occur, newest first.",
            [
                query_parameter(
                    "q",
                    formatted_string("words", "Words, parts of words, or numbers.") | {"minLength": 1},
                    required=True,
                ),
                _LIMIT_PARAMETER,
                query_parameter("cursor", _SEARCH_CURSOR),
                query_parameter("address", formatted_string("address", "One chat.")),
                *_MESSAGE_FILTERS,
            ],
            object_schema(
                {
                    "results": array_schema(schema_ref("Found")),
                    "cursor": NULLABLE_CURSOR,
                    "fuzzy": BOOLEAN,
                    "complete": BOOLEAN,
                }
            ),
        )
    },
    "/api/stats": {
        "get": get_operation(
            "Messages per minute, hour or day, response times, who waits, what is unread.",
            [
                *_TIME_RANGE_PARAMETERS,
                query_parameter("step", {"type": "string", "enum": ["minute", "hour", "day"]}),
                query_parameter("zone", formatted_string("time-zone", "Such as Asia/Kolkata.", 64)),
                SESSION_PARAMETER,
            ],
            schema_ref("Stats"),
        )
    },
    "/api/sessions": {
        "get": get_operation("The sessions.", [], object_schema({"sessions": array_schema(schema_ref("Session"))}))
    },
    "/api/ledger": {"get": get_operation("What was received and what became of it.", [], schema_ref("Ledger"))},
    "/api/parked": {
        "get": get_operation(
            "Events that nobody understood, newest first.",
            [_LIMIT_PARAMETER, query_parameter("cursor", _PARKED_CURSOR), SESSION_PARAMETER],
            object_schema({"parked": array_schema(schema_ref("Parked")), "cursor": NULLABLE_CURSOR}),
        )
    },
}
