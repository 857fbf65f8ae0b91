"""What the history must be after a set of events: written from the descriptions of SAK and of the design alone.

It knows only the events that the rig's story tells, and shares no line with what it checks.
"""

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias

Outcome: TypeAlias = Literal["stored", "noise", "ping", "parked"]

NOISE = ("senderKeyDistributionMessage", "messageContextInfo")
ORDER = ("pending", "sent", "failed", "delivered", "read", "played")


@dataclass(frozen=True, slots=True, order=True)
class Message:
    """A row of the guide's whatsapp_messages."""

    message_id: str
    direction: str
    peer: str
    type: str
    text: str | None
    status: str | None
    timestamp: int


@dataclass(frozen=True, slots=True, order=True)
class Contact:
    """A row of the guide's whatsapp_contacts."""

    phone: str
    name: str | None
    last_message_at: int
    unread: int


@dataclass(slots=True)
class History:
    messages: dict[str, Message] = field(default_factory=dict[str, Message])
    contacts: dict[str, Contact] = field(default_factory=dict[str, Contact])
    outcomes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("stored", "noise", "ping", "parked"), 0))


@dataclass(frozen=True, slots=True)
class _Copy:
    message: Message
    completeness: int
    digest: bytes

    @property
    def worth(self) -> tuple[int, int, int]:
        """Greatest by completeness, then earliest time, then smallest digest."""
        return self.completeness, -self.message.timestamp, -int.from_bytes(self.digest)


def fold(bodies: Collection[bytes]) -> History:
    """The history of these events, each counted once."""
    history = History()
    copies: dict[str, list[_Copy]] = {}
    acks: dict[str, list[str]] = {}
    names: dict[str, tuple[int, bytes, str]] = {}
    for body in set(bodies):
        event = json.loads(body)
        digest = hashlib.sha256(body).digest()
        outcome = _outcome(event)
        history.outcomes[outcome] += 1
        if outcome != "stored":
            continue
        if event["event"] == "message.status":
            acks.setdefault(event["messageId"], []).append(event["status"])
            continue
        copy = _copy(event, digest)
        copies.setdefault(copy.message.message_id, []).append(copy)
        if "pushName" in event:
            name = (copy.message.timestamp, digest, str(event["pushName"]))
            names[copy.message.peer] = max(names.get(copy.message.peer, name), name)
    for message_id, told in copies.items():
        history.messages[message_id] = _settled(told, acks.get(message_id, []))
    history.contacts = _contacts(history.messages.values(), {peer: name for peer, (_, _, name) in names.items()})
    return history


def _outcome(event: dict[str, Any]) -> Outcome:
    if event.get("test") is True:
        return "ping"
    if event["event"] not in ("message.received", "message.sent", "message.status"):
        return "parked"
    return "noise" if event.get("type") in NOISE else "stored"


def _copy(event: dict[str, Any], digest: bytes) -> _Copy:
    if event["event"] == "message.sent":
        data = event["data"]
        said = data["message"]
        message = Message(
            said["id"], "outgoing", data["to"], "text", said["text"], data.get("status", "sent"), said["timestamp"]
        )
        return _Copy(message, 2, digest)
    kind = event.get("type")
    words = {"conversation": "text", "extendedTextMessage": "text", "imageMessage": "image", None: "unknown"}
    message = Message(
        event["messageId"],
        "incoming",
        event["wa_id"],
        words[kind],
        event["text"] or None,
        None,
        event["timestamp"] * 1000,
    )
    return _Copy(message, 0 if kind is None else 1 if kind == "imageMessage" else 2, digest)


def _settled(copies: list[_Copy], acks: list[str]) -> Message:
    best = max(copies, key=lambda copy: copy.worth).message
    statuses = [status for status in (*(copy.message.status for copy in copies), *acks) if status is not None]
    return Message(
        best.message_id,
        best.direction,
        best.peer,
        best.type,
        best.text,
        max(statuses, key=ORDER.index, default=None),
        min(copy.message.timestamp for copy in copies),
    )


def _contacts(messages: Collection[Message], names: dict[str, str]) -> dict[str, Contact]:
    by_peer: dict[str, list[Message]] = {}
    for message in messages:
        by_peer.setdefault(message.peer, []).append(message)
    return {
        peer: Contact(
            peer,
            names.get(peer),
            max(message.timestamp for message in said),
            sum(message.direction == "incoming" for message in said),
        )
        for peer, said in by_peer.items()
    }


def milliseconds(moment: datetime) -> int:
    """A time of the database as the model counts it."""
    return round(moment.timestamp() * 1000)
