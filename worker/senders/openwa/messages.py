"""Parses the events of OpenWA about messages."""

from typing import NamedTuple

from store.model import addresses
from store.model.facts import Ack, Delete, Direction, DisplayName, Edit, Fact, LidAlias, Message, Reaction, Status
from worker.senders.events import Event
from worker.senders.reasons import Reason, UnreadableEventError
from worker.senders.whatsapp import (
    display_names,
    json_document,
    locations,
    message_content,
    message_ids,
    message_updates,
    statuses,
    text,
    timestamps,
    words,
)
from worker.senders.whatsapp.json_document import JsonObject
from worker.senders.whatsapp.message_types import MEDIA_TYPES


class _Sides(NamedTuple):
    chat: str
    direction: Direction
    sender: str | None
    """In a group: the sender of an incoming message."""


def read_received(event: Event) -> tuple[Fact, ...]:
    """`message.received`: a message of the other side, or of the owner's other devices if it is flagged so."""
    return _read(event, is_sent=False)


def read_sent(event: Event) -> tuple[Fact, ...]:
    """`message.sent`: a message of the session's owner."""
    return _read(event, is_sent=True)


def read_reaction(event: Event) -> tuple[Fact, ...]:
    """`message.reaction`, which names the chat and the reactor, and has no time of its own."""
    update = message_updates.react(message_ids.bare(event.data.get("messageId")), event.data.get("reaction"))
    chat = _chat(event.data.get("chatId"))
    reactor = addresses.parse(event.data.get("senderId"))
    # Without a flag, the reactor is we if it is another person than the chat's; a LID and a phone may be the same.
    is_other = reactor is not None and addresses.is_person(chat) and addresses.is_lid(chat) == addresses.is_lid(reactor)
    direction: Direction = "outgoing" if is_other and reactor != chat else "incoming"
    sender = None if addresses.is_individual(chat) else reactor
    return (Reaction(update.target_id, chat, direction, sender, update.content, event.time),)


def read_edit(event: Event) -> tuple[Fact, ...]:
    """`message.edited`: the new text or caption."""
    target, new_text = message_ids.bare(event.data.get("messageId")), text.message_text(event.data.get("body"))
    if target is None:
        raise UnreadableEventError(Reason.NO_MESSAGE_ID)
    if new_text is None:
        raise UnreadableEventError(Reason.EDIT_WITHOUT_TEXT)
    sides = _sides(event.data, is_sent=False)
    return (Edit(target, sides.chat, sides.direction, sides.sender, new_text, _time(event)),)


def read_delete(event: Event) -> tuple[Fact, ...]:
    """`message.revoked`; with one of OpenWA's engines, `id` is the notice's and `revokedId` the message's."""
    target = message_ids.bare(event.data.get("revokedId") or event.data.get("id"))
    if target is None:
        raise UnreadableEventError(Reason.NO_MESSAGE_ID)
    sides = _sides(event.data, is_sent=False)
    return (Delete(target, sides.chat, sides.direction, sides.sender, _time(event)),)


def read_ack(event: Event) -> tuple[Fact, ...]:
    """`message.ack`, which has no time of its own and may name no chat."""
    status = statuses.parse(event.data.get("status")) or statuses.parse(event.data.get("ack"))
    if status is None:
        has_any = event.data.get("status") is not None or event.data.get("ack") is not None
        raise UnreadableEventError(Reason.UNKNOWN_STATUS if has_any else Reason.NO_STATUS)
    return _acks(event, status)


def read_failure(event: Event) -> tuple[Fact, ...]:
    """`message.failed`, which comes beside the ack."""
    return _acks(event, "failed")


def _acks(event: Event, status: Status) -> tuple[Fact, ...]:
    value = event.data.get("messageId") or event.data.get("id")
    message_id = message_ids.bare(value)
    if message_id is None:
        raise UnreadableEventError(Reason.NO_MESSAGE_ID)
    serialized = message_ids.parse_serialized(value)
    chat = addresses.parse(event.data.get("chatId") or (serialized and serialized.chat))
    return (Ack(message_id, status, chat, event.time),)


def _read(event: Event, *, is_sent: bool) -> tuple[Fact, ...]:
    data = event.data
    message_id = message_ids.bare(data.get("id"))
    if message_id is None:
        raise UnreadableEventError(Reason.NO_MESSAGE_ID)
    sides = _sides(data, is_sent=is_sent)
    time = _time(event)
    raw_type = text.label(data.get("type"))
    if raw_type == "revoked":
        # What is left of a message that was deleted.
        return (Delete(message_id, sides.chat, sides.direction, sides.sender, time),)
    kind = message_content.known_type(raw_type) or "unknown"
    media = json_document.as_object(data.get("media")) or {}
    is_media = kind in MEDIA_TYPES
    found = text.message_text(data.get("body")) if is_media else _words(data, raw_type)
    contact = json_document.as_object(data.get("contact")) or {}
    push_name = None if sides.direction == "outgoing" else text.name(contact.get("pushName"))
    quoted = json_document.as_object(data.get("quotedMessage")) or {}
    message = Message(
        address=sides.chat,
        direction=sides.direction,
        message_id=message_id,
        time=time,
        type=kind,
        raw_type=raw_type,
        # Small files come inside the event, and no file comes with a link.
        content_state=message_content.state(kind, raw_type, has_text=found is not None, has_media=False),
        text=None if is_media else found,
        caption=found if is_media else None,
        mime_type=text.label(media.get("mimetype")),
        file_name=text.label(media.get("filename"), text.MAX_NAME),
        reply_to=message_ids.bare(quoted.get("id")),
        sender=sides.sender,
        sender_name=None if sides.sender is None else push_name,
        # A message of our own is at least sent.
        status="sent" if sides.direction == "outgoing" else None,
    )
    return (message, *_evidence(data, contact, sides, time))


def _words(data: JsonObject, raw_type: str | None) -> str | None:
    if raw_type == "location":
        place = json_document.as_object(data.get("location")) or {}
        return locations.describe(place, ("description", "address"), ("latitude", "longitude"))
    body = text.message_text(data.get("body"))
    if raw_type == "contact":
        return words.collect("contactMessage", {"vcard": body}) or body
    return body


def _evidence(data: JsonObject, contact: JsonObject, sides: _Sides, time: int | None) -> list[Fact]:
    """What an incoming message says about its sender: the phone of a LID, and the names."""
    person = sides.sender or sides.chat
    if sides.direction == "outgoing" or not addresses.is_individual(person):
        return []
    evidence: list[Fact] = []
    phone = addresses.parse_phone(data.get("senderPhone"))
    if phone is not None and addresses.is_lid(person) and person.removesuffix("@lid") != phone:
        evidence.append(LidAlias(person, phone, time))
    if (push_name := text.name(contact.get("pushName"))) is not None and display_names.is_informative(
        push_name, person
    ):
        evidence.append(DisplayName(person, push_name, 1, time))
    # The name of a contact that is not in the address book is computed.
    if contact.get("isMyContact") is True and (name := text.name(contact.get("name"))) is not None:
        evidence += [DisplayName(person, name, 2, time)] if display_names.is_informative(name, person) else []
    return evidence


def _time(event: Event) -> int | None:
    return timestamps.parse(event.data.get("timestamp")) or event.time


def _sides(data: JsonObject, *, is_sent: bool) -> _Sides:
    from_me = data.get("fromMe")
    is_ours = from_me if isinstance(from_me, bool) else is_sent
    named = data.get("chatId") or data.get("to" if is_ours else "from")
    chat = _chat(named)
    sender = addresses.parse(data.get("from"))
    if not isinstance(from_me, bool) and addresses.is_person(chat) and sender is not None:
        # Without a flag, a message is ours if the other side is its recipient.
        is_ours = is_sent or (sender != chat and addresses.parse(data.get("to")) == chat)
    if is_ours or addresses.is_individual(chat):
        return _Sides(chat, "outgoing" if is_ours else "incoming", None)
    for key in ("author", "senderId", "from"):
        author = addresses.parse(data.get(key))
        if author is not None and author != chat and addresses.is_person(author):
            return _Sides(chat, "incoming", author)
    return _Sides(chat, "incoming", None)


def _chat(value: object) -> str:
    chat = addresses.parse(value)
    if chat is None:
        raise UnreadableEventError(Reason.BAD_ADDRESS if value else Reason.NO_ADDRESS)
    return chat
