"""Builds events that update a message, in several dialects: acks, edits, deletes and reactions."""

from dataclasses import replace
from typing import Final

from tests.support.generated_history import world
from tests.support.generated_history.dialects import EventDraft
from tests.support.generated_history.world import JsonFields

STATUSES: Final[tuple[str | int, ...]] = (
    *("delivered", "read", "SENT", "failed", "pending", "played"),
    *(-1, 0, 1, 2, 3, 4, "3"),
    *("SERVER_ACK", "DELIVERY_ACK", "READ_ACK", "ERROR", "PLAYED"),
)


def ack(drawn: EventDraft) -> JsonFields:
    status = STATUSES[drawn.detail % len(STATUSES)]
    chat: JsonFields = {"to": drawn.address} if drawn.detail & 0x20 else {}
    match drawn.dialect % 6:
        case 0:
            return drawn.envelope(
                "status.change", drawn.with_time({"messageId": drawn.message_id, "status": status, **chat})
            )
        case 1:
            data = drawn.with_time({"message": {"id": drawn.message_id}, "status": status, **chat})
            return drawn.envelope("message.status", {"data": data})
        case 2:
            key = drawn.baileys_key(drawn.message_id, ours=True)
            return drawn.envelope("message.ack", {"data": drawn.with_time({"key": key, "ack": status})})
        case 3:
            many = [drawn.message_id, f"ID{drawn.detail % 8}"]
            return drawn.envelope("message.read", {"data": drawn.with_time({"messageIds": many, **chat})})
        case 4:
            return drawn.envelope("message.status", drawn.with_time({"messageId": drawn.message_id, "status": status}))
        case _:
            return drawn.envelope(
                "status.change", {"data": drawn.with_time({"messageId": drawn.message_id, "ack": status})}
            )


def _actor_fields(drawn: EventDraft) -> JsonFields:
    """Return the field with the chat. It says who acts: `to` means us, `from` the other side."""
    if drawn.is_outgoing:
        return {"to": drawn.address}
    participant: JsonFields = (
        {"participant": world.spell_jid(drawn.participant)} if drawn.address == world.GROUP else {}
    )
    return {"from": drawn.address, **(participant if drawn.detail & 0x10 else {})}


def edit(drawn: EventDraft) -> JsonFields:
    text = f"edited {drawn.number}.{drawn.detail % 3}"
    match drawn.dialect % 4:
        case 0:
            return drawn.envelope(
                "message.edited",
                drawn.with_time({"messageId": drawn.message_id, "newText": text, **_actor_fields(drawn)}),
            )
        case 1:
            data = drawn.with_time({"messageId": drawn.message_id, "newText": text, **_actor_fields(drawn)})
            return drawn.envelope("message.edited", {"data": data})
        case 2:
            protocol = {
                "type": 14,
                "key": drawn.baileys_key(drawn.message_id, ours=drawn.is_outgoing),
                "editedMessage": {"text": text},
            }
            inner = _with_own_id(drawn, 100)
            return inner.flat({"type": "protocolMessage", "text": "", "protocolMessage": protocol})
        case _:
            protocol = {
                "type": "MESSAGE_EDIT",
                "key": drawn.baileys_key(drawn.message_id, ours=drawn.is_outgoing),
                "editedMessage": {"conversation": text},
            }
            return _with_own_id(drawn, 100).baileys({"editedMessage": {"message": {"protocolMessage": protocol}}})


def delete(drawn: EventDraft) -> JsonFields:
    match drawn.dialect % 4:
        case 0:
            return drawn.envelope(
                "message.revoked", drawn.with_time({"messageId": drawn.message_id, **_actor_fields(drawn)})
            )
        case 1:
            many = [drawn.message_id, f"ID{drawn.detail % 8}"]
            return drawn.envelope(
                "message.deleted", {"data": drawn.with_time({"messageIds": many, **_actor_fields(drawn)})}
            )
        case _:
            protocol = {
                "type": (0, "REVOKE")[drawn.dialect % 2],
                "key": drawn.baileys_key(drawn.message_id, ours=drawn.is_outgoing),
            }
            return _with_own_id(drawn, 200).flat({"type": "protocolMessage", "text": "", "protocolMessage": protocol})


def reaction(drawn: EventDraft) -> JsonFields:
    emoji = ("👍", "", "😂", "❤️", "")[drawn.detail % 5]
    by_us = bool(drawn.detail & 0x20)
    match drawn.dialect % 4:
        case 0:
            whose: JsonFields = {"to": drawn.address} if by_us else {"from": drawn.address}
            told = drawn.with_time({"messageId": drawn.message_id, "emoji": emoji, **whose})
            return drawn.envelope("message.reaction", told)
        case 1:
            whose = {"to": drawn.address} if by_us else {"from": drawn.address}
            reaction = {"text": emoji, "key": {"id": drawn.message_id}}
            return drawn.envelope("message.reaction", {"data": drawn.with_time({"reaction": reaction, **whose})})
        case _:
            reaction = {"text": emoji, "key": drawn.baileys_key(drawn.message_id, ours=drawn.is_outgoing)}
            return _with_own_id(drawn, 300).flat(
                {"type": "reactionMessage", "text": "", "reaction": reaction}, ours=by_us
            )


def _with_own_id(drawn: EventDraft, offset: int) -> EventDraft:
    """Return the event with the id of the message that contains the change."""
    return replace(drawn, message_id=f"ID{offset + drawn.detail}")
