"""What makes two deliveries the same event.

Two bodies with equal bytes are one event only if something in them would differ if they were two: an id, or a time.
Which keys count, and where, is frozen here and not left to the parser, which learns: what an event's digest was when it
came must be what it is when it comes again. A change is a new version, and needs a way to find what has the old digest.
"""

import hashlib
from typing import Final

from worker.sak import json_document
from worker.sak.json_document import JsonObject

VERSION: Final = 1

_TIME_KEYS = ("timestamp", "messageTimestamp", "message_timestamp", "time", "date", "createdAt", "created_at")
_MESSAGE_ID_KEYS = ("messageId", "message_id", "msgId", "msg_id")

# `id` beside an event's fields may be the session's or the contact's, and then two reports with equal bytes are two
# events: it counts only where it can be nothing but the event's or a message's.
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

POSITION_PREFIX: Final = b"\x00sak event by position 1\x00"
"""Before what is hashed for an event without an identity: no JSON begins with NUL, so no body has such a digest."""


def is_self_identifying(fields: JsonObject) -> bool:
    """Whether a body with these fields is the same event whenever it comes with the same bytes."""
    for path, keys in IDENTIFYING_KEYS:
        place: JsonObject | None = fields
        for step in path:
            place = None if place is None else json_document.as_object(place.get(step))
        if place is None:
            continue
        for key in keys:
            value = place.get(key)
            # Nothing, zero, and a flag identify nothing.
            if value and value is not True:
                return True
    return False


def digest(body: bytes, *, writer: str, number: int, index: int, is_self_identifying: bool) -> bytes:
    """The event's identity, 32 bytes: its bytes if it identifies itself, else its place in its writer's batch."""
    if is_self_identifying:
        return hashlib.sha256(body).digest()
    return hashlib.sha256(POSITION_PREFIX + f"{writer} {number} {index}".encode()).digest()
