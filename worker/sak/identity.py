"""What makes two deliveries the same event.

Two bodies with equal bytes are one event only if something in them would differ if they were two: an id, or a time.
Which keys count, and where, is frozen here and not left to the parser, which learns: what an event's digest was when it
came must be what it is when it comes again. A change is a new version, and needs a way to find what has the old digest.
"""

import hashlib
from typing import Final

from worker.sak import json_document
from worker.sak.json_document import Fields

VERSION: Final = 1

_TIMES = ("timestamp", "messageTimestamp", "message_timestamp", "time", "date", "createdAt", "created_at")
_MESSAGE_IDS = ("messageId", "message_id", "msgId", "msg_id")

# `id` beside an event's fields may be the session's or the contact's, and then two reports with equal bytes are two
# events: it counts only where it can be nothing but the event's or a message's.
KEYS: Final[tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]] = (
    ((), (*_TIMES, *_MESSAGE_IDS, "id", "eventId", "event_id", "deliveryId", "delivery_id", "idempotencyKey")),
    (("key",), ("id",)),
    (("message",), (*_TIMES, *_MESSAGE_IDS, "id")),
    (("message", "key"), ("id",)),
    (("data",), (*_TIMES, *_MESSAGE_IDS)),
    (("data", "key"), ("id",)),
    (("data", "message"), (*_TIMES, *_MESSAGE_IDS, "id")),
    (("data", "message", "key"), ("id",)),
    (("payload",), (*_TIMES, *_MESSAGE_IDS)),
    (("payload", "key"), ("id",)),
    (("payload", "message"), (*_TIMES, *_MESSAGE_IDS, "id")),
)

POSITION: Final = b"\x00sak event by position 1\x00"
"""Before what is hashed for an event without an identity: no JSON begins with NUL, so no body has such a digest."""


def identifies_itself(fields: Fields) -> bool:
    """Whether a body with these fields is the same event whenever it comes with the same bytes."""
    for path, keys in KEYS:
        place: Fields | None = fields
        for step in path:
            place = None if place is None else json_document.mapping(place.get(step))
        if place is None:
            continue
        for key in keys:
            value = place.get(key)
            # Nothing, zero, and a flag identify nothing.
            if value and value is not True:
                return True
    return False


def digest(body: bytes, *, writer: str, number: int, index: int, identifies_itself: bool) -> bytes:
    """The event's identity, 32 bytes: its bytes if it identifies itself, else its place in its writer's batch."""
    if identifies_itself:
        return hashlib.sha256(body).digest()
    return hashlib.sha256(POSITION + f"{writer} {number} {index}".encode()).digest()
