"""Reads the reactions, edits and deletes in protobuf messages."""

from dataclasses import dataclass
from typing import Final, Literal

from worker.senders.reasons import Reason, UnreadableEventError
from worker.senders.whatsapp import json_document, message_ids, message_types, proto, text, words
from worker.senders.whatsapp.json_document import JsonObject

_REVOKE: Final[tuple[object, ...]] = (0, "0", "REVOKE")
_EDIT: Final[tuple[object, ...]] = (14, "14", "MESSAGE_EDIT")
_FIELDS_OF_REVOCATION: Final = frozenset({"key", "timestampMs", "timestampMS"})
MAX_EMOJI_LENGTH = 64


@dataclass(frozen=True, slots=True)
class MessageUpdate:
    """An update of a message, contained in another message."""

    action: Literal["react", "edit", "delete"]
    target_id: str
    content: str
    """The emoji or the new text. Empty for a delete."""


def read_reaction(fields: JsonObject) -> MessageUpdate:
    """Read a `reactionMessage`. An empty text removes the reaction. Raises UnreadableEventError."""
    return react(key_id(fields.get("key")), fields.get("text"))


def react(target: str | None, emoji: object) -> MessageUpdate:
    """Return a reaction, or its removal without an emoji, which the protobuf may omit. Raises UnreadableEventError."""
    emoji = "" if emoji is None else emoji
    if target is None or not isinstance(emoji, str) or len(emoji) > MAX_EMOJI_LENGTH:
        raise UnreadableEventError(Reason.REACTION_UNREADABLE)
    return MessageUpdate("react", target, text.sanitize(emoji))


def edit(target: str | None, new_text: str | None) -> MessageUpdate:
    """Return an edit. Raises UnreadableEventError if a part is missing."""
    target = message_ids.require(target)
    if new_text is None:
        raise UnreadableEventError(Reason.EDIT_WITHOUT_TEXT)
    return MessageUpdate("edit", target, new_text)


def delete(target: str | None) -> MessageUpdate:
    """Return a delete. Raises UnreadableEventError without the id of the message."""
    return MessageUpdate("delete", message_ids.require(target), "")


def read_protocol(fields: JsonObject) -> MessageUpdate:
    """Read a `protocolMessage`. Raises UnreadableEventError if it is unreadable or a setting."""
    kind = fields.get("type")
    edited = json_document.as_object(fields.get("editedMessage"))
    is_edit = kind in _EDIT or (kind is None and edited is not None)
    # The protobuf may omit the type of a revocation, which is its default.
    is_revocation = kind in _REVOKE or (kind is None and fields.keys() <= _FIELDS_OF_REVOCATION)
    if isinstance(kind, bool) or not (is_edit or is_revocation):
        raise UnreadableEventError(Reason.PROTOCOL_MESSAGE)
    target = message_ids.require(key_id(fields.get("key")))
    if not is_edit:
        return delete(target)
    new_text = None if edited is None else _edited_text(edited)
    if new_text is None:
        raise UnreadableEventError(Reason.EDIT_UNTOLD)
    return MessageUpdate("edit", target, new_text)


def _edited_text(message: JsonObject) -> str | None:
    """Return the new text of an edited message. It is empty if the caption of a file was removed."""
    if (new_text := words.of_message(message)) is not None:
        return new_text
    unwrapped = proto.unwrap(message, is_protobuf=True)
    is_file = unwrapped is not None and message_types.MESSAGE_TYPES.get(unwrapped[0]) in message_types.MEDIA_TYPES
    return "" if is_file else None


def key_id(value: object) -> str | None:
    """Return the message id in a protobuf key, or None if it has none."""
    key = json_document.as_object(value)
    return None if key is None else text.identifier(key.get("id") or key.get("ID"))
