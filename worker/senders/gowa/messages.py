"""Parses GOWA's events about messages.

`from` is the sender, even if that is the session's owner, and `chat_id` is the chat. Both are phones if GOWA knows
them, and the LID is in a separate field.
"""

from typing import Final

from store.model import addresses
from store.model.facts import Ack, Fact, SessionReport
from worker.senders.events import GatewayEvent
from worker.senders.reasons import NoFactsError, Reason
from worker.senders.whatsapp import (
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
from worker.senders.whatsapp.message_content import MessageContent
from worker.senders.whatsapp.message_types import MEDIA_TYPES
from worker.senders.whatsapp.parties import Parties
from worker.senders.whatsapp.update_content import UpdateContent

_CONTENT: Final[dict[str, str]] = {
    **{name: name for name in ("image", "video", "document", "audio", "sticker", "location", "live_location", "list")},
    "video_note": "ptv",
    "order": "order",
    "contact": "contact",
    "contacts_array": "contacts",
}
"""The key of each content and the name of its type. A text has only `body`."""
_OWN_RECEIPTS: Final = frozenset({"read-self", "played-self", "sender", "retry", "inactive"})
"""Receipts that do not concern the recipient."""


def read(event: GatewayEvent) -> tuple[Fact, ...]:
    """Read `message`: an incoming message, or one that the session's owner sent from another device."""
    time = event.time_of(event.data)
    message_id = message_ids.bare(event.data.get("id"))
    message = message_facts.of(_content(event), _parties(event, time), message_id=message_id, time=time)
    return message + _own_number(event, time)


def read_reaction(event: GatewayEvent) -> tuple[Fact, ...]:
    """Read `message.reaction`. An empty reaction removes the earlier one."""
    target = message_ids.bare(event.data.get("reacted_message_id"))
    return _update(event, update_content.react(target, event.data.get("reaction")))


def read_edit(event: GatewayEvent) -> tuple[Fact, ...]:
    """Read `message.edited`: the new text. For an edited caption, GOWA reports no text."""
    target = message_ids.bare(event.data.get("original_message_id"))
    new_text = text.message_text(event.data.get("body"))
    if target is None or new_text is None:
        raise NoFactsError(Reason.EDIT_UNTOLD)
    return _update(event, UpdateContent("edit", target, new_text))


def read_delete(event: GatewayEvent) -> tuple[Fact, ...]:
    """Read `message.revoked`, in which `revoked_chat` and `revoked_from_me` are from the deleter's point of view."""
    return _update(event, update_content.delete(message_ids.bare(event.data.get("revoked_message_id"))))


def read_ack(event: GatewayEvent) -> tuple[Fact, ...]:
    """Read `message.ack` for one or many messages."""
    receipt = text.label(event.data.get("receipt_type"))
    if receipt in _OWN_RECEIPTS:
        raise NoFactsError(Reason.OWN_RECEIPT)
    status = statuses.require(receipt)
    ids = message_ids.listed(event.data.get("ids") or [event.data.get("id")])
    if not ids:
        raise NoFactsError(Reason.NO_MESSAGE_ID)
    chat = addresses.parse(event.data.get("chat_id") or event.data.get("from"))
    time = event.time_of(event.data)
    return (*(Ack(message_id, status, chat, time) for message_id in ids), *_own_number(event, time))


def _update(event: GatewayEvent, update: UpdateContent) -> tuple[Fact, ...]:
    time = event.time_of(event.data)
    return (*message_facts.of_update(update, _parties(event, time), time), *_own_number(event, time))


def _content(event: GatewayEvent) -> MessageContent:
    data = event.data
    key = next((key for key in _CONTENT if data.get(key)), None)
    body = text.message_text(data.get("body"))
    # A poll and a vote have no content, and neither may a file that could not be loaded.
    raw_type = _CONTENT[key] if key is not None else "text" if body is not None else None
    fields = json_document.object_at(data, key or "")
    if message_content.known_type(raw_type) in MEDIA_TYPES:
        found = text.message_text(fields.get("caption")) or body
    else:
        found = body if key is None else _words(key, data.get(key)) or body
    # A file is a path on GOWA's disk or a link to WhatsApp's encrypted file. Browsers can open neither.
    return message_content.of_words(
        raw_type,
        found,
        file_name=text.label(fields.get("filename"), text.MAX_NAME),
        reply_to=message_ids.bare(data.get("replied_to_id")),
    )._replace(forwarded=message_content.forwarding(data))


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


def _parties(event: GatewayEvent, time: int | None) -> Parties:
    data = event.data
    is_ours = data.get("is_from_me") is True
    sender = data.get("from")
    chat = data.get("chat_id") or (None if is_ours else sender)
    if not is_ours and addresses.parse(chat) == event.session_id and addresses.parse(sender) is not None:
        # Some versions put the session's own number into `chat_id` of incoming messages.
        chat = sender
    lids = [addresses.parse_lid(data.get(key)) for key in ("chat_lid", "from_lid")]
    return parties.find(
        chat,
        is_ours=is_ours,
        sender=sender,
        chat_aliases=lids[:1] if is_ours else lids,
        sender_aliases=lids[1:],
        push_name=data.get("from_name"),
        time=time,
    )


def _own_number(event: GatewayEvent, time: int | None) -> tuple[SessionReport, ...]:
    """Return a report of the session's own number, by which the session is named."""
    return (SessionReport(None, event.session_id, time),) if addresses.parse_phone(event.session_id) else ()
