"""What becomes of a message later: reactions, edits and deletes, told by an event's name or inside a message."""

from dataclasses import dataclass
from typing import Final, Literal

from store.model.facts import Delete, Edit, Fact, Reaction
from worker.sak import acks, json_document, parties, proto, text
from worker.sak.envelope import Envelope, first
from worker.sak.json_document import Fields
from worker.sak.message_types import EDITED, PROTOCOL, REACTIONS
from worker.sak.reasons import Reason, UnreadableError

_PROTOCOL_KEYS = ("protocolMessage", "protocol_message", "protocol")
_REACTION_KEYS = ("reaction", "reactionMessage", "reaction_message")
_EDITED_KEYS = ("editedMessage", "edited_message")
_TARGETS = (
    *("targetMessageId", "target_message_id", "targetId", "originalMessageId", "original_message_id", "originalId"),
    *("reactedMessageId", "reactedToId", "reactionTo", "editedMessageId", "deletedMessageId", "revokedMessageId"),
)
_OWN_IDS = ("messageId", "message_id", "msgId", "msg_id", "id")
_EMOJI = ("text", "emoji", "reaction")
_NEW_TEXTS = ("newText", "new_text", "newBody", "new_body", "editedText", "edited_text")
_MAX_EMOJI = 64

_REVOKE: Final[tuple[object, ...]] = (0, "0", "REVOKE", "revoke")
_EDIT: Final[tuple[object, ...]] = (14, "14", "MESSAGE_EDIT", "message_edit")


@dataclass(frozen=True, slots=True)
class Change:
    """What a message does to another one."""

    does: Literal["react", "edit", "delete"]
    target: str
    words: str
    """The emoji, or the new text; empty for a delete."""


def carried(envelope: Envelope, raw_type: str | None) -> Change | None:
    """The change that a message of this type carries; None if it carries none that can be read."""
    if raw_type in REACTIONS:
        target, emoji = _reaction(envelope)
        return None if target is None or emoji is None else Change("react", target, emoji)
    if raw_type not in PROTOCOL and raw_type not in EDITED:
        return None
    protocol = _protocol(envelope)
    target = None if protocol is None else _protocol_target(protocol)
    if protocol is not None and target is not None:
        if _is(protocol, _REVOKE):
            return Change("delete", target, "")
        edited_text = _edited_text(protocol)
        return None if edited_text is None else Change("edit", target, edited_text)
    target, new_text = text.identifier(first(envelope.places, _TARGETS)), _new_text(envelope)
    return None if target is None or new_text is None else Change("edit", target, new_text)


def told(change: Change, envelope: Envelope, *, is_sent: bool) -> tuple[Fact, ...]:
    """The change as a fact, with what the event tells about people. Raises UnreadableError without a chat."""
    time = envelope.time
    who = parties.read(envelope, is_sent=is_sent, time=time)
    match change.does:
        case "react":
            fact = Reaction(change.target, who.chat, who.direction, who.sender, change.words, time)
        case "edit":
            fact = Edit(change.target, who.chat, who.direction, who.sender, change.words, time)
        case "delete":
            fact = Delete(change.target, who.chat, who.direction, who.sender, time)
    return (fact, *who.evidence)


def reacted(envelope: Envelope) -> tuple[Fact, ...]:
    """`message.reaction`: to what is in the reaction, or else the message that the event names."""
    target, emoji = _reaction(envelope)
    target = target or envelope.message_id
    if target is None or emoji is None:
        raise UnreadableError(Reason.REACTION_UNREADABLE)
    return told(Change("react", target, emoji), envelope, is_sent=parties.is_told_as_sent(envelope))


def edited(envelope: Envelope) -> tuple[Fact, ...]:
    """`message.edited`: the message that the event names, with its new text."""
    protocol = _protocol(envelope)
    target = None if protocol is None else _protocol_target(protocol)
    target = target or text.identifier(first(envelope.everywhere, _TARGETS)) or envelope.message_id
    new_text = (None if protocol is None else _edited_text(protocol)) or _new_text(envelope)
    if target is None:
        raise UnreadableError(Reason.NO_MESSAGE_ID)
    if new_text is None:
        raise UnreadableError(Reason.EDIT_WITHOUT_TEXT)
    return told(Change("edit", target, new_text), envelope, is_sent=parties.is_told_as_sent(envelope))


def deleted(envelope: Envelope) -> tuple[Fact, ...]:
    """`message.deleted`: the message that the event names, or all that it lists."""
    protocol = _protocol(envelope)
    target = None if protocol is None else _protocol_target(protocol)
    target = target or text.identifier(first(envelope.everywhere, _TARGETS))
    targets = acks.message_ids(envelope) if target is None else [target]
    if not targets:
        raise UnreadableError(Reason.NO_MESSAGE_ID)
    time = envelope.time
    who = parties.read(envelope, is_sent=parties.is_told_as_sent(envelope), time=time)
    return (*(Delete(target, who.chat, who.direction, who.sender, time) for target in targets), *who.evidence)


def _inside(envelope: Envelope, keys: tuple[str, ...], raw_types: frozenset[str]) -> Fields | None:
    """The fields of a change, wherever it lies, wrappers included."""
    found = proto.find(envelope.everywhere)
    if found is not None and found[0] in raw_types:
        return found[1]
    return json_document.mapping(first(envelope.everywhere, keys))


def _protocol(envelope: Envelope) -> Fields | None:
    return _inside(envelope, _PROTOCOL_KEYS, PROTOCOL)


def _protocol_target(protocol: Fields) -> str | None:
    key = json_document.mapping(protocol.get("key"))
    return text.identifier(first((protocol,) if key is None else (key, protocol), _OWN_IDS))


def _is(protocol: Fields, words: tuple[object, ...]) -> bool:
    kind = protocol.get("type")
    return not isinstance(kind, bool) and kind in words


def _edited_text(protocol: Fields) -> str | None:
    if not _is(protocol, _EDIT):
        return None
    return _written(first((protocol,), (*_EDITED_KEYS, *_NEW_TEXTS)))


def _new_text(envelope: Envelope) -> str | None:
    """The new text, from what is made for it before what may hold any text."""
    for keys in (_NEW_TEXTS, _EDITED_KEYS, ("text", "body", "message", "caption")):
        for place in envelope.everywhere:
            written = _written(first((place,), keys))
            if written is not None:
                return written
    return None


def _written(value: object) -> str | None:
    """What a text, a message of ours or one of protobuf's says."""
    fields = json_document.mapping(value)
    if fields is None:
        return text.content(value)
    inner = json_document.mapping(fields.get("message")) or fields
    return text.content(first((inner,), ("text", "body", "caption"))) or text.content(proto.text(inner))


def _reaction(envelope: Envelope) -> tuple[str | None, str | None]:
    """The id of the message that is reacted to, and the emoji; '' takes a reaction back."""
    fields = _inside(envelope, _REACTION_KEYS, REACTIONS)
    places = envelope.places if fields is None else (fields,)
    target = first(envelope.places, _TARGETS)
    if fields is not None:
        key = json_document.mapping(fields.get("key"))
        target = first((fields,) if key is None else (key, fields), (*_TARGETS, *_OWN_IDS)) or target
    for place in places:
        for name in _EMOJI:
            emoji = place.get(name)
            # Beside the event, an empty `text` is what SAK sends for all that is no text: it takes nothing back.
            if isinstance(emoji, str) and (emoji or fields is not None or name != "text"):
                return text.identifier(target), text.clean(emoji, _MAX_EMOJI) if len(emoji) <= _MAX_EMOJI else None
    return text.identifier(target), None
