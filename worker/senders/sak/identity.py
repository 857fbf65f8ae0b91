"""Decides whether an event identifies itself by an id or a time, which would differ between two events.

The keys that count are frozen here, independent of the parser, because the digest of an event must never change. A
change needs a way to find events under their old digest.
"""

from typing import Final

from worker.senders.whatsapp import json_document
from worker.senders.whatsapp.json_document import JsonObject

_TIME_KEYS = ("timestamp", "messageTimestamp", "message_timestamp", "time", "date", "createdAt", "created_at")
_MESSAGE_ID_KEYS = ("messageId", "message_id", "msgId", "msg_id")

# `id` beside an event's fields may belong to the session or the contact, in which case two reports with equal bytes are
# two events. It counts only if it must be the id of the event or of a message.
IDENTIFYING_KEYS: Final[tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]] = (
    ((), (*_TIME_KEYS, *_MESSAGE_ID_KEYS, "id", "eventId", "event_id", "deliveryId", "delivery_id", "idempotencyKey")),
    (("key",), ("id",)),
    (("message",), (*_TIME_KEYS, *_MESSAGE_ID_KEYS, "id")),
    (("message", "key"), ("id",)),
    (("data",), (*_TIME_KEYS, *_MESSAGE_ID_KEYS)),
    (("data", "key"), ("id",)),
    (("data", "message"), (*_TIME_KEYS, *_MESSAGE_ID_KEYS, "id")),
    (("data", "message", "key"), ("id",)),
    (("payload",), (*_TIME_KEYS, *_MESSAGE_ID_KEYS)),
    (("payload", "key"), ("id",)),
    (("payload", "message"), (*_TIME_KEYS, *_MESSAGE_ID_KEYS, "id")),
)


def is_self_identifying(fields: JsonObject) -> bool:
    """Return whether bodies with these fields and equal bytes are the same event."""
    for path, keys in IDENTIFYING_KEYS:
        place: JsonObject | None = fields
        for step in path:
            place = None if place is None else json_document.as_object(place.get(step))
        if place is None:
            continue
        for key in keys:
            value = place.get(key)
            # Empty values, zero and flags identify nothing.
            if value and value is not True:
                return True
    return False
