"""Describes the objects in requests and responses."""

from collections.abc import Mapping

from api.chats import messages, routes
from api.gateway.client import MEDIA_KINDS
from api.openapi.builders import (
    BOOLEAN,
    DATE_TIME,
    INTEGER,
    NULLABLE_BOOLEAN,
    NULLABLE_DATE_TIME,
    NULLABLE_INTEGER,
    NULLABLE_STRING,
    STRING,
    Schema,
    array_schema,
    enum_schema,
    object_schema,
    schema_ref,
)
from store.model import message_columns

_DIRECTION = enum_schema(*messages.DIRECTIONS)
_REV: Schema = {"type": "integer", "description": "Revision: of two states of an object, the greater is newer."}
_WAITING_CHAT = object_schema(
    {"session_id": STRING, "address": STRING, "name": NULLABLE_STRING, "waiting_since": DATE_TIME}
)
_CHANGE_KINDS = ("message", "status", "edit", "delete", "reaction", "read", "merge", "session", "send")
_LEDGER_COUNTS = ("received", "stored", "duplicate", "noise", "ping", "parked", "forgotten")

_NULLABLE: Mapping[str, Schema] = {"text": NULLABLE_STRING, "integer": NULLABLE_INTEGER, "boolean": NULLABLE_BOOLEAN}
_CONTENT: Schema = {column.name: _NULLABLE[column.type] for column in message_columns.CONTENT}

SCHEMAS: Schema = {
    "Error": object_schema({"success": {"const": False}, "error": STRING, "code": STRING}),
    "Reaction": object_schema(
        {"emoji": STRING, "direction": _DIRECTION, "sender": NULLABLE_STRING, "reacted_at": DATE_TIME}
    ),
    "Version": object_schema({"text": NULLABLE_STRING, "written_at": DATE_TIME}),
    "Message": object_schema(
        {
            "id": {"type": ["integer", "null"], "description": "Null for a send that is not a message yet."},
            "message_id": NULLABLE_STRING,
            "session_id": STRING,
            "address": STRING,
            "direction": _DIRECTION,
            "from_number": NULLABLE_STRING,
            "to_number": NULLABLE_STRING,
            **_CONTENT,
            "message_type": enum_schema(*messages.MESSAGE_TYPES),
            "status": NULLABLE_STRING,
            "timestamp": {"type": "integer", "description": "Milliseconds since 1970, UTC."},
            "created_at": DATE_TIME,
            "time_source": enum_schema("message", "receipt"),
            "content_state": enum_schema("complete", "media_missing", "undecrypted"),
            "sender": NULLABLE_STRING,
            "sender_name": NULLABLE_STRING,
            "unread": BOOLEAN,
            "edited": BOOLEAN,
            "edited_at": NULLABLE_DATE_TIME,
            "deleted": {"type": "boolean", "description": "Deleted for everyone: texts and media are null."},
            "deleted_at": NULLABLE_DATE_TIME,
            "reactions": array_schema(schema_ref("Reaction")),
            "versions": {
                "type": ["array", "null"],
                "items": schema_ref("Version"),
                "description": "Null unless requested.",
            },
            "send_id": NULLABLE_STRING,
            "reason": NULLABLE_STRING,
            "rev": _REV,
        }
    ),
    "Preview": object_schema(
        {
            "id": INTEGER,
            "message_id": STRING,
            "direction": _DIRECTION,
            "message_type": STRING,
            "preview": {"type": "string", "description": "The text, or a word such as [image]."},
            "status": NULLABLE_STRING,
            "timestamp": INTEGER,
            "sender_name": NULLABLE_STRING,
        }
    ),
    "Chat": object_schema(
        {
            "phone_number": NULLABLE_STRING,
            "name": NULLABLE_STRING,
            "last_message_at": DATE_TIME,
            "unread_count": INTEGER,
            "session_id": STRING,
            "address": STRING,
            "kind": enum_schema(*routes.CHAT_KINDS),
            "marked_unread": BOOLEAN,
            "waiting_since": NULLABLE_DATE_TIME,
            "last_message": {"oneOf": [schema_ref("Preview"), {"type": "null"}]},
            "rev": _REV,
        }
    ),
    "Found": {
        "allOf": [
            schema_ref("Message"),
            object_schema(
                {
                    "name": NULLABLE_STRING,
                    "snippet": STRING,
                    "ranges": {
                        "type": "array",
                        "items": array_schema(INTEGER),
                        "description": "Start and end of each match, in characters.",
                    },
                }
            ),
        ]
    },
    "Change": object_schema(
        {
            "id": {
                "type": "string",
                "description": "A value for `since` and Last-Event-ID.",
            },
            "kind": enum_schema(*_CHANGE_KINDS),
            "session_id": NULLABLE_STRING,
            "address": NULLABLE_STRING,
            "rev": NULLABLE_INTEGER,
            "message": {"oneOf": [schema_ref("Message"), {"type": "null"}]},
            "chat": {"oneOf": [schema_ref("Chat"), {"type": "null"}]},
            "session": {"type": ["object", "null"]},
            "changed_at": DATE_TIME,
        }
    ),
    "Outage": object_schema(
        {
            "kind": enum_schema("disconnected", "unreachable"),
            "reason": STRING,
            "looks": INTEGER,
            "connected_at": NULLABLE_DATE_TIME,
            "first_at": DATE_TIME,
            "last_at": DATE_TIME,
            "ended_at": NULLABLE_DATE_TIME,
            "session_id": STRING,
        },
        "session_id",
    ),
    "Session": object_schema(
        {
            "session_id": STRING,
            "state": NULLABLE_STRING,
            "phone": NULLABLE_STRING,
            "state_at": NULLABLE_DATE_TIME,
            "last_event_at": NULLABLE_DATE_TIME,
            "last_ping_at": NULLABLE_DATE_TIME,
            "events": {
                "type": "object",
                "additionalProperties": DATE_TIME,
                "description": "The last time of each kind of event.",
            },
            "never_seen": array_schema(STRING),
            "outages": array_schema(schema_ref("Outage")),
            "rev": _REV,
        }
    ),
    "Stats": object_schema(
        {
            "messages": array_schema(
                object_schema({"begins": DATE_TIME, "session_id": STRING, "incoming": INTEGER, "outgoing": INTEGER})
            ),
            "first_responses": object_schema(
                {
                    "asked": INTEGER,
                    "answered": INTEGER,
                    "median_seconds": {"type": ["number", "null"]},
                    "p90_seconds": {"type": ["number", "null"]},
                }
            ),
            "waiting": object_schema(
                {
                    "chats": INTEGER,
                    "longest": array_schema(_WAITING_CHAT),
                }
            ),
            "unread": object_schema({"messages": INTEGER, "chats": INTEGER}),
        }
    ),
    "Gap": object_schema({"writer": STRING, "first": INTEGER, "last": INTEGER, "events": INTEGER, "spooled": INTEGER}),
    "Ledger": object_schema(
        {
            **dict.fromkeys(_LEDGER_COUNTS, INTEGER),
            "waiting": {"type": ["integer", "null"], "description": "Null if no worker is running."},
            "as_of": NULLABLE_DATE_TIME,
            "oldest_waiting_at": NULLABLE_DATE_TIME,
            "lost": array_schema(schema_ref("Gap")),
            "exact": BOOLEAN,
        }
    ),
    "Parked": object_schema(
        {
            "digest": {"type": "string", "pattern": "^[0-9a-f]+$"},
            "reason": STRING,
            "session_id": NULLABLE_STRING,
            "event": NULLABLE_STRING,
            "received_at": DATE_TIME,
            "parked_at": DATE_TIME,
            "size": NULLABLE_INTEGER,
            "body": {"type": ["string", "null"], "description": "The start of the body; null after it was pruned."},
        }
    ),
    "Redrive": object_schema(
        {
            "id": INTEGER,
            "state": enum_schema("waiting", "running", "done", "failed"),
            "asked_by": STRING,
            "asked_at": DATE_TIME,
            "began_at": NULLABLE_DATE_TIME,
            "finished_at": NULLABLE_DATE_TIME,
            "events": {
                "type": ["integer", "null"],
                "description": "Selected events; null until a worker starts.",
            },
            "still_parked": NULLABLE_INTEGER,
            "failure": NULLABLE_STRING,
        }
    ),
    "Send": object_schema(
        {
            "messageId": {"type": ["string", "null"], "description": "If sent, WhatsApp's; if queued, the gateway's."},
            "status": enum_schema("pending", "sent", "queued", "failed", "unknown"),
            "send_id": {"type": "string", "format": "uuid"},
            "session_id": STRING,
            "to": STRING,
            "message_type": enum_schema("text", *MEDIA_KINDS),
            "code": NULLABLE_STRING,
            "reason": NULLABLE_STRING,
            "timestamp": INTEGER,
            "created_at": DATE_TIME,
        }
    ),
    "Caller": object_schema(
        {
            "name": STRING,
            "scopes": array_schema(STRING),
            "sessions": {"type": ["array", "null"], "items": STRING},
            "csrf": STRING,
        }
    ),
}
