"""Parses reactions, edits and deletes, from an event's name or from inside a message."""

from typing import Final

from store.model.facts import Delete, Fact
from worker.senders.reasons import NoFactsError, Reason
from worker.senders.sak import acks, parties
from worker.senders.sak.envelope import Envelope, find_protobuf, first_value
from worker.senders.whatsapp import json_document, message_facts, text, update_content, words
from worker.senders.whatsapp.json_document import JsonObject
from worker.senders.whatsapp.message_types import EDITED_TYPES, PROTOCOL_TYPES, REACTION_TYPES
from worker.senders.whatsapp.update_content import MAX_EMOJI_LENGTH, UpdateContent

_PROTOCOL_KEYS = ("protocolMessage", "protocol_message", "protocol")
_REACTION_KEYS = ("reaction", "reactionMessage", "reaction_message")
_EDITED_KEYS = ("editedMessage", "edited_message")
_TARGET_ID_KEYS = (
    *("targetMessageId", "target_message_id", "targetId", "originalMessageId", "original_message_id", "originalId"),
    *("reactedMessageId", "reactedToId", "reactionTo", "editedMessageId", "deletedMessageId", "revokedMessageId"),
)
_MESSAGE_ID_KEYS = ("messageId", "message_id", "msgId", "msg_id", "id")
_EMOJI_KEYS = ("text", "emoji", "reaction")
_NEW_TEXT_KEYS = ("newText", "new_text", "newBody", "new_body", "editedText", "edited_text")

_REVOKE_TYPES: Final[tuple[object, ...]] = (0, "0", "REVOKE", "revoke")
_EDIT_TYPES: Final[tuple[object, ...]] = (14, "14", "MESSAGE_EDIT", "message_edit")


def read_embedded(envelope: Envelope, raw_type: str | None) -> UpdateContent | None:
    """Return the update that a message of this type contains, or None if there is no readable one."""
    if raw_type in REACTION_TYPES:
        target, emoji = _parse_reaction(envelope)
        return None if target is None or emoji is None else UpdateContent("react", target, emoji)
    if raw_type not in PROTOCOL_TYPES and raw_type not in EDITED_TYPES:
        return None
    protocol = _protocol_fields(envelope)
    target = None if protocol is None else _target_id(protocol)
    if protocol is not None and target is not None:
        if _has_type(protocol, _REVOKE_TYPES):
            return update_content.delete(target)
        edited_text = _protocol_text(protocol)
        return None if edited_text is None else UpdateContent("edit", target, edited_text)
    target, new_text = text.identifier(first_value(envelope.message_objects, _TARGET_ID_KEYS)), _find_new_text(envelope)
    return None if target is None or new_text is None else UpdateContent("edit", target, new_text)


def to_facts(update: UpdateContent, envelope: Envelope, *, is_sent: bool) -> tuple[Fact, ...]:
    """Return the update as a fact, with the event's evidence about people.

    Raises NoFactsError if no chat is named.
    """
    sides = parties.read(envelope, is_sent=is_sent, time=envelope.time)
    return message_facts.of_update(update, sides, envelope.time)


def read_reaction(envelope: Envelope) -> tuple[Fact, ...]:
    """Read `message.reaction`, to the message in the reaction or otherwise to the event's message."""
    target, emoji = _parse_reaction(envelope)
    target = target or envelope.message_id
    if target is None or emoji is None:
        raise NoFactsError(Reason.REACTION_UNREADABLE)
    return to_facts(UpdateContent("react", target, emoji), envelope, is_sent=parties.is_implicitly_sent(envelope))


def read_edit(envelope: Envelope) -> tuple[Fact, ...]:
    """Read `message.edited`: the event's message with its new text."""
    protocol = _protocol_fields(envelope)
    target = None if protocol is None else _target_id(protocol)
    target = target or text.identifier(first_value(envelope.all_objects, _TARGET_ID_KEYS)) or envelope.message_id
    new_text = (None if protocol is None else _protocol_text(protocol)) or _find_new_text(envelope)
    return to_facts(update_content.edit(target, new_text), envelope, is_sent=parties.is_implicitly_sent(envelope))


def read_delete(envelope: Envelope) -> tuple[Fact, ...]:
    """Read `message.deleted`: the event's message, or all that it lists."""
    protocol = _protocol_fields(envelope)
    target = None if protocol is None else _target_id(protocol)
    target = target or text.identifier(first_value(envelope.all_objects, _TARGET_ID_KEYS))
    targets = acks.find_ids(envelope) if target is None else (target,)
    if not targets:
        raise NoFactsError(Reason.NO_MESSAGE_ID)
    time = envelope.time
    sides = parties.read(envelope, is_sent=parties.is_implicitly_sent(envelope), time=time)
    return (*(Delete(target, sides.chat, sides.direction, sides.sender, time) for target in targets), *sides.evidence)


def _find_fields(envelope: Envelope, keys: tuple[str, ...], raw_types: frozenset[str]) -> JsonObject | None:
    """Return the fields of an update.

    They are those of a protobuf message of these types, or an object under one of the keys.
    """
    found = find_protobuf(envelope, envelope.all_objects)
    if found is not None and found[0] in raw_types:
        return found[1]
    return json_document.as_object(first_value(envelope.all_objects, keys))


def _protocol_fields(envelope: Envelope) -> JsonObject | None:
    return _find_fields(envelope, _PROTOCOL_KEYS, PROTOCOL_TYPES)


def _target_id(protocol: JsonObject) -> str | None:
    key = json_document.as_object(protocol.get("key"))
    return text.identifier(first_value((protocol,) if key is None else (key, protocol), _MESSAGE_ID_KEYS))


def _has_type(protocol: JsonObject, types: tuple[object, ...]) -> bool:
    kind = protocol.get("type")
    return not isinstance(kind, bool) and kind in types


def _protocol_text(protocol: JsonObject) -> str | None:
    if not _has_type(protocol, _EDIT_TYPES):
        return None
    return _parse_text(first_value((protocol,), (*_EDITED_KEYS, *_NEW_TEXT_KEYS)))


def _find_new_text(envelope: Envelope) -> str | None:
    """Return the new text, from keys for it before keys for any text."""
    for keys in (_NEW_TEXT_KEYS, _EDITED_KEYS, ("text", "body", "message", "caption")):
        for place in envelope.all_objects:
            new_text = _parse_text(first_value((place,), keys))
            if new_text is not None:
                return new_text
    return None


def _parse_text(value: object) -> str | None:
    """Return the text in a string, in a message object or in a protobuf message."""
    fields = json_document.as_object(value)
    if fields is None:
        return text.message_text(value)
    inner = json_document.as_object(fields.get("message")) or fields
    plain_text = text.message_text(first_value((inner,), ("text", "body", "caption")))
    return plain_text or words.of_message(inner)


def _parse_reaction(envelope: Envelope) -> tuple[str | None, str | None]:
    """Return the id of the reaction's message, and the emoji, which is '' to remove a reaction."""
    fields = _find_fields(envelope, _REACTION_KEYS, REACTION_TYPES)
    places = envelope.message_objects if fields is None else (fields,)
    target = first_value(envelope.message_objects, _TARGET_ID_KEYS)
    if fields is not None:
        key = json_document.as_object(fields.get("key"))
        objects = (fields,) if key is None else (key, fields)
        target = first_value(objects, (*_TARGET_ID_KEYS, *_MESSAGE_ID_KEYS)) or target
    for place in places:
        for name in _EMOJI_KEYS:
            emoji = place.get(name)
            # SAK sends an empty `text` beside the event for everything without text. It removes no reaction.
            if isinstance(emoji, str) and (emoji or fields is not None or name != "text"):
                return text.identifier(target), text.sanitize(emoji) if len(emoji) <= MAX_EMOJI_LENGTH else None
    return text.identifier(target), None
