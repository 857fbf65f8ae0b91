"""Parses SAK's acknowledgements of messages."""

from typing import Final

from store.model.facts import Ack, Fact, Status
from worker.senders.reasons import NoFactsError, Reason
from worker.senders.sak import parties
from worker.senders.sak.envelope import Envelope, first_value
from worker.senders.whatsapp import json_document, message_ids, statuses, text
from worker.senders.whatsapp.json_document import JsonObject

_STATUS_KEYS: Final = ("status", "ack", "messageStatus", "message_status", "ackName", "state")
_MESSAGE_IDS_KEYS = ("messageIds", "message_ids", "ids")


def read(envelope: Envelope) -> tuple[Fact, ...]:
    """Return the acknowledgements of an event. Raises NoFactsError if it contains no message or no status."""
    status = find_status(envelope)
    if status is None:
        is_present = first_value(_places(envelope), _STATUS_KEYS) is not None
        raise NoFactsError(Reason.UNKNOWN_STATUS if is_present else Reason.NO_STATUS)
    return report_status(envelope, status)


def find_status(envelope: Envelope) -> Status | None:
    """Return the first known status in the event."""
    for key in _STATUS_KEYS:
        is_baileys = key == "status" and envelope.message_key is not None
        first = statuses.FIRST_OF_BAILEYS_SCALE if is_baileys else statuses.FIRST_OF_SCALE
        if (status := statuses.parse(first_value(_places(envelope), (key,)), first)) is not None:
            return status
    return None


def _places(envelope: Envelope) -> tuple[JsonObject, ...]:
    """Return the objects that may contain a status.

    Baileys reports a change of a message as `update` beside its key.
    """
    update = json_document.as_object(first_value(envelope.all_objects, ("update",)))
    return envelope.all_objects if update is None else (update, *envelope.all_objects)


def report_status(envelope: Envelope, status: Status) -> tuple[Fact, ...]:
    """Return the acknowledgements that the event's messages have this status."""
    ids = find_ids(envelope)
    if not ids:
        raise NoFactsError(Reason.NO_MESSAGE_ID)
    chat = parties.find_chat(envelope)
    time = envelope.time
    return tuple(Ack(message_id, status, chat, time) for message_id in ids)


def find_ids(envelope: Envelope) -> tuple[str, ...]:
    """Return the ids of an event's messages: the one that it contains, or all that it lists."""
    if (single := envelope.message_id) is not None:
        return (single,)
    return message_ids.listed(first_value(envelope.all_objects, _MESSAGE_IDS_KEYS), text.identifier)
