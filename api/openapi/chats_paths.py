"""What `/openapi.json` says of the calls that read, and of marking as read."""

from api.chats import export_formats, messages, routes
from api.http import parameters
from api.openapi.builders import (
    NO_NUL,
    TEXT,
    WHOLE,
    YES,
    Schema,
    asked,
    get,
    in_path,
    json_answer,
    of_kind,
    post,
    ref,
    refusals,
    several,
    thing,
)
from api.openapi.schemas import CURSOR, DIRECTION

_LIMIT: Schema = asked("limit", {"type": "integer", "minimum": 1, "maximum": parameters.MAX_LIMIT})
_FLAG: Schema = {"type": "boolean"}
_PHONE = in_path(
    "phone",
    {"type": "string", "format": "address", "minLength": 1, "maxLength": 128},
    "A phone with its country code in any spelling, or a WhatsApp id such as …@g.us.",
)
_ID: Schema = {"type": "string", "minLength": 1, "maxLength": 512, "pattern": NO_NUL}
SESSION = asked("session_id", _ID | {"minLength": 0}, "One session instead of all that the token sees.")
_SPAN = [
    asked("since", of_kind("moment", "ISO 8601 (without an offset: UTC) or milliseconds, inclusive.")),
    asked("until", of_kind("moment", "ISO 8601 (without an offset: UTC) or milliseconds, exclusive.")),
]
_NARROW = [
    SESSION,
    asked("direction", DIRECTION),
    asked("type", {"type": "string", "enum": list(messages.TYPES)}),
    *_SPAN,
]
_FORMAT = asked("format", {"type": "string", "enum": list(export_formats.FORMATS)})
_CHATS, _MESSAGES, _SEARCH, _PARKED = (
    of_kind(f"cursor-of-{name}", "As an answer gave it.", 8192) for name in ("chats", "messages", "search", "parked")
)


def _file(summary: str, asked_for: list[Schema]) -> Schema:
    kinds = {one.media_type.partition(";")[0]: {"schema": TEXT} for one in export_formats.FORMATS.values()}
    answers = {"200": {"description": "The file; its last line is a manifest.", "content": kinds}, **refusals(404)}
    return {"get": {"summary": summary, "parameters": asked_for, "responses": answers}}


_AS_OF: Schema = {
    "type": ["string", "null"],
    "format": "as-of",
    "minLength": 1,
    "maxLength": 8192,
    "description": "Of the page that was read; without it: this moment.",
}
_READ: Schema = {
    "anyOf": [
        {
            "type": "object",
            "description": "Mark as read.",
            "properties": {
                "up_to": {
                    "type": ["string", "null"],
                    "minLength": 1,
                    "pattern": NO_NUL,
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
_TO_CHAT: Schema = {
    "messages": {
        "operationRef": "#/paths/~1api~1chats~1{phone}/get",
        "parameters": {"phone": "$response.body#/data/contacts/0/address"},
    },
}

PATHS: Schema = {
    "/api/chats": {
        "get": get(
            "The chats, newest first.",
            [
                _LIMIT,
                asked("cursor", _CHATS, "Of the page before: goes on with older chats."),
                asked("before", _CHATS, "The same as cursor."),
                asked("after", _CHATS, "What came to the top since; not together with the two above."),
                SESSION,
                asked("unread", _FLAG),
                asked("waiting", _FLAG),
                asked("kind", {"type": "string", "enum": list(routes.KINDS)}),
                asked(
                    "q",
                    {"type": "string", "maxLength": 512, "pattern": NO_NUL},
                    "Part of a name or number, or how the last text begins.",
                ),
            ],
            thing({"contacts": several(ref("Chat")), "cursor": CURSOR, "before": CURSOR, "after": CURSOR}),
            links=_TO_CHAT,
        )
    },
    "/api/chats/{phone}": {
        "get": get(
            "A page of a conversation, oldest message first.",
            [
                _PHONE,
                _LIMIT,
                asked("before", _MESSAGES, "Of before, after, around and at, one."),
                asked("after", _MESSAGES),
                asked("around", _ID | {"minLength": 0}, "A message_id or a cursor."),
                asked("at", of_kind("moment", "ISO 8601 or milliseconds: the page around a time.")),
                asked("versions", _FLAG, "Whether each message tells its texts before edits."),
                *_NARROW,
            ],
            thing(
                {
                    "phoneNumber": {"type": ["string", "null"]},
                    "address": TEXT,
                    "messages": several(ref("Message")),
                    "before": CURSOR,
                    "after": CURSOR,
                    "as_of": TEXT,
                    "outages": several(ref("Outage")),
                }
            ),
            404,
        )
    },
    "/api/chats/{phone}/read": {
        "post": post(
            "Mark messages as read, or a chat as unread.",
            [_PHONE, SESSION],
            _READ,
            {
                "200": json_answer("What is unread now.", thing({"unread_count": WHOLE, "marked_unread": YES})),
                **refusals(404, 410, 413),
            },
        )
    },
    "/api/chats/{phone}/export": _file("A whole chat as a file.", [_PHONE, SESSION, _FORMAT]),
    "/api/sessions/{session_id}/export": _file(
        "A whole session as a file.", [in_path("session_id", {"type": "string", "minLength": 1}), _FORMAT]
    ),
    "/api/search": {
        "get": get(
            "Messages in which all the words occur, newest first.",
            [
                asked("q", of_kind("words", "Words, parts of words, or numbers.") | {"minLength": 1}, required=True),
                _LIMIT,
                asked("cursor", _SEARCH),
                asked("address", of_kind("address", "One chat.")),
                *_NARROW,
            ],
            thing({"results": several(ref("Found")), "cursor": CURSOR, "fuzzy": YES, "complete": YES}),
        )
    },
    "/api/stats": {
        "get": get(
            "Messages per minute, hour or day, response times, who waits, what is unread.",
            [
                *_SPAN,
                asked("step", {"type": "string", "enum": ["minute", "hour", "day"]}),
                asked("zone", of_kind("time-zone", "Such as Asia/Kolkata.", 64)),
                SESSION,
            ],
            ref("Stats"),
        )
    },
    "/api/sessions": {"get": get("The sessions.", [], thing({"sessions": several(ref("Session"))}))},
    "/api/ledger": {"get": get("What was received and what became of it.", [], ref("Ledger"))},
    "/api/parked": {
        "get": get(
            "Events that nobody understood, newest first.",
            [_LIMIT, asked("cursor", _PARKED), SESSION],
            thing({"parked": several(ref("Parked")), "cursor": CURSOR}),
        )
    },
}
