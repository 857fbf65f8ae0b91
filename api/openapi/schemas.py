"""Describes the objects in requests and responses."""

from typing import get_args

from api.chats import chat_list, messages
from api.gateway.media import MEDIA_KINDS
from api.openapi import annotations_schemas, spec, statistics_schemas
from api.openapi.spec import BOOLEAN, DATE_TIME, INTEGER, NULLABLE_DATE_TIME, NULLABLE_INTEGER, NULLABLE_STRING, STRING
from store.annotations import session_naming
from store.feed.changes import ChangeKind
from store.ledger import open_questions
from store.model import message_columns
from store.model.facts import Forwarding

_DIRECTION = spec.enum(*messages.DIRECTIONS)
_REV: spec.Schema = {"type": "integer", "description": "Revision: of two states of an object, the greater is newer."}
_MILLISECONDS: spec.Schema = {"type": "integer", "description": "The time of created_at in milliseconds since 1970."}
_CHANGE_KINDS = get_args(ChangeKind)
_LEDGER_COUNTS = ("received", "stored", "duplicate", "noise", "ping", "parked", "forgotten")

_NULLABLE = {"text": NULLABLE_STRING, "integer": NULLABLE_INTEGER, "boolean": spec.NULLABLE_BOOLEAN}
_CONTENT = {column.name: _NULLABLE[column.type] for column in message_columns.CONTENT} | {
    "message_type": spec.enum(*messages.MESSAGE_TYPES),
    "content_state": spec.enum("complete", "media_missing", "undecrypted"),
    "forwarded": {
        "type": ["string", "null"],
        "enum": [*get_args(Forwarding), None],
        "description": "`many_times`: through five or more chats. Null also if the gateway does not report it.",
    },
}

SCHEMAS: spec.Schema = {
    "Error": spec.record(success={"const": False}, error=STRING, code=STRING),
    "Reaction": spec.record(emoji=STRING, direction=_DIRECTION, sender=NULLABLE_STRING, reacted_at=DATE_TIME),
    "Version": spec.record(text=NULLABLE_STRING, written_at=DATE_TIME),
    "Message": spec.record(
        id={"type": ["integer", "null"], "description": "Null for a send that is not a message yet."},
        message_id=NULLABLE_STRING,
        session_id=STRING,
        address=STRING,
        direction=_DIRECTION,
        from_number=NULLABLE_STRING,
        to_number=NULLABLE_STRING,
        **_CONTENT,
        status=NULLABLE_STRING,
        timestamp=_MILLISECONDS,
        created_at=DATE_TIME,
        time_source=spec.enum("message", "receipt"),
        sender=NULLABLE_STRING,
        sender_name=NULLABLE_STRING,
        unread=BOOLEAN,
        starred=BOOLEAN,
        edited=BOOLEAN,
        edited_at=NULLABLE_DATE_TIME,
        deleted={"type": "boolean", "description": "Deleted for everyone: texts and media are null."},
        deleted_at=NULLABLE_DATE_TIME,
        reactions=spec.array(spec.ref("Reaction")),
        versions={"type": ["array", "null"], "items": spec.ref("Version"), "description": "Null unless requested."},
        send_id=NULLABLE_STRING,
        idempotency_key={
            "type": ["string", "null"],
            "description": "For a day, the key of the request that sent it, so that its client recognises the send.",
        },
        reason=NULLABLE_STRING,
        told_by={**spec.array(STRING), "description": "The sessions of the account that reported it."},
        missed_by={
            **spec.array(STRING),
            "description": "The sessions of the account that should also have reported an incoming message.",
        },
        rev=_REV,
    ),
    "Preview": spec.record(
        id=INTEGER,
        message_id=STRING,
        direction=_DIRECTION,
        message_type=STRING,
        raw_type=NULLABLE_STRING,
        preview={"type": "string", "description": "The text, or a word such as [image]."},
        status=NULLABLE_STRING,
        timestamp=_MILLISECONDS,
        created_at=DATE_TIME,
        sender_name=NULLABLE_STRING,
    ),
    "Chat": spec.record(
        phone_number=NULLABLE_STRING,
        name=NULLABLE_STRING,
        last_message_at=DATE_TIME,
        unread_count=INTEGER,
        unmarked_count=INTEGER,
        session_id=STRING,
        address=STRING,
        kind=spec.enum(*chat_list.CHAT_KINDS),
        marked_unread=BOOLEAN,
        waiting_since=NULLABLE_DATE_TIME,
        labels=spec.array(STRING),
        last_message={"oneOf": [spec.ref("Preview"), {"type": "null"}]},
        rev=_REV,
    ),
    "Found": {
        "allOf": [
            spec.ref("Message"),
            spec.record(
                name=NULLABLE_STRING,
                snippet=STRING,
                ranges=spec.array(spec.array(INTEGER)) | {"description": "Start and end of each match, in characters."},
            ),
        ]
    },
    **annotations_schemas.SCHEMAS,
    "Change": spec.record(
        id={"type": "string", "description": "A value for `since` and Last-Event-ID."},
        kind=spec.enum(*_CHANGE_KINDS),
        session_id=NULLABLE_STRING,
        address=NULLABLE_STRING,
        rev=NULLABLE_INTEGER,
        message={"oneOf": [spec.ref("Message"), {"type": "null"}]},
        chat={"oneOf": [spec.ref("Chat"), {"type": "null"}]},
        session={"type": ["object", "null"]},
        changed_at=DATE_TIME,
    ),
    "Outage": spec.record(
        ("session_id",),
        kind=spec.enum("disconnected", "unreachable"),
        reason=STRING,
        looks=INTEGER,
        connected_at=NULLABLE_DATE_TIME,
        first_at=DATE_TIME,
        last_at=DATE_TIME,
        ended_at=NULLABLE_DATE_TIME,
        session_id=STRING,
    ),
    "Session": spec.record(
        session_id=STRING,
        number={"type": "integer", "description": "In the order in which the sessions were first seen."},
        display_name={
            "type": ["string", "null"],
            "description": "The name that people gave the session or its account.",
        },
        colour={"type": ["string", "null"], "enum": [*session_naming.COLOURS, None]},
        state=NULLABLE_STRING,
        phone=NULLABLE_STRING,
        state_at=NULLABLE_DATE_TIME,
        name={"type": ["string", "null"], "description": "The session's name at the gateway."},
        last_connected_at={
            "type": ["string", "null"],
            "format": "date-time",
            "description": "When the session last connected to WhatsApp, by the gateway's clock.",
        },
        last_event_at=NULLABLE_DATE_TIME,
        last_ping_at=NULLABLE_DATE_TIME,
        events={
            "type": "object",
            "additionalProperties": DATE_TIME,
            "description": "The last time of each kind of event.",
        },
        never_seen=spec.array(STRING),
        outages=spec.array(spec.ref("Outage")),
        contradictions=spec.array(spec.record(phone=STRING, lids=spec.array(STRING))),
        account={"type": ["string", "null"], "description": "The phone, if several sessions serve it."},
        account_sessions={**spec.array(STRING), "description": "The sessions that share one history."},
        missed={
            **spec.record(messages=INTEGER, last_at=NULLABLE_DATE_TIME),
            "type": ["object", "null"],
            "description": "Incoming messages of the last 24 hours that only other sessions of the account reported.",
        },
        rev=_REV,
    ),
    "Stats": statistics_schemas.STATS,
    "Gap": spec.record(writer=STRING, first=INTEGER, last=INTEGER, events=INTEGER, spooled=INTEGER),
    "AcceptedLoss": spec.record(
        writer=STRING,
        first={"type": ["integer", "null"], "description": "Null if the end of a silent writer was accepted."},
        last=NULLABLE_INTEGER,
        events=INTEGER,
        reason=STRING,
        accepted_by=STRING,
        accepted_at=DATE_TIME,
    ),
    "OpenQuestion": spec.record(
        kind=spec.enum(*get_args(open_questions.Kind)),
        message=STRING,
        remedy=STRING,
        writer=NULLABLE_STRING,
        host=NULLABLE_STRING,
        count={"type": "integer", "description": "Events in the writer's spool, or entries that are set aside."},
        since=NULLABLE_DATE_TIME,
    ),
    "Ledger": spec.record(
        **dict.fromkeys(_LEDGER_COUNTS, INTEGER),
        waiting={"type": ["integer", "null"], "description": "Null if no worker is running."},
        as_of=NULLABLE_DATE_TIME,
        oldest_waiting_at=NULLABLE_DATE_TIME,
        written_off={"type": "integer", "description": "Lost events whose loss a person accepted."},
        lost=spec.array(spec.ref("Gap")),
        unknown={
            **spec.array(spec.ref("OpenQuestion")),
            "description": "Places that may hold acknowledged events and did not answer.",
        },
        accepted_losses=spec.array(spec.ref("AcceptedLoss")),
        exact={"type": "boolean", "description": "True if nothing is lost or unknown."},
    ),
    "Parked": spec.record(
        digest={"type": "string", "pattern": "^[0-9a-f]+$"},
        reason=STRING,
        session_id=NULLABLE_STRING,
        event=NULLABLE_STRING,
        received_at=DATE_TIME,
        parked_at=DATE_TIME,
        size=NULLABLE_INTEGER,
        body={"type": ["string", "null"], "description": "The start of the body, or null after it was pruned."},
    ),
    "Redrive": spec.record(
        id=INTEGER,
        state=spec.enum("waiting", "running", "done", "failed"),
        asked_by=STRING,
        asked_at=DATE_TIME,
        began_at=NULLABLE_DATE_TIME,
        finished_at=NULLABLE_DATE_TIME,
        events={
            "type": ["integer", "null"],
            "description": "The number of selected events, or null until a worker starts.",
        },
        still_parked=NULLABLE_INTEGER,
        failure=NULLABLE_STRING,
    ),
    "Send": spec.record(
        messageId={"type": ["string", "null"], "description": "WhatsApp's id if sent, the gateway's id if queued."},
        status=spec.enum("pending", "sent", "queued", "failed", "unknown"),
        send_id={"type": "string", "format": "uuid"},
        session_id=STRING,
        to=STRING,
        message_type=spec.enum("text", *MEDIA_KINDS),
        code=NULLABLE_STRING,
        reason=NULLABLE_STRING,
        timestamp=_MILLISECONDS,
        created_at=DATE_TIME,
    ),
}
