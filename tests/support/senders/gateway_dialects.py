"""Writes one conversation in the dialect of each kind of sender, as far as a gateway of that kind reports it."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlencode

from tests.support.senders.chat_actions import OURS, ChatAction, edit, jid, key, protobuf

BUSINESS: Final = "105000000000072"
SAK_SESSION: Final = "11111111-2222-4333-8444-555555555555"
_OPENWA_SESSION: Final = "185ad6dc-6ba1-47a4-ab8f-309d8842f125"


def sak(action: ChatAction) -> dict[str, Any] | None:
    """Return the body of SAK, which does not report own messages, acknowledgements, edits and deletions."""
    if action.ours or action.kind not in ("text", "image", "reaction"):
        return None
    fields: dict[str, Any] = {"sessionId": SAK_SESSION, "from": jid(action.chat), "messageId": action.id}
    fields |= {"timestamp": action.at} | ({"participant": jid(action.author)} if action.is_group else {})
    if action.kind == "reaction":
        return {"event": "message.reaction", **fields, "reaction": {"text": action.text, "key": {"id": action.target}}}
    content = {"type": "conversation", "text": action.text}
    if action.kind == "image":
        content = {"type": "imageMessage", "caption": action.text}
    return {"event": "message.received", **fields, **content}


def waha(action: ChatAction) -> dict[str, Any]:
    """Return the body of WAHA with the engine NOWEB. An acknowledgement has the time of the envelope."""
    chat = jid(action.chat, "c.us")

    def serialized(message_id: str, *, ours: bool = action.ours) -> str:
        parts = [str(ours).lower(), chat, message_id, *([jid(action.author, "c.us")] if action.is_group else [])]
        return "_".join(parts)

    fields: dict[str, Any] = {"id": serialized(action.id), "timestamp": action.at, "from": chat, "fromMe": action.ours}
    fields |= {"participant": jid(action.author, "c.us")} if action.is_group else {}
    match action.kind:
        case "text" | "image":
            event = "message.any"
            fields |= {"body": action.text, "hasMedia": action.kind == "image", "_data": {"message": protobuf(action)}}
        case "reaction":
            event = "message.reaction"
            fields["reaction"] = {"text": action.text, "messageId": serialized(action.target)}
        case "edit":
            event = "message.edited"
            fields |= {"editedMessageId": action.target, "body": action.text, "hasMedia": action.is_caption}
        case "delete":
            event, fields = "message.revoked", {"after": fields, "before": None, "revokedMessageId": action.target}
        case "ack":
            event = "message.ack"
            fields = {"id": serialized(action.target, ours=True), "fromMe": True, "ackName": _ACKS[action.text]}
    return {
        "id": f"evt_{action.id}",
        "timestamp": action.at * 1000,
        "event": event,
        "session": "default",
        "payload": fields,
    }


_ACKS: Final = {"sent": "SERVER", "delivered": "DEVICE", "read": "READ"}


def openwa(action: ChatAction) -> dict[str, Any]:
    """Return the body of OpenWA. A reaction names only its author, and has the time of the envelope."""
    chat, author = jid(action.chat, "c.us"), jid(action.author, "c.us")
    fields: dict[str, Any] = {
        "id": action.id,
        "chatId": chat,
        "timestamp": action.at,
        "fromMe": action.ours,
        "from": author,
    }
    fields |= {"to": chat if action.ours else jid(OURS, "c.us"), "isGroup": action.is_group}
    fields |= {"author": author} if action.is_group else {}
    match action.kind:
        case "text" | "image":
            event = "message.sent" if action.ours else "message.received"
            fields |= {"type": action.kind, "body": action.text}
        case "reaction":
            event = "message.reaction"
            fields = {"messageId": action.target, "chatId": chat, "reaction": action.text, "senderId": author}
        case "edit":
            event = "message.edited"
            fields |= {
                "messageId": action.target,
                "body": action.text,
                "type": "image" if action.is_caption else "text",
            }
        case "delete":
            event = "message.revoked"
            fields |= {"id": action.target, "revokedId": action.target, "type": "revoked", "body": ""}
        case "ack":
            event, fields = "message.ack", {"messageId": action.target, "status": action.text, "chatId": chat}
    return {
        "event": event,
        "timestamp": action.iso,
        "sessionId": _OPENWA_SESSION,
        "deliveryId": action.id,
        "data": fields,
    }


def gowa(action: ChatAction) -> dict[str, Any] | None:
    """Return the body of GOWA, which does not report the text of an edited caption."""
    fields: dict[str, Any] = {"id": action.id, "chat_id": jid(action.chat), "from": jid(action.author)}
    fields |= {"is_from_me": action.ours, "timestamp": action.iso}
    match action.kind:
        case "text":
            event = "message"
            fields["body"] = action.text
        case "image":
            event = "message"
            fields["image"] = {"path": "statics/media/1.jpe", "caption": action.text}
        case "reaction":
            event = "message.reaction"
            fields |= {"reaction": action.text, "reacted_message_id": action.target}
        case "edit":
            if action.is_caption:
                return None
            event = "message.edited"
            fields |= {"body": action.text, "original_message_id": action.target}
        case "delete":
            event = "message.revoked"
            fields |= {"revoked_message_id": action.target, "revoked_from_me": True}
        case "ack":
            if action.text == "sent":
                return None
            event = "message.ack"
            fields |= {"ids": [action.target], "receipt_type": action.text}
    return {"device_id": jid(OURS), "event": event, "payload": fields}


def evolution(action: ChatAction) -> dict[str, Any]:
    """Return the body of Evolution. An edit has the key from its author's perspective. Some events have no time."""
    own_key = key(action, action.id)
    match action.kind:
        case "edit":
            event = "messages.edited"
            fields = {**edit(action, key(action, action.target)), "timestampMs": action.at * 1000}
            if not action.is_group and not action.ours:
                fields["key"] = {"remoteJid": jid(OURS), "fromMe": True, "id": action.target}
        case "delete":
            event, fields = "messages.delete", key(action, action.target)
        case "ack":
            status = {"sent": "SERVER_ACK", "delivered": "DELIVERY_ACK", "read": "READ"}[action.text]
            fields = {"keyId": action.target, "remoteJid": jid(action.chat), "fromMe": True, "status": status}
            event = "messages.update"
        case _:
            event = "send.message" if action.ours else "messages.upsert"
            fields = {"key": own_key, "message": protobuf(action), "messageTimestamp": action.at}
    envelope = {"event": event, "instance": "shop", "data": fields, "sender": jid(OURS)}
    return {**envelope, "date_time": f"{action.id} {action.iso}"}


def wuzapi(action: ChatAction) -> dict[str, Any] | None:
    """Return the body of wuzapi, which reports only receipts of delivery to a device and of reading."""
    if action.kind == "ack":
        if action.text == "sent":
            return None
        receipt = {"Chat": jid(action.chat), "MessageIDs": [action.target], "Timestamp": action.iso, "IsFromMe": False}
        return {"type": "ReadReceipt", "state": action.text.title(), "event": receipt, "instanceName": "shop"}
    info = {"Chat": jid(action.chat), "Sender": jid(action.author), "IsFromMe": action.ours, "IsGroup": action.is_group}
    info |= {"ID": action.id, "Timestamp": action.iso}
    event = {"Info": info, "Message": protobuf(action, spelled_by_go=True)}
    return {"type": "Message", "event": event, "instanceName": "shop"}


def meta(action: ChatAction) -> dict[str, Any]:
    """Return the body of Meta, which has ids of its own. Own messages are those of the Business app."""
    item: dict[str, Any] = {"id": id_of("meta", action.id), "timestamp": str(action.at)}
    item |= {"from": action.author} | ({"to": action.chat} if action.ours and not action.is_group else {})
    item |= {"group_id": action.chat} if action.is_group else {}
    target = id_of("meta", action.target)
    field, name = ("smb_message_echoes", "message_echoes") if action.ours else ("messages", "messages")
    match action.kind:
        case "text":
            item |= {"type": "text", "text": {"body": action.text}}
        case "image":
            item |= {"type": "image", "image": {"id": "1", "mime_type": "image/jpeg", "caption": action.text}}
        case "reaction":
            item |= {"type": "reaction", "reaction": {"message_id": target, "emoji": action.text}}
        case "edit":
            new: dict[str, object] = {"type": "text", "text": {"body": action.text}}
            if action.is_caption:
                new = {"type": "image", "image": {"id": "1", **({"caption": action.text} if action.text else {})}}
            item |= {"type": "edit", "edit": {"original_message_id": target, "message": new}}
        case "delete":
            item |= {"type": "revoke", "revoke": {"original_message_id": target}}
        case "ack":
            field, name = "messages", "statuses"
            item |= {"id": target, "status": action.text, "recipient_id": action.chat}
            item |= {"recipient_type": "group"} if action.is_group else {}
    value = {"metadata": {"display_phone_number": OURS, "phone_number_id": BUSINESS}, name: [item]}
    entry = {"id": "104000000000071", "changes": [{"field": field, "value": value}]}
    return {"object": "whatsapp_business_account", "entry": [entry]}


ENCODERS: Final[Mapping[str, Callable[[ChatAction], dict[str, Any] | None]]] = {
    "sak": sak,
    "meta": meta,
    "waha": waha,
    "openwa": openwa,
    "gowa": gowa,
    "evolution": evolution,
    "wuzapi": wuzapi,
}
SESSIONS: Final[Mapping[str, str]] = {
    "sak": SAK_SESSION,
    "meta": f"meta-shop:{BUSINESS}",
    "waha": "waha-shop:default",
    "openwa": f"openwa-shop:{_OPENWA_SESSION}",
    "gowa": f"gowa-shop:{OURS}",
    "evolution": "evolution-shop:shop",
    "wuzapi": "wuzapi-shop:shop",
}
"""The session of the events of each kind, if the sender is called KIND-shop."""


def id_of(kind: str, message_id: str) -> str:
    """Return the id of a message in the reports of a gateway of this kind."""
    return f"wamid.{message_id}" if kind == "meta" else message_id


def encode(kind: str, action: ChatAction) -> bytes | None:
    """Return the body that a gateway of this kind posts, or None if it does not report this."""
    fields = ENCODERS[kind](action)
    if fields is None:
        return None
    if kind == "wuzapi":
        return urlencode({"instanceName": fields.pop("instanceName"), "jsonData": json.dumps(fields)}).encode()
    return json.dumps(fields).encode()


def sender(kind: str) -> str:
    """Return the sender of these bodies as batches name it."""
    return "" if kind == "sak" else f"{kind}:{kind}-shop"
