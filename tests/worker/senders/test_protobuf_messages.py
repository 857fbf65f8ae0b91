"""Gateways that forward WhatsApp's protobuf messages give the same result for each of them, with any wrapper."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import pytest

from store.model.facts import Message, MessageType
from worker.senders import dispatch

Protobuf: TypeAlias = Mapping[str, Any]
CHAT, ID = "919811000011", "3A01"
JID = f"{CHAT}@s.whatsapp.net"


def vcard(name: str) -> str:
    return f"BEGIN:VCARD\nVERSION:3.0\nFN:{name}\nTEL;waid=919812000012:+91 98120 00012\nEND:VCARD"


def evolution(message: Protobuf) -> Protobuf:
    data = {"key": {"remoteJid": JID, "fromMe": False, "id": ID}, "message": message, "messageTimestamp": 1789000000}
    return {"event": "messages.upsert", "instance": "shop", "data": data}


def waha(message: Protobuf) -> Protobuf:
    payload = {"id": f"false_{JID}_{ID}", "timestamp": 1789000000, "from": JID, "fromMe": False}
    return {"event": "message.any", "session": "default", "payload": {**payload, "_data": {"message": message}}}


def wuzapi(message: Protobuf) -> Protobuf:
    info = {"Chat": JID, "Sender": JID, "IsFromMe": False, "ID": ID, "Timestamp": "2026-09-10T05:59:00Z"}
    return {"type": "Message", "instanceName": "shop", "event": {"Info": info, "Message": message}}


TELLERS: Final[tuple[Callable[[Protobuf], Protobuf], ...]] = (evolution, waha, wuzapi)
WRAPPERS: Final = (
    *("ephemeralMessage", "viewOnceMessage", "viewOnceMessageV2", "viewOnceMessageV2Extension"),
    *("deviceSentMessage", "groupMentionedMessage", "associatedChildMessage", "botForwardedMessage"),
)
MESSAGES: Final[Mapping[str, tuple[Protobuf, MessageType, str]]] = {
    "text": ({"conversation": "Hi"}, "text", "Hi"),
    "reply": ({"extendedTextMessage": {"text": "Yes", "contextInfo": {"stanzaId": "3A00"}}}, "text", "Yes"),
    "picture": ({"imageMessage": {"mimetype": "image/jpeg", "caption": "This one"}}, "image", "This one"),
    "video note": ({"ptvMessage": {"mimetype": "video/mp4", "seconds": 4}}, "video", ""),
    "document": (
        {"documentWithCaptionMessage": {"message": {"documentMessage": {"caption": "Bill", "fileName": "b.pdf"}}}},
        "document",
        "Bill",
    ),
    "place": (
        {"locationMessage": {"degreesLatitude": 12.5, "degreesLongitude": 77.1, "name": "Shop", "address": "MG Road"}},
        "location",
        "Shop\nMG Road",
    ),
    "live place": (
        {"liveLocationMessage": {"degreesLatitude": 12.5, "degreesLongitude": 77.1}},
        "location",
        "12.5, 77.1",
    ),
    "contacts": (
        {"contactsArrayMessage": {"contacts": [{"vcard": vcard("Asha")}, {"vcard": vcard("Ravi")}]}},
        "contact",
        "Asha\nRavi",
    ),
    "poll": (
        {"pollCreationMessageV3": {"name": "Which?", "options": [{"optionName": "A"}, {"optionName": "B"}]}},
        "poll",
        "Which?\nA\nB",
    ),
    "button": ({"buttonsResponseMessage": {"selectedDisplayText": "Yes", "selectedButtonId": "y"}}, "text", "Yes"),
    "list": ({"listResponseMessage": {"singleSelectReply": {"selectedRowId": "blue"}}}, "text", "blue"),
    "form": (
        {"interactiveResponseMessage": {"nativeFlowResponseMessage": {"paramsJson": '{"size": "M"}'}}},
        "text",
        "size: M",
    ),
    "cart": ({"orderMessage": {"message": "Two, please", "itemCount": 2}}, "order", "Two, please"),
    "product": ({"productMessage": {"product": {"title": "Kurta"}}}, "unknown", "Kurta"),
    "invitation": ({"groupInviteMessage": {"groupName": "Buyers", "caption": "Join"}}, "text", "Buyers\nJoin"),
    "event": ({"eventMessage": {"name": "Sale", "description": "On Friday"}}, "unknown", "Sale\nOn Friday"),
    "unheard of": ({"fancyNewMessage": {"text": "Hello"}}, "unknown", "Hello"),
    "after a key": ({"senderKeyDistributionMessage": {"groupId": "g"}, "conversation": "Hi"}, "text", "Hi"),
}


@pytest.mark.parametrize("wrapper", [None, *WRAPPERS])
@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_is_told_alike_whatever_it_is_wrapped_in(name: str, wrapper: str | None) -> None:
    """A message must not become noise, parked or empty because it is in a disappearing chat or for viewing once."""
    message, kind, words = MESSAGES[name]
    wrapped = message if wrapper is None else {"messageContextInfo": {}, wrapper: {"message": message}}

    for teller in TELLERS:
        outcome = dispatch.parse(f"{teller.__name__}:shop", json.dumps(teller(wrapped)).encode()).outcome
        told = [fact for fact in outcome.facts if isinstance(fact, Message)]
        shown = [(each.type, each.text or each.caption or "", each.message_id, each.address) for each in told]
        assert shown == [(kind, words, ID, CHAT)], teller.__name__
