"""Describes chats, messages, search and exports (api/chats)."""

from api.chats import export_formats, messages, routes
from api.openapi.builders import (
    BOOLEAN,
    INTEGER,
    LIMIT_PARAMETER,
    NO_NUL_PATTERN,
    NULLABLE_CURSOR,
    NULLABLE_STRING,
    SESSION_PARAMETER,
    STRING,
    TIME_RANGE_PARAMETERS,
    Schema,
    array_schema,
    cursor_schema,
    enum_schema,
    error_responses,
    formatted_string,
    get_operation,
    links,
    object_schema,
    path_parameter,
    post_operation,
    query_parameter,
    schema_ref,
    success_response,
)

_PHONE_PARAMETER = path_parameter(
    "phone",
    {"type": "string", "format": "address", "minLength": 1, "maxLength": 128},
    "A phone number with its country code in any spelling, or a WhatsApp id such as …@g.us.",
)
_MESSAGE_FILTERS = [
    SESSION_PARAMETER,
    query_parameter("direction", enum_schema(*messages.DIRECTIONS)),
    query_parameter("type", enum_schema(*messages.MESSAGE_TYPES)),
    *TIME_RANGE_PARAMETERS,
]
_FORMAT_PARAMETER = query_parameter("format", enum_schema(*export_formats.FORMATS))
_CHATS_CURSOR, _MESSAGES_CURSOR = cursor_schema("chats"), cursor_schema("messages")


def _export_path(summary: str, parameters: list[Schema]) -> Schema:
    media_types = {
        export_format.media_type.partition(";")[0]: {"schema": STRING}
        for export_format in export_formats.FORMATS.values()
    }
    responses = {
        "200": {"description": "The file; its last line is a manifest.", "content": media_types},
        **error_responses(404),
    }
    return {"get": {"summary": summary, "parameters": parameters, "responses": responses}}


_AS_OF: Schema = {
    "type": ["string", "null"],
    "format": "as-of",
    "minLength": 1,
    "maxLength": 8192,
    "description": "From the page that was read; without it, the current state.",
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
                    "description": "A message_id; without it, all messages.",
                },
                "as_of": _AS_OF,
                "unread": {"enum": [False, None]},
            },
        },
        {
            "type": "object",
            "description": "Mark the chat as unread.",
            "properties": {"up_to": {"type": "null"}, "as_of": {"type": "null"}, "unread": {"const": True}},
            "required": ["unread"],
        },
    ]
}

PATHS: Schema = {
    "/api/chats": {
        "get": get_operation(
            "List the chats, newest first.",
            [
                LIMIT_PARAMETER,
                query_parameter("cursor", _CHATS_CURSOR, "From the previous page: continues with older chats."),
                query_parameter("before", _CHATS_CURSOR, "The same as cursor."),
                query_parameter("after", _CHATS_CURSOR, "Chats that are newer since; not with cursor or before."),
                SESSION_PARAMETER,
                query_parameter("unread", BOOLEAN, "Only chats with unread messages or marked as unread."),
                query_parameter("waiting", BOOLEAN, "Only chats whose last message has no response."),
                query_parameter("kind", enum_schema(*routes.CHAT_KINDS)),
                query_parameter(
                    "q",
                    {"type": "string", "maxLength": 512, "pattern": NO_NUL_PATTERN},
                    "Part of a name or number, or the start of the last text.",
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
            links=links(messages=("/api/chats/{phone}/get", "phone", "contacts/0/address")),
        )
    },
    "/api/chats/{phone}": {
        "get": get_operation(
            "Get a page of a conversation, oldest message first.",
            [
                _PHONE_PARAMETER,
                LIMIT_PARAMETER,
                query_parameter("before", _MESSAGES_CURSOR, "At most one of before, after, around and at."),
                query_parameter("after", _MESSAGES_CURSOR),
                query_parameter(
                    "around",
                    {"type": "string", "maxLength": 512, "pattern": NO_NUL_PATTERN},
                    "A message_id or a cursor.",
                ),
                query_parameter("at", formatted_string("moment", "ISO 8601 or milliseconds: the page around a time.")),
                query_parameter("versions", BOOLEAN, "Include the texts before each edit."),
                *_MESSAGE_FILTERS,
            ],
            object_schema(
                {
                    "phoneNumber": NULLABLE_STRING,
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
                    "What is still unread.", object_schema({"unread_count": INTEGER, "marked_unread": BOOLEAN})
                ),
                **error_responses(404, 410, 413),
            },
        )
    },
    "/api/chats/{phone}/export": _export_path(
        "Export a chat as a file.", [_PHONE_PARAMETER, SESSION_PARAMETER, _FORMAT_PARAMETER]
    ),
    "/api/sessions/{session_id}/export": _export_path(
        "Export a session as a file.",
        [path_parameter("session_id", {"type": "string", "minLength": 1}), _FORMAT_PARAMETER],
    ),
    "/api/search": {
        "get": get_operation(
            "Search messages that contain all the words, newest first.",
            [
                query_parameter(
                    "q",
                    formatted_string("words", "Words, parts of words, or numbers.") | {"minLength": 1},
                    required=True,
                ),
                LIMIT_PARAMETER,
                query_parameter("cursor", cursor_schema("search")),
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
}
