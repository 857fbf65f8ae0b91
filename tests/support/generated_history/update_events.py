"""What is said about a message apart from it, each kind in several dialects: acks, edits, deletes, reactions."""

from dataclasses import replace
from typing import Final

from tests.support.generated_history import world
from tests.support.generated_history.dialects import Drawn
from tests.support.generated_history.world import Fields

STATUSES: Final[tuple[str | int, ...]] = (
    *("delivered", "read", "SENT", "failed", "pending", "played"),
    *(-1, 0, 1, 2, 3, 4, "3"),
    *("SERVER_ACK", "DELIVERY_ACK", "READ_ACK", "ERROR", "PLAYED"),
)


def ack(drawn: Drawn) -> Fields:
    status = STATUSES[drawn.detail % len(STATUSES)]
    chat: Fields = {"to": drawn.address} if drawn.detail & 0x20 else {}
    match drawn.dialect % 6:
        case 0:
            return drawn.event("status.change", drawn.timed({"messageId": drawn.message_id, "status": status, **chat}))
        case 1:
            data = drawn.timed({"message": {"id": drawn.message_id}, "status": status, **chat})
            return drawn.event("message.status", {"data": data})
        case 2:
            key = drawn.key(drawn.message_id, ours=True)
            return drawn.event("message.ack", {"data": drawn.timed({"key": key, "ack": status})})
        case 3:
            many = [drawn.message_id, f"ID{drawn.detail % 8}"]
            return drawn.event("message.read", {"data": drawn.timed({"messageIds": many, **chat})})
        case 4:
            return drawn.event("message.status", drawn.timed({"messageId": drawn.message_id, "status": status}))
        case _:
            return drawn.event("status.change", {"data": drawn.timed({"messageId": drawn.message_id, "ack": status})})


def _whose(drawn: Drawn) -> Fields:
    """The chat in an event about a message, which tells who acts: `to` we, `from` the other side."""
    if drawn.ours:
        return {"to": drawn.address}
    participant: Fields = {"participant": world.jid(drawn.participant)} if drawn.address == world.GROUP else {}
    return {"from": drawn.address, **(participant if drawn.detail & 0x10 else {})}


def edit(drawn: Drawn) -> Fields:
    text = f"edited {drawn.number}.{drawn.detail % 3}"
    match drawn.dialect % 4:
        case 0:
            return drawn.event(
                "message.edited", drawn.timed({"messageId": drawn.message_id, "newText": text, **_whose(drawn)})
            )
        case 1:
            data = drawn.timed({"messageId": drawn.message_id, "newText": text, **_whose(drawn)})
            return drawn.event("message.edited", {"data": data})
        case 2:
            protocol = {
                "type": 14,
                "key": drawn.key(drawn.message_id, ours=drawn.ours),
                "editedMessage": {"text": text},
            }
            inner = _numbered(drawn, 100)
            return inner.flat({"type": "protocolMessage", "text": "", "protocolMessage": protocol})
        case _:
            protocol = {
                "type": "MESSAGE_EDIT",
                "key": drawn.key(drawn.message_id, ours=drawn.ours),
                "editedMessage": {"conversation": text},
            }
            return _numbered(drawn, 100).baileys({"editedMessage": {"message": {"protocolMessage": protocol}}})


def delete(drawn: Drawn) -> Fields:
    match drawn.dialect % 4:
        case 0:
            return drawn.event("message.revoked", drawn.timed({"messageId": drawn.message_id, **_whose(drawn)}))
        case 1:
            many = [drawn.message_id, f"ID{drawn.detail % 8}"]
            return drawn.event("message.deleted", {"data": drawn.timed({"messageIds": many, **_whose(drawn)})})
        case _:
            protocol = {"type": (0, "REVOKE")[drawn.dialect % 2], "key": drawn.key(drawn.message_id, ours=drawn.ours)}
            return _numbered(drawn, 200).flat({"type": "protocolMessage", "text": "", "protocolMessage": protocol})


def reaction(drawn: Drawn) -> Fields:
    emoji = ("👍", "", "😂", "❤️", "")[drawn.detail % 5]
    by_us = bool(drawn.detail & 0x20)
    match drawn.dialect % 4:
        case 0:
            whose: Fields = {"to": drawn.address} if by_us else {"from": drawn.address}
            told = drawn.timed({"messageId": drawn.message_id, "emoji": emoji, **whose})
            return drawn.event("message.reaction", told)
        case 1:
            whose = {"to": drawn.address} if by_us else {"from": drawn.address}
            reaction = {"text": emoji, "key": {"id": drawn.message_id}}
            return drawn.event("message.reaction", {"data": drawn.timed({"reaction": reaction, **whose})})
        case _:
            reaction = {"text": emoji, "key": drawn.key(drawn.message_id, ours=drawn.ours)}
            return _numbered(drawn, 300).flat({"type": "reactionMessage", "text": "", "reaction": reaction}, ours=by_us)


def _numbered(drawn: Drawn, offset: int) -> Drawn:
    """The same with the id of the message that carries a change."""
    return replace(drawn, message_id=f"ID{offset + drawn.detail}")
