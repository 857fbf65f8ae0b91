"""Tests that a forwarded message of every gateway that reports it is recognised."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import pytest

from store.model.facts import Forwarding, Message
from worker.senders import dispatch

Fields: TypeAlias = Mapping[str, Any]
PHONE = "919811000011"
JID = f"{PHONE}@s.whatsapp.net"
KEY: Final[Fields] = {"remoteJid": JID, "fromMe": False, "id": "3A01"}
TIME = 1789000000


def message(context: Fields) -> Fields:
    return {"extendedTextMessage": {"text": "Hi", "contextInfo": context}}


def evolution(context: Fields) -> Fields:
    data = {"key": KEY, "message": message(context), "messageTimestamp": TIME}
    return {"event": "messages.upsert", "instance": "shop", "data": data}


def evolution_beside_the_message(context: Fields) -> Fields:
    data = {"key": KEY, "message": {"conversation": "Hi"}, "contextInfo": context, "messageTimestamp": TIME}
    return {"event": "messages.upsert", "instance": "shop", "data": data}


def waha_noweb(context: Fields) -> Fields:
    payload = {"id": f"false_{JID}_3A01", "timestamp": TIME, "from": JID, "fromMe": False}
    engine = {"_data": {"key": KEY, "message": message(context)}}
    return {"event": "message.any", "session": "shop", "payload": payload | engine}


def waha_webjs(context: Fields) -> Fields:
    payload = {"id": f"false_{PHONE}@c.us_3A01", "timestamp": TIME, "from": f"{PHONE}@c.us", "fromMe": False}
    engine = {"body": "Hi", "_data": {"type": "chat", "body": "Hi", **context}}
    return {"event": "message.any", "session": "shop", "payload": payload | engine}


def wuzapi(context: Fields) -> Fields:
    info = {"Chat": JID, "Sender": JID, "IsFromMe": False, "ID": "3A01", "Timestamp": "2026-09-10T05:59:00Z"}
    return {"type": "Message", "instanceName": "shop", "event": {"Info": info, "Message": message(context)}}


def gowa(fields: Fields) -> Fields:
    payload = {"body": "Hi", "chat_id": JID, "from": JID, "id": "3A01", "is_from_me": False}
    time = {"timestamp": "2026-09-10T05:59:00Z"}
    return {"device_id": "919880000001@s.whatsapp.net", "event": "message", "payload": {**payload, **time, **fields}}


def meta(context: Fields) -> Fields:
    text = {"from": PHONE, "id": "wamid.MA==", "timestamp": str(TIME), "type": "text", "text": {"body": "Hi"}}
    numbers = {"display_phone_number": "919880000001", "phone_number_id": "105000000000072"}
    value = {"messaging_product": "whatsapp", "metadata": numbers, "messages": [{**text, "context": context}]}
    changes = [{"value": value, "field": "messages"}]
    return {"object": "whatsapp_business_account", "entry": [{"id": "104000000000071", "changes": changes}]}


def forwarding(body: Fields, kind: str) -> list[Forwarding | None]:
    outcome = dispatch.parse(f"{kind}:shop", json.dumps(body).encode()).outcome
    return [fact.forwarded for fact in outcome.facts if isinstance(fact, Message)]


@pytest.mark.parametrize(
    ("context", "expected"),
    [
        ({}, None),
        ({"isForwarded": False, "forwardingScore": 0}, None),
        ({"isForwarded": True}, "forwarded"),
        ({"forwardingScore": 1}, "forwarded"),
        ({"isForwarded": True, "forwardingScore": 4}, "forwarded"),
        ({"isForwarded": True, "forwardingScore": 5}, "many_times"),
        ({"isForwarded": True, "forwardingScore": "127"}, "many_times"),
        ({"isForwarded": True, "forwardingScore": "9" * 5000}, "many_times"),
        ({"isForwarded": True, "forwardingScore": {"low": 2}}, "forwarded"),
    ],
)
@pytest.mark.parametrize("write", [evolution, evolution_beside_the_message, waha_noweb, waha_webjs, wuzapi])
def test_whatsapps_score_is_read_from_every_place(
    write: Callable[[Fields], Fields], context: Fields, expected: Forwarding | None
) -> None:
    kind = write.__name__.partition("_")[0]

    assert forwarding(write(context), kind) == [expected]


@pytest.mark.parametrize(
    ("context", "expected"),
    [
        ({}, None),
        ({"forwarded": True}, "forwarded"),
        ({"forwarded": True, "frequently_forwarded": True}, "many_times"),
        ({"frequently_forwarded": True}, "many_times"),
    ],
)
def test_the_context_of_meta_is_read(context: Fields, expected: Forwarding | None) -> None:
    assert forwarding(meta(context), "meta") == [expected]


def test_the_mark_of_gowa_is_read() -> None:
    assert forwarding(gowa({"forwarded": True}), "gowa") == ["forwarded"]
    assert forwarding(gowa({}), "gowa") == [None]
