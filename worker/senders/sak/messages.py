"""Parses `message.received` and `message.sent`, flat and nested."""

from store.model import addresses
from store.model.facts import Fact
from worker.senders.reasons import NoFactsError, Reason
from worker.senders.sak import acks, content, parties, updates
from worker.senders.sak.envelope import Envelope
from worker.senders.whatsapp import json_document, stubs, update_content
from worker.senders.whatsapp.message_content import MessageContent
from worker.senders.whatsapp.message_types import (
    EDITED_TYPES,
    KEY_TYPES,
    LEADING_TYPES,
    NOISE_REASONS,
    PROTOCOL_TYPES,
    REACTION_TYPES,
)


def read_received(envelope: Envelope) -> tuple[Fact, ...]:
    """Read an incoming message or, if flagged, one that the session's owner sent from another device."""
    return _read(envelope, is_sent=False)


def read_sent(envelope: Envelope) -> tuple[Fact, ...]:
    """Read a message from the session's owner."""
    return _read(envelope, is_sent=True)


def _read(envelope: Envelope, *, is_sent: bool) -> tuple[Fact, ...]:
    message_content = content.read(envelope)
    raw_type = message_content.effective_type
    if raw_type is None and message_content.is_empty:
        has_reaction = json_document.as_object(envelope.first_value(("reaction",))) is not None
        raw_type = "reaction" if has_reaction else None
    if (update := updates.read_embedded(envelope, raw_type)) is not None:
        return updates.to_facts(update, envelope, is_sent=is_sent)
    noise = NOISE_REASONS.get(raw_type or "")
    if noise is not None:
        if raw_type in EDITED_TYPES or raw_type in PROTOCOL_TYPES:
            raise NoFactsError(noise if message_content.is_empty else Reason.EDIT_WITHOUT_TARGET)
        if raw_type in REACTION_TYPES or (message_content.is_empty and raw_type not in LEADING_TYPES):
            raise NoFactsError(noise)
    message_id = envelope.message_id
    if raw_type == stubs.REVOKED and message_id is not None:
        return updates.to_facts(update_content.delete(message_id), envelope, is_sent=is_sent)
    if message_id is None and message_content.is_empty and message_content.state == "undecrypted":
        raise NoFactsError(Reason.EMPTY_MESSAGE)
    time = envelope.time
    sides = parties.read(envelope, is_sent=is_sent, time=time)
    if noise is not None and message_content.is_empty and not _may_hide_message(message_content, sides.chat):
        raise NoFactsError(noise)
    status = acks.find_status(envelope) if sides.direction == "outgoing" else None
    # A message without an id is identified by its content.
    return (message_content.to_message(sides, message_id, time, status, is_history=False), *sides.evidence)


def _may_hide_message(message_content: MessageContent, chat: str) -> bool:
    """Return whether a message may follow the key or context that the gateway gives as the type.

    SAK names only the first field. In a group a key often comes alone, but not elsewhere.
    """
    if message_content.proto_type is not None:
        return False
    return message_content.raw_type not in KEY_TYPES or addresses.is_person(chat)
