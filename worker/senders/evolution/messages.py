"""Parses Evolution's events about messages: Baileys' messages with some fields moved."""

from functools import partial

from store.model import addresses
from store.model.facts import Ack, Edit, Fact
from worker.senders import events
from worker.senders.events import GatewayEvent
from worker.senders.reasons import NoFactsError, Reason
from worker.senders.whatsapp import (
    json_document,
    message_content,
    message_facts,
    message_ids,
    parties,
    proto_messages,
    statuses,
    text,
    timestamps,
    update_content,
)
from worker.senders.whatsapp.json_document import JsonObject
from worker.senders.whatsapp.message_content import MessageContent
from worker.senders.whatsapp.update_content import UpdateContent


def read(event: GatewayEvent) -> tuple[Fact, ...]:
    """Read `messages.upsert` (incoming, or from the owner's other devices) and `send.message` (sent by the API)."""
    return events.read_each(event.items, partial(_message, is_history=False))


def read_history(event: GatewayEvent) -> tuple[Fact, ...]:
    """Read `messages.set` and messages from a backfill, which are of the past."""
    items = json_document.objects(event.data.get("messages")) or event.items
    return events.read_each(items, partial(_message, is_history=True))


def read_update(event: GatewayEvent) -> tuple[Fact, ...]:
    """Read `messages.update`: an ack, which has no time, or the votes of a poll."""
    return events.read_each(event.items, _update)


def read_edit(event: GatewayEvent) -> tuple[Fact, ...]:
    """Read `messages.edited`, which comes for every protocol message and contains neither the chat nor the editor.

    The key is from the editor's point of view: the session's own number in it means that the contact edited a message.
    """
    protocol = event.data
    update = update_content.read_protocol(protocol)
    if update.action != "edit":
        # A delete comes as an event of its own, with the chat.
        raise NoFactsError(Reason.PROTOCOL_MESSAGE)
    key = json_document.object_at(protocol, "key")
    time = timestamps.parse(protocol.get("timestampMs"))
    named, own = addresses.parse(key.get("remoteJid")), addresses.parse(event.envelope.get("sender"))
    if named is not None and named == own:
        return (Edit(update.target_id, None, "incoming", None, update.text, time),)
    if named is None or addresses.is_lid(named):
        # A LID may belong to the session's owner or to the contact.
        return (Edit(update.target_id, None, None, None, update.text, time),)
    is_direct = addresses.is_individual(named)
    return (Edit(update.target_id, named, "outgoing" if is_direct else None, None, update.text, time),)


def read_delete(event: GatewayEvent) -> tuple[Fact, ...]:
    """Read `messages.delete`, which has no time.

    If the contact deleted the message, the event is the key itself. If the API did, the event contains the key.
    """
    return events.read_each(event.items, _delete)


def _message(item: JsonObject, *, is_history: bool) -> tuple[Fact, ...]:
    key = json_document.object_at(item, "key")
    time = timestamps.parse(item.get("messageTimestamp"))
    sides = parties.of_key(key, item.get("pushName"), time)
    message_id = message_ids.of_key(key)
    content = _content(item, message_id)
    # Messages of the past have numbers, which start at 0 as in Baileys.
    status = statuses.parse(item.get("status"), statuses.FIRST_OF_BAILEYS_SCALE)
    return message_facts.of(content, sides, message_id=message_id, time=time, status=status, is_history=is_history)


def _content(item: JsonObject, message_id: str | None) -> MessageContent | UpdateContent:
    content = proto_messages.read_record(item, message_id)
    message = json_document.object_at(item, "message")
    if isinstance(content, UpdateContent) or not message:
        return content
    content = proto_messages.with_file(content, link=message.get("mediaUrl"), mime_type=None, name=None)
    context = json_document.object_at(item, "contextInfo")
    return content._replace(
        reply_to=proto_messages.reply_to(context) or content.reply_to,
        forwarded=message_content.forwarding(context) or content.forwarded,
    )


def _update(item: JsonObject) -> tuple[Fact, ...]:
    if item.get("pollUpdates"):
        raise NoFactsError(Reason.POLL_VOTE)
    key = json_document.as_object(item.get("key")) or item
    message_id = message_ids.require(text.identifier(item.get("keyId")) or message_ids.of_key(key))
    status = statuses.require(item.get("status"), first=statuses.FIRST_OF_BAILEYS_SCALE)
    if key.get("fromMe") is False:
        raise NoFactsError(Reason.OWN_RECEIPT)
    return (Ack(message_id, status, addresses.parse(key.get("remoteJid")), None),)


def _delete(item: JsonObject) -> tuple[Fact, ...]:
    key = json_document.as_object(item.get("key")) or item
    update = update_content.delete(message_ids.of_key(key))
    return message_facts.of_update(update, parties.of_key(key, None, None), None)
