"""What `/openapi.json` says of the things that answers are made of."""

from api.chats import messages, routes
from api.openapi.builders import (
    MAYBE_TEXT,
    MAYBE_TIME,
    MAYBE_WHOLE,
    TEXT,
    TIME,
    WHOLE,
    YES,
    Schema,
    ref,
    several,
    thing,
)

DIRECTION: Schema = {"type": "string", "enum": list(messages.DIRECTIONS)}
CURSOR: Schema = {"type": ["string", "null"], "description": "Opaque; null at the end."}
_REV: Schema = {"type": "integer", "description": "Grows: of two states of one thing the greater is newer."}
_KINDS = ("message", "status", "edit", "delete", "reaction", "read", "merge", "session", "send")
_LEDGER = ("received", "stored", "duplicate", "noise", "ping", "parked", "forgotten")

SCHEMAS: Schema = {
    "Error": thing({"success": {"const": False}, "error": TEXT, "code": TEXT}),
    "Reaction": thing({"emoji": TEXT, "direction": DIRECTION, "sender": MAYBE_TEXT, "reacted_at": TIME}),
    "Version": thing({"text": MAYBE_TEXT, "written_at": TIME}),
    "Message": thing(
        {
            "id": {"type": ["integer", "null"], "description": "Null for a send that is no message yet."},
            "message_id": MAYBE_TEXT,
            "session_id": TEXT,
            "address": TEXT,
            "direction": DIRECTION,
            "from_number": MAYBE_TEXT,
            "to_number": MAYBE_TEXT,
            "message_type": {"type": "string", "enum": list(messages.TYPES)},
            "message_text": MAYBE_TEXT,
            "media_url": MAYBE_TEXT,
            "caption": MAYBE_TEXT,
            "status": MAYBE_TEXT,
            "timestamp": {"type": "integer", "description": "Milliseconds since 1970, UTC."},
            "created_at": TIME,
            "time_source": {"type": "string", "enum": ["message", "receipt"]},
            "content_state": {"type": "string", "enum": ["complete", "media_missing", "undecrypted"]},
            "raw_type": MAYBE_TEXT,
            "mime_type": MAYBE_TEXT,
            "file_name": MAYBE_TEXT,
            "reply_to": MAYBE_TEXT,
            "sender": MAYBE_TEXT,
            "sender_name": MAYBE_TEXT,
            "unread": YES,
            "edited": YES,
            "edited_at": MAYBE_TIME,
            "deleted": {"type": "boolean", "description": "For everyone: texts and media are null then."},
            "deleted_at": MAYBE_TIME,
            "reactions": several(ref("Reaction")),
            "versions": {"type": ["array", "null"], "items": ref("Version"), "description": "Null unless asked for."},
            "send_id": MAYBE_TEXT,
            "reason": MAYBE_TEXT,
            "rev": _REV,
        }
    ),
    "Preview": thing(
        {
            "id": WHOLE,
            "message_id": TEXT,
            "direction": DIRECTION,
            "message_type": TEXT,
            "preview": {"type": "string", "description": "The text, or a word such as [image]."},
            "status": MAYBE_TEXT,
            "timestamp": WHOLE,
            "sender_name": MAYBE_TEXT,
        }
    ),
    "Chat": thing(
        {
            "phone_number": MAYBE_TEXT,
            "name": MAYBE_TEXT,
            "last_message_at": TIME,
            "unread_count": WHOLE,
            "session_id": TEXT,
            "address": TEXT,
            "kind": {"type": "string", "enum": list(routes.KINDS)},
            "marked_unread": YES,
            "waiting_since": MAYBE_TIME,
            "last_message": {"oneOf": [ref("Preview"), {"type": "null"}]},
            "rev": _REV,
        }
    ),
    "Found": {
        "allOf": [
            ref("Message"),
            thing(
                {
                    "name": MAYBE_TEXT,
                    "snippet": TEXT,
                    "ranges": {
                        "type": "array",
                        "items": several(WHOLE),
                        "description": "Pairs: where in the snippet a word begins and ends, in characters.",
                    },
                }
            ),
        ]
    },
    "Change": thing(
        {
            "id": {"type": "string", "description": "Of the stream, its id; what `since` and Last-Event-ID take."},
            "kind": {"type": "string", "enum": list(_KINDS)},
            "session_id": MAYBE_TEXT,
            "address": MAYBE_TEXT,
            "rev": MAYBE_WHOLE,
            "message": {"oneOf": [ref("Message"), {"type": "null"}]},
            "chat": {"oneOf": [ref("Chat"), {"type": "null"}]},
            "session": {"type": ["object", "null"]},
            "changed_at": TIME,
        }
    ),
    "Outage": thing(
        {
            "kind": {"type": "string", "enum": ["disconnected", "unreachable"]},
            "reason": TEXT,
            "looks": WHOLE,
            "connected_at": MAYBE_TIME,
            "first_at": TIME,
            "last_at": TIME,
            "ended_at": MAYBE_TIME,
            "session_id": TEXT,
        },
        "session_id",
    ),
    "Session": thing(
        {
            "session_id": TEXT,
            "state": MAYBE_TEXT,
            "phone": MAYBE_TEXT,
            "state_at": MAYBE_TIME,
            "last_event_at": MAYBE_TIME,
            "last_ping_at": MAYBE_TIME,
            "events": {"type": "object", "additionalProperties": TIME, "description": "When each kind last came."},
            "never_seen": several(TEXT),
            "outages": several(ref("Outage")),
            "rev": _REV,
        }
    ),
    "Stats": thing(
        {
            "messages": several(thing({"begins": TIME, "session_id": TEXT, "incoming": WHOLE, "outgoing": WHOLE})),
            "first_responses": thing(
                {
                    "asked": WHOLE,
                    "answered": WHOLE,
                    "median_seconds": {"type": ["number", "null"]},
                    "p90_seconds": {"type": ["number", "null"]},
                }
            ),
            "waiting": thing(
                {
                    "chats": WHOLE,
                    "longest": several(
                        thing({"session_id": TEXT, "address": TEXT, "name": MAYBE_TEXT, "waiting_since": TIME})
                    ),
                }
            ),
            "unread": thing({"messages": WHOLE, "chats": WHOLE}),
        }
    ),
    "Gap": thing({"writer": TEXT, "first": WHOLE, "last": WHOLE, "events": WHOLE, "spooled": WHOLE}),
    "Ledger": thing(
        {
            **dict.fromkeys(_LEDGER, WHOLE),
            "waiting": {"type": ["integer", "null"], "description": "Null: no worker is alive to know."},
            "as_of": MAYBE_TIME,
            "oldest_waiting_at": MAYBE_TIME,
            "lost": several(ref("Gap")),
            "exact": YES,
        }
    ),
    "Parked": thing(
        {
            "digest": {"type": "string", "pattern": "^[0-9a-f]+$"},
            "reason": TEXT,
            "session_id": MAYBE_TEXT,
            "event": MAYBE_TEXT,
            "received_at": TIME,
            "parked_at": TIME,
            "size": MAYBE_WHOLE,
            "body": {"type": ["string", "null"], "description": "How it begins; null once it was pruned."},
        }
    ),
    "Redrive": thing(
        {
            "id": WHOLE,
            "state": {"type": "string", "enum": ["waiting", "running", "done", "failed"]},
            "asked_by": TEXT,
            "asked_at": TIME,
            "began_at": MAYBE_TIME,
            "finished_at": MAYBE_TIME,
            "events": {"type": ["integer", "null"], "description": "How many it is about; null: nobody looked yet."},
            "still_parked": MAYBE_WHOLE,
            "failure": MAYBE_TEXT,
        }
    ),
    "Caller": thing(
        {"name": TEXT, "scopes": several(TEXT), "sessions": {"type": ["array", "null"], "items": TEXT}, "csrf": TEXT}
    ),
}
