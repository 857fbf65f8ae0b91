"""Parses WAHA's events about messages.

An id is WhatsApp Web's long form, `false_919811000001@c.us_3EB0…`. It contains the direction and the chat, which `from`
does not in outgoing messages from the engine WEBJS.
"""

from store.model import addresses
from store.model.facts import Ack, Fact
from worker.senders.events import GatewayEvent
from worker.senders.reasons import NoFactsError, Reason
from worker.senders.waha import content
from worker.senders.whatsapp import (
    json_document,
    message_facts,
    message_ids,
    parties,
    proto_messages,
    statuses,
    text,
    update_content,
)
from worker.senders.whatsapp.json_document import JsonObject
from worker.senders.whatsapp.parties import Parties
from worker.senders.whatsapp.update_content import UpdateContent


def read(event: GatewayEvent) -> tuple[Fact, ...]:
    """Read `message` and `message.any`. The same message comes as both."""
    return _read(event, is_history=False)


def read_history(event: GatewayEvent) -> tuple[Fact, ...]:
    """Read a message that a backfill read from WAHA's store."""
    return _read(event, is_history=True)


def _read(event: GatewayEvent, *, is_history: bool) -> tuple[Fact, ...]:
    payload = event.data
    time = event.time_of(payload)
    sides = _parties(payload, time)
    return message_facts.of(
        content.read(payload),
        sides,
        message_id=message_ids.bare(payload.get("id")),
        time=time,
        status=statuses.parse(payload.get("ackName")) or statuses.parse(payload.get("ack")),
        is_history=is_history,
    )


def read_waiting(event: GatewayEvent) -> tuple[Fact, ...]:
    """Read `message.waiting`: a message that could not be decrypted yet."""
    payload = event.data
    time = event.time_of(payload)
    return message_facts.of(
        proto_messages.UNDECRYPTED,
        _parties(payload, time),
        message_id=message_ids.bare(payload.get("id")),
        time=time,
    )


def read_reaction(event: GatewayEvent) -> tuple[Fact, ...]:
    """Read `message.reaction`. An empty reaction removes the earlier one."""
    payload = event.data
    reaction = json_document.object_at(payload, "reaction")
    target = message_ids.bare(reaction.get("messageId"))
    time = event.time_of(payload)
    update = update_content.react(target, reaction.get("text"))
    return message_facts.of_update(update, _parties(payload, time), time)


def read_edit(event: GatewayEvent) -> tuple[Fact, ...]:
    """Read `message.edited`. Its `id` belongs to the edit."""
    payload = event.data
    target, new_text = message_ids.bare(payload.get("editedMessageId")), text.message_text(payload.get("body"))
    if new_text is None and payload.get("hasMedia") is True:
        # The caption was removed.
        new_text = ""
    if target is None or new_text is None:
        raise NoFactsError(Reason.EDIT_WITHOUT_TARGET if target is None else Reason.EDIT_WITHOUT_TEXT)
    time = event.time_of(payload)
    return message_facts.of_update(UpdateContent("edit", target, new_text), _parties(payload, time), time)


def read_delete(event: GatewayEvent) -> tuple[Fact, ...]:
    """Read `message.revoked`. Its `after` is the notice or, in older versions, the message itself."""
    payload = event.data
    after, before = (json_document.object_at(payload, key) for key in ("after", "before"))
    notice = after or before
    target = message_ids.bare(payload.get("revokedMessageId") or before.get("id") or after.get("id"))
    time = event.time_of(notice)
    return message_facts.of_update(update_content.delete(target), _parties(notice, time), time)


def read_ack(event: GatewayEvent) -> tuple[Fact, ...]:
    """Read `message.ack` and `message.ack.group`, which have no time of their own."""
    payload = event.data
    message_id = message_ids.require(message_ids.bare(payload.get("id")))
    status = statuses.require(payload.get("ackName"), payload.get("ack"))
    serialized = message_ids.parse_serialized(payload.get("id"))
    if not (payload.get("fromMe", True) if serialized is None else serialized.is_from_me):
        raise NoFactsError(Reason.OWN_RECEIPT)
    chat = None if serialized is None else addresses.parse(serialized.chat)
    return (Ack(message_id, status, chat, event.time),)


def _parties(payload: JsonObject, time: int | None) -> Parties:
    engine = json_document.object_at(payload, "_data")
    info, key = (json_document.object_at(engine, name) for name in ("Info", "key"))
    serialized = message_ids.parse_serialized(payload.get("id"))
    is_ours = payload.get("fromMe") is True if serialized is None else serialized.is_from_me
    return parties.find(
        payload.get("to" if is_ours and payload.get("to") else "from") if serialized is None else serialized.chat,
        is_ours=is_ours,
        sender=payload.get("participant") or (serialized and serialized.sender),
        chat_aliases=(key.get("remoteJidAlt"), info.get("RecipientAlt" if is_ours else "SenderAlt")),
        sender_aliases=(key.get("participantAlt"), info.get("SenderAlt")),
        push_name=engine.get("pushName") or info.get("PushName") or engine.get("notifyName"),
        time=time,
    )
