"""Parses OpenWA's events about messages."""

from dataclasses import replace
from typing import Final

from store.model import addresses
from store.model.facts import Ack, Delete, DisplayName, Fact, Status
from worker.senders.events import GatewayEvent
from worker.senders.whatsapp import (
    display_names,
    json_document,
    locations,
    message_content,
    message_facts,
    message_ids,
    parties,
    statuses,
    text,
    update_content,
    words,
)
from worker.senders.whatsapp.json_document import JsonObject
from worker.senders.whatsapp.message_content import MessageContent
from worker.senders.whatsapp.message_types import MEDIA_TYPES
from worker.senders.whatsapp.parties import Parties
from worker.senders.whatsapp.update_content import UpdateContent

_CARD_END: Final = "END:VCARD"
"""The end of a card. Several contacts are sent as one text of several cards."""
_STATUS_CHAT: Final = "status@broadcast"


def read_received(event: GatewayEvent) -> tuple[Fact, ...]:
    """Read `message.received`: an incoming message or, if flagged, one that the owner sent from another device."""
    return _read(event, is_sent=False)


def read_sent(event: GatewayEvent) -> tuple[Fact, ...]:
    """Read `message.sent`: a message from the session's owner."""
    return _read(event, is_sent=True)


def read_status(event: GatewayEvent) -> tuple[Fact, ...]:
    """Read `status.received`, a status update of a contact."""
    data = {**event.data, "chatId": _STATUS_CHAT, "timestamp": event.data.get("postedAt")}
    return _read(event._replace(items=(data,)), is_sent=False)


def read_reaction(event: GatewayEvent) -> tuple[Fact, ...]:
    """Read `message.reaction`, which contains the chat and the person but has no time of its own."""
    update = update_content.react(message_ids.bare(event.data.get("messageId")), event.data.get("reaction"))
    return message_facts.of_update(update, _reactor(event), event.time)


def read_edit(event: GatewayEvent) -> tuple[Fact, ...]:
    """Read `message.edited`: the new text or caption."""
    target, new_text = message_ids.bare(event.data.get("messageId")), text.message_text(event.data.get("body"))
    if new_text is None and message_content.known_type(text.label(event.data.get("type"))) in MEDIA_TYPES:
        # The caption was removed.
        new_text = ""
    return _update(event, update_content.edit(target, new_text))


def read_delete(event: GatewayEvent) -> tuple[Fact, ...]:
    """Read `message.revoked`.

    With whatsapp-web.js as engine, `id` belongs to the notice and `revokedId` to the message.
    """
    target = message_ids.bare(event.data.get("revokedId") or event.data.get("id"))
    facts = _update(event, update_content.delete(target))
    if event.data.get("from") or _is_from_me(event.data) is not None:
        return facts
    # Only its author can delete a message for both sides.
    return tuple(replace(fact, direction=None) if isinstance(fact, Delete) else fact for fact in facts)


def read_ack(event: GatewayEvent) -> tuple[Fact, ...]:
    """Read `message.ack`, which has no time of its own and may lack the chat."""
    return _acks(event, statuses.require(event.data.get("status"), event.data.get("ack")))


def read_failure(event: GatewayEvent) -> tuple[Fact, ...]:
    """Read `message.failed`, which comes in addition to the ack and may contain the reason."""
    return _acks(event, "failed", text.reason(event.data.get("reason"), event.data.get("error")))


def _acks(event: GatewayEvent, status: Status, reason: str | None = None) -> tuple[Fact, ...]:
    value = event.data.get("messageId") or event.data.get("id")
    message_id = message_ids.require(message_ids.bare(value))
    serialized = message_ids.parse_serialized(value)
    chat = addresses.parse(event.data.get("chatId") or (serialized and serialized.chat))
    return (Ack(message_id, status, chat, event.time, reason),)


def _update(event: GatewayEvent, update: UpdateContent) -> tuple[Fact, ...]:
    time = event.time_of(event.data)
    return message_facts.of_update(update, _parties(event.data, time, is_sent=False), time)


def _read(event: GatewayEvent, *, is_sent: bool) -> tuple[Fact, ...]:
    time = event.time_of(event.data)
    message_id = message_ids.bare(event.data.get("id"))
    content: MessageContent | UpdateContent = _content(event.data)
    if content.raw_type == "revoked" and message_id is not None:
        # The remains of a message that was deleted.
        content = update_content.delete(message_id)
    return message_facts.of(content, _parties(event.data, time, is_sent=is_sent), message_id=message_id, time=time)


def _content(data: JsonObject) -> MessageContent:
    raw_type, body = text.label(data.get("type")), text.message_text(data.get("body"))
    media, quoted = (json_document.object_at(data, key) for key in ("media", "quotedMessage"))
    if raw_type == "location":
        place = json_document.object_at(data, "location")
        body = locations.describe(place, ("description", "address"), ("latitude", "longitude"))
    elif raw_type == "contact":
        body = words.of_vcards((body or "").split(_CARD_END)) or body
    # Small files are inside the event, and no file has a link.
    return message_content.of_words(
        raw_type,
        body,
        mime_type=text.label(media.get("mimetype")),
        file_name=text.label(media.get("filename"), text.MAX_NAME),
        reply_to=message_ids.bare(quoted.get("id")),
    )


def _parties(data: JsonObject, time: int | None, *, is_sent: bool) -> Parties:
    from_me = _is_from_me(data)
    is_ours = is_sent if from_me is None else from_me
    chat = parties.parse_chat(data.get("chatId") or data.get("to" if is_ours else "from"))
    sender = addresses.parse(data.get("from"))
    if from_me is None and addresses.is_person(chat) and sender is not None:
        # If there is no flag, a message to the contact is outgoing.
        is_ours = is_sent or (sender != chat and addresses.parse(data.get("to")) == chat)
    contact = json_document.object_at(data, "contact")
    phone = () if is_ours else (addresses.parse_phone(data.get("senderPhone")),)
    sides = parties.find(
        chat,
        is_ours=is_ours,
        sender=_author(data, chat),
        chat_aliases=phone,
        sender_aliases=phone,
        push_name=contact.get("pushName"),
        time=time,
    )
    return sides if is_ours else sides._replace(evidence=(*sides.evidence, *_saved_names(contact, sides, time)))


def _reactor(event: GatewayEvent) -> Parties:
    """Return the parties of a reaction.

    It has no flag: in a direct chat, it is outgoing if its author is not the contact.
    """
    chat, author = parties.parse_chat(event.data.get("chatId")), addresses.parse(event.data.get("senderId"))
    if author is None or author == chat or not addresses.is_person(chat):
        return parties.find(chat, is_ours=False, sender=author, push_name=None, time=event.time)
    # A LID and a phone may be the same person, so the reaction counts as incoming. Readers of the history recognise the
    # owner's by the author's address.
    is_other = addresses.is_lid(chat) == addresses.is_lid(author)
    return Parties(chat, "outgoing" if is_other else "incoming", None if is_other else author, None, ())


def _is_from_me(data: JsonObject) -> bool | None:
    """Return whether the owner wrote the message, by the flag or the long form of an id, or None if unknown."""
    from_me = data.get("fromMe")
    if isinstance(from_me, bool):
        return from_me
    serialized = message_ids.parse_serialized(data.get("revokedId") or data.get("id"))
    return None if serialized is None else serialized.is_from_me


def _author(data: JsonObject, chat: str) -> str | None:
    """Return the sender in a group. The group's own address may be in its place."""
    found = (addresses.parse(data.get(key)) for key in ("author", "senderId", "from"))
    return next((author for author in found if author and author != chat and addresses.is_person(author)), None)


def _saved_names(contact: JsonObject, sides: Parties, time: int | None) -> tuple[DisplayName, ...]:
    """Return the name in the address book. The names of other contacts are computed."""
    person, name = sides.sender or sides.chat, text.name(contact.get("name"))
    is_saved = contact.get("isMyContact") is True and addresses.is_individual(person)
    return display_names.evidence(name, person, 2, time) if is_saved else ()
