"""Writes one conversation in the dialect of each kind of sender, as far as a gateway of that kind reports it."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlencode

from tests.support.senders.chat_actions import OURS, Said, edit, jid, key, protobuf

BUSINESS: Final = "105000000000072"
SAK_SESSION: Final = "11111111-2222-4333-8444-555555555555"
_OPENWA_SESSION: Final = "185ad6dc-6ba1-47a4-ab8f-309d8842f125"


def sak(said: Said) -> dict[str, Any] | None:
    """Return the body of SAK, which does not report own messages, acknowledgements, edits and deletions."""
    if said.ours or said.what not in ("text", "image", "reaction"):
        return None
    told: dict[str, Any] = {"sessionId": SAK_SESSION, "from": jid(said.chat), "messageId": said.id}
    told |= {"timestamp": said.at} | ({"participant": jid(said.author)} if said.is_group else {})
    if said.what == "reaction":
        return {"event": "message.reaction", **told, "reaction": {"text": said.text, "key": {"id": said.target}}}
    content = {"type": "conversation", "text": said.text}
    if said.what == "image":
        content = {"type": "imageMessage", "caption": said.text}
    return {"event": "message.received", **told, **content}


def waha(said: Said) -> dict[str, Any]:
    """Return the body of WAHA with the engine NOWEB. An acknowledgement has the time of the envelope."""
    chat = jid(said.chat, "c.us")

    def serialized(message_id: str, *, ours: bool = said.ours) -> str:
        parts = [str(ours).lower(), chat, message_id, *([jid(said.author, "c.us")] if said.is_group else [])]
        return "_".join(parts)

    told: dict[str, Any] = {"id": serialized(said.id), "timestamp": said.at, "from": chat, "fromMe": said.ours}
    told |= {"participant": jid(said.author, "c.us")} if said.is_group else {}
    match said.what:
        case "text" | "image":
            event = "message.any"
            told |= {"body": said.text, "hasMedia": said.what == "image", "_data": {"message": protobuf(said)}}
        case "reaction":
            event = "message.reaction"
            told["reaction"] = {"text": said.text, "messageId": serialized(said.target)}
        case "edit":
            event = "message.edited"
            told |= {"editedMessageId": said.target, "body": said.text, "hasMedia": said.is_caption}
        case "delete":
            event, told = "message.revoked", {"after": told, "before": None, "revokedMessageId": said.target}
        case "ack":
            event = "message.ack"
            told = {"id": serialized(said.target, ours=True), "fromMe": True, "ackName": _ACKS[said.text]}
    return {"id": f"evt_{said.id}", "timestamp": said.at * 1000, "event": event, "session": "default", "payload": told}


_ACKS: Final = {"sent": "SERVER", "delivered": "DEVICE", "read": "READ"}


def openwa(said: Said) -> dict[str, Any]:
    """Return the body of OpenWA. A reaction names only its author, and has the time of the envelope."""
    chat, author = jid(said.chat, "c.us"), jid(said.author, "c.us")
    told: dict[str, Any] = {"id": said.id, "chatId": chat, "timestamp": said.at, "fromMe": said.ours, "from": author}
    told |= {"to": chat if said.ours else jid(OURS, "c.us"), "isGroup": said.is_group}
    told |= {"author": author} if said.is_group else {}
    match said.what:
        case "text" | "image":
            event = "message.sent" if said.ours else "message.received"
            told |= {"type": said.what, "body": said.text}
        case "reaction":
            event = "message.reaction"
            told = {"messageId": said.target, "chatId": chat, "reaction": said.text, "senderId": author}
        case "edit":
            event = "message.edited"
            told |= {"messageId": said.target, "body": said.text, "type": "image" if said.is_caption else "text"}
        case "delete":
            event = "message.revoked"
            told |= {"id": said.target, "revokedId": said.target, "type": "revoked", "body": ""}
        case "ack":
            event, told = "message.ack", {"messageId": said.target, "status": said.text, "chatId": chat}
    return {"event": event, "timestamp": said.iso, "sessionId": _OPENWA_SESSION, "deliveryId": said.id, "data": told}


def gowa(said: Said) -> dict[str, Any] | None:
    """Return the body of GOWA, which does not report the text of an edited caption."""
    told: dict[str, Any] = {"id": said.id, "chat_id": jid(said.chat), "from": jid(said.author)}
    told |= {"is_from_me": said.ours, "timestamp": said.iso}
    match said.what:
        case "text":
            event = "message"
            told["body"] = said.text
        case "image":
            event = "message"
            told["image"] = {"path": "statics/media/1.jpe", "caption": said.text}
        case "reaction":
            event = "message.reaction"
            told |= {"reaction": said.text, "reacted_message_id": said.target}
        case "edit":
            if said.is_caption:
                return None
            event = "message.edited"
            told |= {"body": said.text, "original_message_id": said.target}
        case "delete":
            event = "message.revoked"
            told |= {"revoked_message_id": said.target, "revoked_from_me": True}
        case "ack":
            if said.text == "sent":
                return None
            event = "message.ack"
            told |= {"ids": [said.target], "receipt_type": said.text}
    return {"device_id": jid(OURS), "event": event, "payload": told}


def evolution(said: Said) -> dict[str, Any]:
    """Return the body of Evolution. An edit has the key from its author's perspective. Some events have no time."""
    own_key = key(said, said.id)
    match said.what:
        case "edit":
            event = "messages.edited"
            told = {**edit(said, key(said, said.target)), "timestampMs": said.at * 1000}
            if not said.is_group and not said.ours:
                told["key"] = {"remoteJid": jid(OURS), "fromMe": True, "id": said.target}
        case "delete":
            event, told = "messages.delete", key(said, said.target)
        case "ack":
            status = {"sent": "SERVER_ACK", "delivered": "DELIVERY_ACK", "read": "READ"}[said.text]
            told = {"keyId": said.target, "remoteJid": jid(said.chat), "fromMe": True, "status": status}
            event = "messages.update"
        case _:
            event = "send.message" if said.ours else "messages.upsert"
            told = {"key": own_key, "message": protobuf(said), "messageTimestamp": said.at}
    envelope = {"event": event, "instance": "shop", "data": told, "sender": jid(OURS)}
    return {**envelope, "date_time": f"{said.id} {said.iso}"}


def wuzapi(said: Said) -> dict[str, Any] | None:
    """Return the body of wuzapi, which reports only receipts of delivery to a device and of reading."""
    if said.what == "ack":
        if said.text == "sent":
            return None
        receipt = {"Chat": jid(said.chat), "MessageIDs": [said.target], "Timestamp": said.iso, "IsFromMe": False}
        return {"type": "ReadReceipt", "state": said.text.title(), "event": receipt, "instanceName": "shop"}
    info = {"Chat": jid(said.chat), "Sender": jid(said.author), "IsFromMe": said.ours, "IsGroup": said.is_group}
    info |= {"ID": said.id, "Timestamp": said.iso}
    event = {"Info": info, "Message": protobuf(said, spelled_by_go=True)}
    return {"type": "Message", "event": event, "instanceName": "shop"}


def meta(said: Said) -> dict[str, Any]:
    """Return the body of Meta, which has ids of its own. Own messages are those of the Business app."""
    item: dict[str, Any] = {"id": id_of("meta", said.id), "timestamp": str(said.at)}
    item |= {"from": said.author} | ({"to": said.chat} if said.ours and not said.is_group else {})
    item |= {"group_id": said.chat} if said.is_group else {}
    target = id_of("meta", said.target)
    field, name = ("smb_message_echoes", "message_echoes") if said.ours else ("messages", "messages")
    match said.what:
        case "text":
            item |= {"type": "text", "text": {"body": said.text}}
        case "image":
            item |= {"type": "image", "image": {"id": "1", "mime_type": "image/jpeg", "caption": said.text}}
        case "reaction":
            item |= {"type": "reaction", "reaction": {"message_id": target, "emoji": said.text}}
        case "edit":
            new: dict[str, object] = {"type": "text", "text": {"body": said.text}}
            if said.is_caption:
                new = {"type": "image", "image": {"id": "1", **({"caption": said.text} if said.text else {})}}
            item |= {"type": "edit", "edit": {"original_message_id": target, "message": new}}
        case "delete":
            item |= {"type": "revoke", "revoke": {"original_message_id": target}}
        case "ack":
            field, name = "messages", "statuses"
            item |= {"id": target, "status": said.text, "recipient_id": said.chat}
            item |= {"recipient_type": "group"} if said.is_group else {}
    value = {"metadata": {"display_phone_number": OURS, "phone_number_id": BUSINESS}, name: [item]}
    entry = {"id": "104000000000071", "changes": [{"field": field, "value": value}]}
    return {"object": "whatsapp_business_account", "entry": [entry]}


TELLERS: Final[Mapping[str, Callable[[Said], dict[str, Any] | None]]] = {
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


def tell(kind: str, said: Said) -> bytes | None:
    """Return the body that a gateway of this kind posts, or None if it does not report this."""
    told = TELLERS[kind](said)
    if told is None:
        return None
    if kind == "wuzapi":
        return urlencode({"instanceName": told.pop("instanceName"), "jsonData": json.dumps(told)}).encode()
    return json.dumps(told).encode()


def sender(kind: str) -> str:
    """Return the sender of these bodies as batches name it."""
    return "" if kind == "sak" else f"{kind}:{kind}-shop"
