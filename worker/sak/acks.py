"""Parses delivery statuses: words, numbers and WhatsApp's own names."""

from typing import Final

from store.model.facts import Ack, Fact, Status
from worker.sak import json_document, parties, text
from worker.sak.envelope import Envelope, first_value
from worker.sak.reasons import Reason, UnreadableEventError

_STATUS_KEYS: Final = ("status", "ack", "messageStatus", "message_status", "ackName", "state")
_MESSAGE_IDS_KEYS = ("messageIds", "message_ids", "ids")
_MAX_IDS = 1_000

_STATUS_BY_WORD: Final[dict[str, Status]] = {
    **dict.fromkeys(("failed", "error", "error_ack", "-1"), "failed"),
    **dict.fromkeys(("pending", "queued", "clock", "pending_ack", "0"), "pending"),
    **dict.fromkeys(("sent", "server", "server_ack", "1"), "sent"),
    **dict.fromkeys(("delivered", "device", "delivery_ack", "2"), "delivered"),
    **dict.fromkeys(("read", "seen", "read_ack", "3"), "read"),
    **dict.fromkeys(("played", "played_ack", "4"), "played"),
}
_STATUS_BY_NUMBER: Final[tuple[Status, ...]] = ("failed", "pending", "sent", "delivered", "read", "played")
"""From -1 to 4."""


def parse_status(value: object) -> Status | None:
    """The status of a word or a number; None for any other value."""
    if isinstance(value, str):
        return _STATUS_BY_WORD.get((text.label(value) or "").lower())
    if isinstance(value, (int, float)) and not isinstance(value, bool) and -1 <= value <= 4 and value == int(value):
        return _STATUS_BY_NUMBER[int(value) + 1]
    return None


def read(envelope: Envelope) -> tuple[Fact, ...]:
    """The acknowledgements of an event. Raises UnreadableEventError if it names no message or no status."""
    status = find_status(envelope)
    if status is None:
        is_present = first_value(envelope.all_objects, _STATUS_KEYS) is not None
        raise UnreadableEventError(Reason.UNKNOWN_STATUS if is_present else Reason.NO_STATUS)
    return read_as(envelope, status)


def find_status(envelope: Envelope) -> Status | None:
    """The first known status in the event."""
    for key in _STATUS_KEYS:
        if (status := parse_status(first_value(envelope.all_objects, (key,)))) is not None:
            return status
    return None


def read_as(envelope: Envelope, status: Status) -> tuple[Fact, ...]:
    """The acknowledgements of an event whose name is the status."""
    ids = message_ids(envelope)
    if not ids:
        raise UnreadableEventError(Reason.NO_MESSAGE_ID)
    chat = parties.find_chat(envelope)
    time = envelope.time
    return tuple(Ack(message_id, status, chat, time) for message_id in ids)


def message_ids(envelope: Envelope) -> list[str]:
    """The ids of an event's messages: the one that it names, or all that it lists."""
    if (single := envelope.message_id) is not None:
        return [single]
    many = json_document.as_list(first_value(envelope.all_objects, _MESSAGE_IDS_KEYS)) or []
    identifiers = (text.identifier(value) for value in many[:_MAX_IDS])
    return list(dict.fromkeys(identifier for identifier in identifiers if identifier is not None))
