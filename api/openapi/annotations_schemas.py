"""Describes starred messages, notes and the details of chats and messages."""

from api.chats import chat_list
from api.openapi import spec
from api.openapi.spec import DATE_TIME, INTEGER, NULLABLE_DATE_TIME, NULLABLE_STRING, STRING

SCHEMAS: spec.Schema = {
    "Starred": {"allOf": [spec.ref("Message"), spec.record(name=NULLABLE_STRING)]},
    "Note": spec.record(
        id=INTEGER,
        text=STRING,
        author={"type": "string", "description": "The name of the token that wrote it last."},
        created_at=DATE_TIME,
        changed_at=NULLABLE_DATE_TIME,
    ),
    "Profile": spec.record(
        session_id=STRING,
        address=STRING,
        name=NULLABLE_STRING,
        addresses=spec.array(
            spec.record(session_id=STRING, address=STRING, kind=spec.enum(*chat_list.CHAT_KINDS), name=NULLABLE_STRING)
        ),
        **dict.fromkeys(("first_message_at", "last_message_at", "last_incoming_at"), NULLABLE_DATE_TIME),
        labels=spec.array(STRING),
        notes=spec.array(spec.ref("Note")),
    ),
    "Details": spec.record(
        message=spec.ref("Message"),
        sent_by={"type": ["string", "null"], "description": "The name of the token that sent it here."},
        receipts=spec.array(spec.record(status=STRING, at=DATE_TIME)),
        copies=spec.array(spec.record(session_id=STRING, address=STRING, received_at=DATE_TIME)),
        events={
            "type": ["array", "null"],
            "items": spec.record(sender=NULLABLE_STRING, received_at=DATE_TIME, body=STRING),
            "description": "Null unless requested: the stored events about it, at most 20 with 64 KiB each.",
        },
    ),
}
