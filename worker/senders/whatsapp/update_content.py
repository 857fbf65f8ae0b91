"""Defines the content of a message's update, and reads reactions, edits and deletes in protobuf messages."""

from dataclasses import dataclass
from typing import Final, Literal

from worker.senders.reasons import NoFactsError, Reason
from worker.senders.whatsapp import json_document, message_ids, message_types, proto, text, words
from worker.senders.whatsapp.json_document import JsonObject

_REVOKE: Final[tuple[object, ...]] = (0, "0", "REVOKE")
_EDIT: Final[tuple[object, ...]] = (14, "14", "MESSAGE_EDIT")
_FIELDS_OF_REVOCATION: Final = frozenset({"key", "timestampMs", "timestampMS"})
MAX_EMOJI_LENGTH = 64


@dataclass(frozen=True, slots=True)
class UpdateContent:
    """The content of a reaction, an edit or a delete."""

    action: Literal["react", "edit", "delete"]
    target_id: str
    text: str
    """The emoji or the new text. Empty for a delete, and for a reaction that is removed."""


def read_reaction(fields: JsonObject) -> UpdateContent:
    """Read a `reactionMessage`. An empty text removes the reaction. Raises NoFactsError."""
    return react(message_ids.of_key(fields.get("key")), fields.get("text"))


def react(target: str | None, emoji: object) -> UpdateContent:
    """Return a reaction. An empty or absent emoji removes the earlier one. Raises NoFactsError."""
    emoji = "" if emoji is None else emoji
    if target is None or not isinstance(emoji, str) or len(emoji) > MAX_EMOJI_LENGTH:
        raise NoFactsError(Reason.REACTION_UNREADABLE)
    return UpdateContent("react", target, text.sanitize(emoji))


def edit(target: str | None, new_text: str | None) -> UpdateContent:
    """Return an edit. Raises NoFactsError if a part is missing."""
    target = message_ids.require(target)
    if new_text is None:
        raise NoFactsError(Reason.EDIT_WITHOUT_TEXT)
    return UpdateContent("edit", target, new_text)


def delete(target: str | None) -> UpdateContent:
    """Return a delete. Raises NoFactsError if the id of the message is missing."""
    return UpdateContent("delete", message_ids.require(target), "")


def read_protocol(fields: JsonObject) -> UpdateContent:
    """Return the edit or delete in a `protocolMessage`. Raises NoFactsError if it is none or incomplete."""
    kind = fields.get("type")
    edited = json_document.as_object(fields.get("editedMessage"))
    is_edit = kind in _EDIT or (kind is None and edited is not None)
    # The protobuf may omit the type of a revocation, which is its default.
    is_revocation = kind in _REVOKE or (kind is None and fields.keys() <= _FIELDS_OF_REVOCATION)
    if isinstance(kind, bool) or not (is_edit or is_revocation):
        raise NoFactsError(Reason.PROTOCOL_MESSAGE)
    target = message_ids.require(message_ids.of_key(fields.get("key")))
    if not is_edit:
        return delete(target)
    new_text = None if edited is None else _edited_text(edited)
    if new_text is None:
        raise NoFactsError(Reason.EDIT_UNTOLD)
    return UpdateContent("edit", target, new_text)


def _edited_text(message: JsonObject) -> str | None:
    """Return the new text of an edited message. It is empty if the caption of a file was removed."""
    if (new_text := words.of_message(message)) is not None:
        return new_text
    unwrapped = proto.unwrap(message, is_protobuf=True)
    is_file = unwrapped is not None and message_types.MESSAGE_TYPES.get(unwrapped[0]) in message_types.MEDIA_TYPES
    return "" if is_file else None
