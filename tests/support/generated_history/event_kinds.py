"""The kinds of events that histories are drawn from, each in several dialects."""

from collections.abc import Callable, Mapping
from typing import Final

from tests.support.generated_history import update_events, world
from tests.support.generated_history.dialects import Dice, Drawn
from tests.support.generated_history.world import Fields


def _text(number: int, detail: int) -> str:
    """Mostly the same for one message; a second body under one id happens."""
    return f"नमस्ते {number}" if detail % 8 < 6 else f"another {number}.{detail % 5} 😀"


def _message(drawn: Drawn) -> Fields:
    text = _text(drawn.number, drawn.detail)
    reply: Fields = {"replyTo": f"ID{drawn.detail % 8}"} if drawn.detail & 0x18 == 0x18 else {}
    match drawn.dialect % 8:
        case 0 | 1 | 2:
            return drawn.flat({"type": "conversation", "text": text, **reply})
        case 3:
            return drawn.flat({"type": "extendedTextMessage", "text": text, **reply})
        case 4:
            return drawn.baileys({"conversation": text})
        case _:
            status: Fields = (
                {"status": update_events.STATUSES[drawn.detail % len(update_events.STATUSES)]} if drawn.ours else {}
            )
            return drawn.nested({"id": drawn.message_id, "text": text, **reply}, status)


def _nameless(drawn: Drawn) -> Fields:
    return drawn.nested({"text": _text(drawn.number % 3, drawn.detail)})


def _undecrypted(drawn: Drawn) -> Fields:
    if drawn.dialect % 2:
        return drawn.nested({"id": drawn.message_id, "text": ""})
    return drawn.flat({"text": ""})


def _media(drawn: Drawn) -> Fields:
    kind = ("image", "video", "document", "audio", "sticker", "location", "contact")[drawn.detail % 7]
    link = f"https://media.example/{drawn.number}.{drawn.detail % 3}"
    caption = f"caption {drawn.number}"
    match drawn.dialect % 5:
        case 0:
            return drawn.flat({"type": f"{kind}Message", "text": ""})
        case 1:
            return drawn.nested({"id": drawn.message_id, "type": kind, "mediaUrl": link, "caption": caption})
        case 2:
            beside: Fields = {"media": {"url": link, "mimetype": f"{kind}/x", "filename": "x"}, "caption": caption}
            return drawn.nested({"id": drawn.message_id, "type": kind}, beside)
        case 3:
            return drawn.baileys({f"{kind}Message": {"caption": caption}})
        case _:
            return drawn.nested({"id": drawn.message_id, "type": kind})


def _evidence(drawn: Drawn) -> Fields:
    """A message that tells that a LID and a phone are one person: mostly the same phone, sometimes two."""
    lid = (world.LID_OF_ASHA, world.LID_OF_RAVI)[drawn.detail & 1]
    phones = (world.ASHA, world.RAVI) if lid == world.LID_OF_ASHA else (world.RAVI, world.MEENA)
    phone = phones[drawn.detail % 5 == 0]
    user = lid.partition("@")[0]
    said: Fields = {"messageId": drawn.message_id, "type": "conversation", "text": _text(drawn.number, drawn.detail)}
    if drawn.name is not None:
        said["pushName"] = drawn.name
    match drawn.dialect % 4:
        case 0 | 1:
            said |= {"from": world.jid(phone), "from_number": f"+{phone}", "wa_id": phone, "from_lid": lid}
        case 2:
            said |= {"from": lid, "from_lid": lid, "from_number": f"+{phone}", "wa_id": user}
        case _:
            other = phones[drawn.detail % 5 != 0]
            said |= {"from": lid, "senderPn": world.jid(phone)} | (
                {"from_number": f"+{other}"} if drawn.detail & 2 else {}
            )
    return drawn.event("message.received", drawn.timed(said))


def _session(drawn: Drawn) -> Fields:
    state = ("connected", "disconnected", "connecting", "Logged Out")[drawn.detail % 4]
    phone = ("919811000090", "919811000091")[drawn.detail >> 2 & 1]
    match drawn.dialect % 5:
        case 0:
            return drawn.event("status.change", {"data": drawn.timed({"status": state, "phoneNumber": phone})})
        case 1:
            return drawn.event("status.change", {"status": state})
        case 2:
            return drawn.event("session.status", drawn.timed({"status": state}))
        case 3:
            return drawn.event("session.connected", {"data": drawn.timed({"phoneNumber": f"+{phone}"})})
        case _:
            return drawn.event("session.disconnected", drawn.timed({}))


def _ping(drawn: Drawn) -> Fields:
    return drawn.event("message.received", drawn.timed({"test": True, "text": "SAK webhook live test"}))


def _noise(drawn: Drawn) -> Fields:
    kinds = ("senderKeyDistributionMessage", "messageContextInfo", "pollUpdateMessage", "reactionMessage")
    return drawn.flat({"type": kinds[drawn.detail % 4], "text": ""})


def _unknown(drawn: Drawn) -> Fields | bytes:
    forms: tuple[Fields | bytes, ...] = (
        drawn.event("call.offered", drawn.timed({"from": drawn.address})),
        b"not JSON",
        b"",
        b"[1, 2]",
        {"event": "message.received", "from": world.jid(drawn.address), "messageId": drawn.message_id},
        drawn.event("message.received", drawn.timed({"messageId": drawn.message_id, "text": "from nobody"})),
        {"id": drawn.message_id, "timestamp": world.T0, "session": "main", "payload": {"body": "hi"}},
        b"\xff\xfe{}",
    )
    return forms[drawn.detail % len(forms)]


_Maker = Callable[[Drawn], Fields | bytes]

KINDS: Final[Mapping[str, tuple[int, _Maker]]] = {
    "message": (76, _message),
    "message without id": (12, _nameless),
    "message undecrypted": (16, _undecrypted),
    "media": (20, _media),
    "ack": (38, update_events.ack),
    "edit": (18, update_events.edit),
    "delete": (10, update_events.delete),
    "reaction": (22, update_events.reaction),
    "evidence": (20, _evidence),
    "session": (10, _session),
    "ping": (4, _ping),
    "noise": (4, _noise),
    "unknown": (6, _unknown),
}
"""By name: how many of 256 are drawn, and what makes it."""
_BY_DIE: Final = tuple((name, maker) for name, (share, maker) in KINDS.items() for _ in range(share))
assert len(_BY_DIE) == 256


def made(dice: Dice, *, sessions: int, ids: int) -> tuple[str, bytes]:
    """The name of the event's kind, and its body."""
    name, maker = _BY_DIE[dice.kind]
    number = (dice.number & 0x7F) % ids
    received_at = received(dice)
    drawn = Drawn(
        session_id=world.SESSIONS[dice.number >> 7 if sessions == 2 else 0],
        address=_address(number, dice.chat),
        message_id=f"ID{number}",
        number=number,
        ours=(number % 3 == 2) is (dice.chat % 8 != 7),
        time=world.happened(dice.time, received_at),
        dialect=dice.dialect,
        detail=dice.detail,
        name=world.NAMES[dice.name % 4] if dice.name >= 128 else None,
    )
    body = maker(drawn)
    return name, body if isinstance(body, bytes) else world.encoded(body)


def _address(number: int, die: int) -> str:
    """Mostly the chat where the id is at home; or its person's other address; or any chat, as ids are not unique."""
    home = world.HOMES[number % 8]
    if die < 128:
        return home
    return world.OTHERS.get(home, home) if die < 192 else world.CHATS[die % 8]


def received(dice: Dice) -> int:
    """When the event's first copy was received, in ms."""
    return world.T0 + dice.received * 30 * world.SECOND
