"""Parses the events of GOWA about messages.

`from` is the sender also in our own messages, and `chat_id` the chat. Both are phones where GOWA knows them; the LID
stands beside.
"""

from typing import Final, NamedTuple

from store.model import addresses
from store.model.facts import (
    Ack,
    Delete,
    Direction,
    DisplayName,
    Edit,
    Fact,
    LidAlias,
    Message,
    Reaction,
    SessionReport,
)
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

_MAX_IDS = 1_000

_CONTENT: Final[dict[str, str]] = {
    **{name: name for name in ("image", "video", "document", "audio", "sticker", "location", "live_location", "list")},
    "video_note": "ptv",
    "order": "order",
    "contact": "contact",
    "contacts_array": "contacts",
}
"""The key of each content, and the word for its type. A text has `body` only."""
_OWN_RECEIPTS: Final = frozenset({"read-self", "played-self", "sender", "retry", "inactive"})
"""Receipts that say nothing about the recipient."""


class _Sides(NamedTuple):
    chat: str
    direction: Direction
    sender: str | None
    """In a group: the sender of an incoming message."""
    evidence: tuple[Fact, ...]


def read(event: Event) -> tuple[Fact, ...]:
    """`message`: of the other side, or of the owner's other devices."""
    data = event.data
    message_id = message_ids.bare(data.get("id"))
    if message_id is None:
        raise UnreadableEventError(Reason.NO_MESSAGE_ID)
    time = _time(event)
    sides = _sides(event, time)
    key = next((key for key in _CONTENT if data.get(key)), None)
    body = text.message_text(data.get("body"))
    # A poll and a vote have no content, and a file that could not be loaded may leave none.
    raw_type = _CONTENT[key] if key is not None else "text" if body is not None else None
    kind = message_content.known_type(raw_type) or "unknown"
    content = json_document.as_object(data.get(key)) if key is not None else None
    is_media = kind in MEDIA_TYPES
    if is_media:
        found = text.message_text((content or {}).get("caption")) or body
    else:
        found = body if key is None else _words(key, data.get(key)) or body
    message = Message(
        address=sides.chat,
        direction=sides.direction,
        message_id=message_id,
        time=time,
        type=kind,
        raw_type=raw_type,
        # A file is a path on GOWA's disk or a link to WhatsApp's encrypted one: neither opens in a browser.
        content_state=message_content.state(kind, raw_type, has_text=found is not None, has_media=False),
        text=None if is_media else found,
        caption=found if is_media else None,
        file_name=text.label((content or {}).get("filename"), text.MAX_NAME),
        reply_to=message_ids.bare(data.get("replied_to_id")),
        sender=sides.sender,
        sender_name=None if sides.sender is None else text.name(data.get("from_name")),
        # A message of our own is at least sent.
        status="sent" if sides.direction == "outgoing" else None,
    )
    return (message, *sides.evidence)


def read_reaction(event: Event) -> tuple[Fact, ...]:
    """`message.reaction`; an empty one withdraws the reaction."""
    update = message_updates.react(message_ids.bare(event.data.get("reacted_message_id")), event.data.get("reaction"))
    time = _time(event)
    sides = _sides(event, time)
    reaction = Reaction(update.target_id, sides.chat, sides.direction, sides.sender, update.content, time)
    return (reaction, *sides.evidence)


def read_edit(event: Event) -> tuple[Fact, ...]:
    """`message.edited`: the new text; of an edited caption GOWA does not tell the text."""
    target, new_text = (
        message_ids.bare(event.data.get("original_message_id")),
        text.message_text(event.data.get("body")),
    )
    if target is None or new_text is None:
        raise UnreadableEventError(Reason.EDIT_UNTOLD)
    time = _time(event)
    sides = _sides(event, time)
    return (Edit(target, sides.chat, sides.direction, sides.sender, new_text, time), *sides.evidence)


def read_delete(event: Event) -> tuple[Fact, ...]:
    """`message.revoked`, whose `revoked_chat` and `revoked_from_me` are as the deleter sees them."""
    target = message_ids.bare(event.data.get("revoked_message_id"))
    if target is None:
        raise UnreadableEventError(Reason.NO_MESSAGE_ID)
    time = _time(event)
    sides = _sides(event, time)
    return (Delete(target, sides.chat, sides.direction, sides.sender, time), *sides.evidence)


def read_ack(event: Event) -> tuple[Fact, ...]:
    """`message.ack`, of one or many messages."""
    receipt = text.label(event.data.get("receipt_type"))
    if receipt in _OWN_RECEIPTS:
        raise UnreadableEventError(Reason.OWN_RECEIPT)
    status = statuses.parse(receipt)
    if status is None:
        raise UnreadableEventError(Reason.NO_STATUS if receipt is None else Reason.UNKNOWN_STATUS)
    listed = json_document.as_list(event.data.get("ids")) or [event.data.get("id")]
    ids = dict.fromkeys(message_ids.bare(value) for value in listed[:_MAX_IDS])
    chat = addresses.parse(event.data.get("chat_id") or event.data.get("from"))
    time = _time(event)
    found = tuple(Ack(message_id, status, chat, time) for message_id in ids if message_id is not None)
    if not found:
        raise UnreadableEventError(Reason.NO_MESSAGE_ID)
    return (*found, *_own_number(event, time))


def _time(event: Event) -> int | None:
    return timestamps.parse(event.data.get("timestamp")) or event.time


def _words(key: str, content: object) -> str | None:
    fields = json_document.as_object(content) or {}
    match key:
        case "location" | "live_location":
            coordinates = ("degreesLatitude", "degreesLongitude")
            return locations.describe(fields, ("name", "address", "caption"), coordinates)
        case "contact":
            return words.collect("contactMessage", fields)
        case "contacts_array":
            return words.collect("contactsArrayMessage", {"contacts": content})
        case "list":
            return words.collect("listMessage", fields)
        case _:
            return words.collect("orderMessage", fields)


def _sides(event: Event, time: int | None) -> _Sides:
    data = event.data
    is_ours = data.get("is_from_me") is True
    sender = addresses.parse(data.get("from"))
    named = data.get("chat_id") or (None if is_ours else data.get("from"))
    chat = addresses.parse(named)
    if chat is None:
        raise UnreadableEventError(Reason.BAD_ADDRESS if named else Reason.NO_ADDRESS)
    if chat == event.session_id and not is_ours and sender is not None:
        # Some versions put our own number into `chat_id` of what others write to us.
        chat = sender
    own = _own_number(event, time)
    if is_ours:
        aliases = _aliases(data, (("chat_lid", chat),), time)
        return _Sides(chat, "outgoing", None, (*aliases, *own))
    is_direct = addresses.is_individual(chat)
    person = chat if is_direct else sender
    if person == chat and not is_direct:
        person = None
    known = (("chat_lid", chat), ("from_lid", sender)) if is_direct else (("from_lid", sender),)
    evidence: list[Fact] = [*_aliases(data, known, time)]
    name = text.name(data.get("from_name"))
    if person is not None and name is not None and display_names.is_informative(name, person):
        evidence.append(DisplayName(person, name, 1, time))
    return _Sides(chat, "incoming", None if is_direct else person, (*evidence, *own))


def _aliases(data: JsonObject, known: tuple[tuple[str, str | None], ...], time: int | None) -> list[LidAlias]:
    """Evidence that the LID under a key and a phone are the same person."""
    pairs = ((addresses.parse_lid(data.get(key)), phone) for key, phone in known)
    found = [
        LidAlias(lid, phone, time)
        for lid, phone in pairs
        if lid is not None and phone is not None and addresses.is_phone(phone) and lid.removesuffix("@lid") != phone
    ]
    return list(dict.fromkeys(found))


def _own_number(event: Event, time: int | None) -> tuple[SessionReport, ...]:
    """The session's own number, which names it."""
    return (SessionReport(None, event.session_id, time),) if addresses.parse_phone(event.session_id) else ()
