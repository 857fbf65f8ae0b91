"""How far a message got: by word, by number, by WhatsApp's own names."""

from typing import Final

from store.model.facts import Ack, Fact, Status
from worker.sak import json_document, parties, text
from worker.sak.envelope import Envelope, first
from worker.sak.reasons import Reason, UnreadableError

_STATUSES: Final = ("status", "ack", "messageStatus", "message_status", "ackName", "state")
_IDS_OF_MANY = ("messageIds", "message_ids", "ids")
_MAX_IDS = 1_000

_WORDS: Final[dict[str, Status]] = {
    "pending": "pending",
    "queued": "pending",
    "clock": "pending",
    "sent": "sent",
    "server": "sent",
    "server_ack": "sent",
    "delivered": "delivered",
    "device": "delivered",
    "delivery_ack": "delivered",
    "read": "read",
    "seen": "read",
    "read_ack": "read",
    "played": "played",
    "played_ack": "played",
    "failed": "failed",
    "error": "failed",
    "error_ack": "failed",
    "pending_ack": "pending",
}
_NUMBERS: Final[tuple[Status, ...]] = ("failed", "pending", "sent", "delivered", "read", "played")
"""From -1 to 4."""
_NUMERALS: Final[dict[str, Status]] = {str(number - 1): status for number, status in enumerate(_NUMBERS)}


def status(value: object) -> Status | None:
    """The status that a word or a number means; None if it is none."""
    if isinstance(value, str):
        spelled = (text.word(value) or "").lower()
        return _WORDS.get(spelled) or _NUMERALS.get(spelled)
    if isinstance(value, (int, float)) and not isinstance(value, bool) and -1 <= value <= 4 and value == int(value):
        return _NUMBERS[int(value) + 1]
    return None


def read(envelope: Envelope) -> tuple[Fact, ...]:
    """The acknowledgements that an event tells. Raises UnreadableError if it lacks the message or the status."""
    reached = told_status(envelope)
    if reached is None:
        is_told = first(envelope.everywhere, _STATUSES) is not None
        raise UnreadableError(Reason.UNKNOWN_STATUS if is_told else Reason.NO_STATUS)
    return acknowledged(envelope, reached)


def told_status(envelope: Envelope) -> Status | None:
    """The first status in the event that we know."""
    for key in _STATUSES:
        if (reached := status(first(envelope.everywhere, (key,)))) is not None:
            return reached
    return None


def acknowledged(envelope: Envelope, reached: Status) -> tuple[Fact, ...]:
    """The same where the event's name tells the status."""
    ids = message_ids(envelope)
    if not ids:
        raise UnreadableError(Reason.NO_MESSAGE_ID)
    chat = parties.told_chat(envelope)
    time = envelope.time
    return tuple(Ack(message_id, reached, chat, time) for message_id in ids)


def message_ids(envelope: Envelope) -> list[str]:
    """The messages that an event is about: the one that it names, or all that it lists."""
    if (single := envelope.message_id) is not None:
        return [single]
    many = json_document.sequence(first(envelope.everywhere, _IDS_OF_MANY)) or []
    found = (text.identifier(value) for value in many[:_MAX_IDS])
    return list(dict.fromkeys(identifier for identifier in found if identifier is not None))
