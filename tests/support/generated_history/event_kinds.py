"""Builds the kinds of events of which generated histories consist, each in several dialects."""

from collections.abc import Callable, Mapping
from typing import Final

from tests.support.generated_history import update_events, world
from tests.support.generated_history.dialects import EventChoices, EventDraft
from tests.support.generated_history.world import JsonFields


def _text(number: int, detail: int) -> str:
    """Return mostly the same text for one message. Some bodies with the same id have another text."""
    return f"नमस्ते {number}" if detail % 8 < 6 else f"another {number}.{detail % 5} 😀"


def _message(drawn: EventDraft) -> JsonFields:
    text = _text(drawn.number, drawn.detail)
    reply: JsonFields = {"replyTo": f"ID{drawn.detail % 8}"} if drawn.detail & 0x18 == 0x18 else {}
    match drawn.dialect % 8:
        case 0 | 1 | 2:
            return drawn.flat({"type": "conversation", "text": text, **reply})
        case 3:
            return drawn.flat({"type": "extendedTextMessage", "text": text, **reply})
        case 4:
            return drawn.baileys({"conversation": text})
        case _:
            status: JsonFields = (
                {"status": update_events.STATUSES[drawn.detail % len(update_events.STATUSES)]}
                if drawn.is_outgoing
                else {}
            )
            return drawn.nested({"id": drawn.message_id, "text": text, **reply}, status)


def _message_without_id(drawn: EventDraft) -> JsonFields:
    return drawn.nested({"text": _text(drawn.number % 3, drawn.detail)})


def _undecrypted(drawn: EventDraft) -> JsonFields:
    if drawn.dialect % 2:
        return drawn.nested({"id": drawn.message_id, "text": ""})
    return drawn.flat({"text": ""})


def _media(drawn: EventDraft) -> JsonFields:
    kind = ("image", "video", "document", "audio", "sticker", "location", "contact")[drawn.detail % 7]
    link = f"https://media.example/{drawn.number}.{drawn.detail % 3}"
    caption = f"caption {drawn.number}"
    match drawn.dialect % 5:
        case 0:
            return drawn.flat({"type": f"{kind}Message", "text": ""})
        case 1:
            return drawn.nested({"id": drawn.message_id, "type": kind, "mediaUrl": link, "caption": caption})
        case 2:
            beside: JsonFields = {"media": {"url": link, "mimetype": f"{kind}/x", "filename": "x"}, "caption": caption}
            return drawn.nested({"id": drawn.message_id, "type": kind}, beside)
        case 3:
            return drawn.baileys({f"{kind}Message": {"caption": caption}})
        case _:
            return drawn.nested({"id": drawn.message_id, "type": kind})


def _alias_evidence(drawn: EventDraft) -> JsonFields:
    """Build a message with evidence for the phone of a LID, mostly the same phone, sometimes another."""
    lid = (world.LID_OF_ASHA, world.LID_OF_RAVI)[drawn.detail & 1]
    phones = (world.ASHA, world.RAVI) if lid == world.LID_OF_ASHA else (world.RAVI, world.MEENA)
    phone = phones[drawn.detail % 5 == 0]
    user = lid.partition("@")[0]
    said: JsonFields = {
        "messageId": drawn.message_id,
        "type": "conversation",
        "text": _text(drawn.number, drawn.detail),
    }
    if drawn.name is not None:
        said["pushName"] = drawn.name
    match drawn.dialect % 4:
        case 0 | 1:
            said |= {"from": world.spell_jid(phone), "from_number": f"+{phone}", "wa_id": phone, "from_lid": lid}
        case 2:
            said |= {"from": lid, "from_lid": lid, "from_number": f"+{phone}", "wa_id": user}
        case _:
            other = phones[drawn.detail % 5 != 0]
            said |= {"from": lid, "senderPn": world.spell_jid(phone)} | (
                {"from_number": f"+{other}"} if drawn.detail & 2 else {}
            )
    return drawn.envelope("message.received", drawn.with_time(said))


def _session(drawn: EventDraft) -> JsonFields:
    state = ("connected", "disconnected", "connecting", "Logged Out")[drawn.detail % 4]
    phone = ("919811000090", "919811000091")[drawn.detail >> 2 & 1]
    match drawn.dialect % 5:
        case 0:
            return drawn.envelope("status.change", {"data": drawn.with_time({"status": state, "phoneNumber": phone})})
        case 1:
            return drawn.envelope("status.change", {"status": state})
        case 2:
            return drawn.envelope("session.status", drawn.with_time({"status": state}))
        case 3:
            return drawn.envelope("session.connected", {"data": drawn.with_time({"phoneNumber": f"+{phone}"})})
        case _:
            return drawn.envelope("session.disconnected", drawn.with_time({}))


def _ping(drawn: EventDraft) -> JsonFields:
    return drawn.envelope("message.received", drawn.with_time({"test": True, "text": "SAK webhook live test"}))


def _noise(drawn: EventDraft) -> JsonFields:
    kinds = ("senderKeyDistributionMessage", "messageContextInfo", "pollUpdateMessage", "reactionMessage")
    return drawn.flat({"type": kinds[drawn.detail % 4], "text": ""})


def _unknown(drawn: EventDraft) -> JsonFields | bytes:
    forms: tuple[JsonFields | bytes, ...] = (
        drawn.envelope("call.offered", drawn.with_time({"from": drawn.address})),
        b"not JSON",
        b"",
        b"[1, 2]",
        {"event": "message.received", "from": world.spell_jid(drawn.address), "messageId": drawn.message_id},
        drawn.envelope("message.received", drawn.with_time({"messageId": drawn.message_id, "text": "from nobody"})),
        {"id": drawn.message_id, "timestamp": world.BASE_TIME, "session": "main", "payload": {"body": "hi"}},
        b"\xff\xfe{}",
    )
    return forms[drawn.detail % len(forms)]


_EventBuilder = Callable[[EventDraft], JsonFields | bytes]

EVENT_KINDS: Final[Mapping[str, tuple[int, _EventBuilder]]] = {
    "message": (76, _message),
    "message without id": (12, _message_without_id),
    "message undecrypted": (16, _undecrypted),
    "media": (20, _media),
    "ack": (38, update_events.ack),
    "edit": (18, update_events.edit),
    "delete": (10, update_events.delete),
    "reaction": (22, update_events.reaction),
    "evidence": (20, _alias_evidence),
    "session": (10, _session),
    "ping": (4, _ping),
    "noise": (4, _noise),
    "unknown": (6, _unknown),
}
"""By name, the number of 256 events that are of this kind, and its builder."""
_KIND_BY_BYTE: Final = tuple((name, maker) for name, (share, maker) in EVENT_KINDS.items() for _ in range(share))
assert len(_KIND_BY_BYTE) == 256


def build_event(choices: EventChoices, *, sessions: int, ids: int) -> tuple[str, bytes]:
    """Return the name of the event's kind and its body."""
    name, maker = _KIND_BY_BYTE[choices.kind]
    number = (choices.number & 0x7F) % ids
    received_at = first_received_at(choices)
    drawn = EventDraft(
        session_id=world.SESSIONS[choices.number >> 7 if sessions == 2 else 0],
        address=_choose_address(number, choices.chat),
        message_id=f"ID{number}",
        number=number,
        is_outgoing=(number % 3 == 2) is (choices.chat % 8 != 7),
        time=world.event_time(choices.time, received_at),
        dialect=choices.dialect,
        detail=choices.detail,
        name=world.NAMES[choices.name % 4] if choices.name >= 128 else None,
    )
    body = maker(drawn)
    return name, body if isinstance(body, bytes) else world.encode_event(body)


def _choose_address(number: int, die: int) -> str:
    """Return mostly the chat of the id, or the other address of its person, or any chat, as ids are not unique."""
    home = world.HOME_CHATS[number % 8]
    if die < 128:
        return home
    return world.OTHER_ADDRESSES.get(home, home) if die < 192 else world.CHATS[die % 8]


def first_received_at(choices: EventChoices) -> int:
    """Return the time at which the event's first copy was received, in ms."""
    return world.BASE_TIME + choices.received * 30 * world.SECOND
