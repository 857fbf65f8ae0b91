"""Describes chats, messages, search and exports (api/chats)."""

from api.chats import chat_list, messages
from api.chats.exports import export, export_words
from api.openapi import spec
from api.openapi.spec import BOOLEAN, INTEGER, NULLABLE_CURSOR, NULLABLE_STRING, STRING, Schema
from store.reading.search import search

PHONE = spec.path(
    "phone",
    {"type": "string", "format": "address", "minLength": 1, "maxLength": 128},
    "A phone number with its country code in any spelling, or a WhatsApp id such as …@g.us.",
)
_MESSAGE_FILTERS = [
    spec.SESSION,
    spec.query("direction", spec.enum(*messages.DIRECTIONS)),
    spec.query("type", spec.enum(*messages.MESSAGE_TYPES)),
    *spec.TIME_RANGE,
]
_EXPORT_PARAMETERS = [
    spec.query("format", spec.enum(*export.FORMATS), "By default ndjson."),
    *spec.TIME_RANGE,
    spec.query(
        "zone",
        spec.formatted("time-zone", "A time zone such as Asia/Kolkata, in which times are given. Default: UTC."),
    ),
    spec.query(
        "language",
        spec.enum(*export_words.LANGUAGES),
        "For people: words in this language, and csv with the columns of xlsx. By default, English, and csv with the "
        "fields of the API.",
    ),
]
_CHATS_CURSOR, _MESSAGES_CURSOR = spec.cursor("chats"), spec.cursor("messages")


def _export(summary: str, parameters: list[Schema]) -> Schema:
    media_types = [media_type.partition(";")[0] for media_type in export.FORMATS.values()]
    content = {media_type: {"schema": STRING} for media_type in media_types}
    file = {"description": "The file. The last line of a text file is a manifest.", "content": content}
    return {"get": {"summary": summary, "parameters": parameters, "responses": {"200": file, **spec.errors(404)}}}


_UP_TO: Schema = {
    "type": ["string", "null"],
    "minLength": 1,
    "pattern": spec.NO_NUL_PATTERN,
    "description": "A message_id. Default: all messages.",
}
_AS_OF: Schema = {
    "type": ["string", "null"],
    "format": "as-of",
    "minLength": 1,
    "maxLength": 8192,
    "description": "From the page that was read. Default: the current state.",
}
_READ_FLAG_BODY: Schema = {
    "anyOf": [
        {
            "type": "object",
            "description": "Mark as read.",
            "properties": {"up_to": _UP_TO, "as_of": _AS_OF, "unread": {"type": ["boolean", "null"]}},
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
    "/api/chats": spec.get(
        "List the chats, newest or longest waiting first.",
        [
            spec.LIMIT,
            spec.query("cursor", _CHATS_CURSOR, "From the previous page: continues with older chats."),
            spec.query("before", _CHATS_CURSOR, "The same as cursor."),
            spec.query("after", _CHATS_CURSOR, "Chats with newer messages since then. Not with cursor or before."),
            spec.SESSION,
            spec.query(
                "sort",
                spec.enum(*chat_list.SORTS),
                "last_message_at (default): newest first. "
                "waiting_since: only waiting chats, longest first, without after.",
            ),
            spec.query(
                "unread", BOOLEAN, "Only chats that are marked as unread or have unread messages after the last answer."
            ),
            spec.query("unmarked", BOOLEAN, "Only chats with messages not marked as read, answered or not."),
            spec.query("waiting", BOOLEAN, "Only chats whose last message has no response."),
            spec.query("kind", spec.enum(*chat_list.CHAT_KINDS)),
            spec.LABEL,
            spec.query("q", spec.SHORT_TEXT, "Part of a name, number, label or note, or the start of the last text."),
            *({**bound, "description": "Only chats with a message in this period."} for bound in spec.TIME_RANGE),
            spec.query(
                "direction",
                spec.enum(*messages.DIRECTIONS),
                "Only chats with a message of this direction in the period.",
            ),
            spec.query(
                "answered",
                BOOLEAN,
                "Only chats in which a message of the period was answered, then or later. Not with direction.",
            ),
        ],
        spec.record(
            contacts=spec.array(spec.ref("Chat")),
            **dict.fromkeys(("cursor", "before", "after"), NULLABLE_CURSOR),
            fuzzy={**BOOLEAN, "description": "No chat contains `q`. These have similar names, the most similar first."},
        ),
        links=spec.links(messages=("/api/chats/{phone}/get", "phone", "contacts/0/address")),
    ),
    "/api/chats/{phone}": spec.get(
        "Get a page of a conversation, oldest message first.",
        [
            PHONE,
            spec.LIMIT,
            spec.query("before", _MESSAGES_CURSOR, "At most one of before, after, around and at."),
            spec.query("after", _MESSAGES_CURSOR),
            spec.query("around", spec.SHORT_TEXT, "A message_id or a cursor."),
            spec.query("at", spec.formatted("moment", "ISO 8601 or milliseconds: the page around a time.")),
            spec.query("versions", BOOLEAN, "Include the texts before each edit."),
            spec.query("starred", BOOLEAN, "Only starred messages."),
            spec.query("has", spec.enum(*messages.CONTENTS), "Only messages with a file, or with a web address."),
            *_MESSAGE_FILTERS,
        ],
        spec.record(
            phoneNumber=NULLABLE_STRING,
            address=STRING,
            messages=spec.array(spec.ref("Message")),
            before=NULLABLE_CURSOR,
            after=NULLABLE_CURSOR,
            as_of=STRING,
            outages=spec.array(spec.ref("Outage")),
        ),
        404,
    ),
    "/api/chats/{phone}/read": spec.post(
        "Mark messages as read, or a chat as unread.",
        [PHONE, spec.SESSION],
        {
            "200": spec.success("What is still unread.", spec.record(unread_count=INTEGER, marked_unread=BOOLEAN)),
            **spec.errors(404, 410, 413),
        },
        _READ_FLAG_BODY,
    ),
    "/api/chats/{phone}/export": _export("Export a chat as a file.", [PHONE, spec.SESSION, *_EXPORT_PARAMETERS]),
    "/api/sessions/{session_id}/export": _export(
        "Export a session as a file.",
        [spec.path("session_id", {"type": "string", "minLength": 1}), *_EXPORT_PARAMETERS],
    ),
    "/api/chat-counts": spec.get(
        "Count all, unread, waiting and group chats, each up to 1000.",
        [spec.SESSION],
        spec.record(**dict.fromkeys(("all", "unread", "waiting", "groups"), INTEGER)),
    ),
    "/api/search": spec.get(
        "Search messages that contain all the words, newest first.",
        [
            spec.query(
                "q", spec.formatted("words", "Words, parts of words, or numbers.") | {"minLength": 1}, required=True
            ),
            spec.LIMIT,
            spec.query("cursor", spec.cursor("search")),
            spec.query("address", spec.formatted("address", "One chat.")),
            spec.query("kind", spec.enum(*chat_list.CHAT_KINDS), "Only in chats of this kind."),
            spec.query("unread", BOOLEAN, "Only in chats with unread messages."),
            spec.query("waiting", BOOLEAN, "Only in chats whose last message has no response."),
            spec.query("count", BOOLEAN, "Count the matches."),
            spec.LABEL,
            spec.query("starred", BOOLEAN, "Only starred messages."),
            *_MESSAGE_FILTERS,
        ],
        spec.record(
            results=spec.array(spec.ref("Found")),
            cursor=NULLABLE_CURSOR,
            fuzzy=BOOLEAN,
            complete=BOOLEAN,
            count={
                "type": ["integer", "null"],
                "description": f"Matches, {search.MAX_COUNT} at most; null if they are not counted in time.",
            },
        ),
    ),
}
