"""`message.received` and `message.sent`, flat and nested."""

from store.model.facts import Fact, Message, Status
from worker.sak import acks, content, json_document, parties, updates
from worker.sak.envelope import Envelope
from worker.sak.message_types import EDITED_TYPES, NOISE_REASONS, PROTOCOL_TYPES, REACTION_TYPES
from worker.sak.reasons import Reason, UnreadableEventError


def read_received(envelope: Envelope) -> tuple[Fact, ...]:
    """A message of the other side; or of the owner's other devices, where it says so."""
    return _read(envelope, is_sent=False)


def read_sent(envelope: Envelope) -> tuple[Fact, ...]:
    """A message of ours."""
    return _read(envelope, is_sent=True)


def _read(envelope: Envelope, *, is_sent: bool) -> tuple[Fact, ...]:
    held = content.read(envelope)
    raw_type = held.effective_type
    if raw_type is None and held.is_empty and json_document.as_object(envelope.first_value(("reaction",))) is not None:
        raw_type = "reaction"
    if (change := updates.read_embedded(envelope, raw_type)) is not None:
        return updates.to_facts(change, envelope, is_sent=is_sent)
    noise = None if raw_type is None else NOISE_REASONS.get(raw_type)
    if noise is not None and raw_type is not None:
        if raw_type in EDITED_TYPES or raw_type in PROTOCOL_TYPES:
            raise UnreadableEventError(noise if held.is_empty else Reason.EDIT_WITHOUT_TARGET)
        if held.is_empty or raw_type in REACTION_TYPES:
            raise UnreadableEventError(noise)
    message_id = envelope.message_id
    if message_id is None and held.is_empty and held.state == "undecrypted":
        raise UnreadableEventError(Reason.EMPTY_MESSAGE)
    time = envelope.time
    who = parties.read(envelope, is_sent=is_sent, time=time)
    message = Message(
        address=who.chat,
        direction=who.direction,
        message_id=message_id,
        time=time,
        type=held.type,
        raw_type=held.raw_type,
        content_state=held.state,
        text=held.text,
        caption=held.caption,
        media_url=held.media_url,
        mime_type=held.mime_type,
        file_name=held.file_name,
        media_seconds=held.media_seconds,
        reply_to=held.reply_to,
        sender=who.sender,
        sender_name=who.sender_name,
        status=_outgoing_status(envelope) if who.direction == "outgoing" else None,
    )
    return (message, *who.evidence)


def _outgoing_status(envelope: Envelope) -> Status:
    """What we wrote has been sent at least, unless the event says something else."""
    return acks.find_status(envelope) or "sent"
