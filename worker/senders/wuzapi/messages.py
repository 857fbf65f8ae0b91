"""Parses wuzapi's events about messages: whatsmeow's `Info` and the protobuf message, in the spelling of Go."""

from typing import Final

from store.model import addresses
from store.model.facts import Ack, Fact, Status
from worker.senders import events
from worker.senders.events import GatewayEvent
from worker.senders.reasons import NoFactsError, Reason
from worker.senders.whatsapp import (
    json_document,
    message_facts,
    message_ids,
    parties,
    proto_messages,
    statuses,
    text,
    timestamps,
)
from worker.senders.whatsapp.json_document import JsonObject
from worker.senders.whatsapp.message_content import MessageContent

_STATUS_BY_STATE: Final[dict[str, Status]] = {"Delivered": "delivered", "Read": "read", "Played": "played"}


def read(event: GatewayEvent) -> tuple[Fact, ...]:
    """Read `Message`: an incoming message, or one of the owner from another device.

    The API's messages cause no event.
    """
    info, time = _info(event)
    message = json_document.object_at(event.data, "Message")
    content = proto_messages.read(message)
    if isinstance(content, MessageContent):
        file = json_document.object_at(event.envelope, "s3")
        content = proto_messages.with_file(
            content,
            link=file.get("url"),
            mime_type=event.envelope.get("mimeType") or file.get("mimeType"),
            name=content.file_name or event.envelope.get("fileName") or file.get("fileName"),
        )
    return message_facts.of(content, parties.of_info(info, time), message_id=text.identifier(info.get("ID")), time=time)


def read_undecrypted(event: GatewayEvent) -> tuple[Fact, ...]:
    """Read `UndecryptableMessage`."""
    info, time = _info(event)
    message_id = text.identifier(info.get("ID"))
    return message_facts.of(proto_messages.UNDECRYPTED, parties.of_info(info, time), message_id=message_id, time=time)


def read_receipt(event: GatewayEvent) -> tuple[Fact, ...]:
    """Read `ReadReceipt` for one or many messages. `state` is beside the event."""
    state = text.label(event.envelope.get("state"))
    if state == "ReadSelf" or event.data.get("IsFromMe") is True:
        raise NoFactsError(Reason.OWN_RECEIPT)
    status = statuses.translate(state, _STATUS_BY_STATE)
    chat, time = addresses.parse(event.data.get("Chat")), timestamps.parse(event.data.get("Timestamp"))
    ids = message_ids.listed(event.data.get("MessageIDs"))
    found = tuple(Ack(message_id, status, chat, time) for message_id in ids)
    if not found:
        raise NoFactsError(Reason.NO_MESSAGE_ID)
    return found


def read_history(event: GatewayEvent) -> tuple[Fact, ...]:
    """Read `HistorySync`: messages of the past, as the phone sends them when it is linked."""
    data = json_document.object_at(event.data, "Data")
    # A message whose key has no chat belongs to the conversation's chat.
    items = [
        {"chat": conversation.get("ID"), **(json_document.object_at(item, "message"))}
        for conversation in json_document.objects(data.get("conversations"))
        for item in json_document.objects(conversation.get("messages"))
    ]
    if not items:
        raise NoFactsError(Reason.DEVICE_HOUSEKEEPING)
    return events.read_each(items, _past_message)


def _past_message(item: JsonObject) -> tuple[Fact, ...]:
    key = json_document.object_at(item, "key")
    message_id, time = message_ids.of_key(key), timestamps.parse(item.get("messageTimestamp"))
    sides = parties.find(
        key.get("remoteJID") or item.get("chat"),
        is_ours=key.get("fromMe") is True,
        sender=key.get("participant") or item.get("participant"),
        push_name=item.get("pushName"),
        time=time,
    )
    return message_facts.of(
        proto_messages.read_record(item, message_id),
        sides,
        message_id=message_id,
        time=time,
        status=statuses.parse(item.get("status"), statuses.FIRST_OF_BAILEYS_SCALE),
        is_history=True,
    )


def _info(event: GatewayEvent) -> tuple[JsonObject, int | None]:
    info = json_document.object_at(event.data, "Info")
    return info, timestamps.parse(info.get("Timestamp"))
