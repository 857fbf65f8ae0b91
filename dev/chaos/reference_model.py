"""Computes the expected history of a set of events from the descriptions of SAK and of the design.

It covers only the events of dev/chaos/event_generator.py and shares no code with the product.
"""

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias

OutcomeKind: TypeAlias = Literal["stored", "noise", "ping", "parked"]

NOISE_TYPES = ("protocolMessage",)
STATUS_ORDER = ("pending", "sent", "failed", "delivered", "read", "played")


@dataclass(frozen=True, slots=True, order=True)
class MessageRow:
    """A row of the guide's whatsapp_messages."""

    message_id: str
    direction: str
    peer: str
    type: str
    text: str | None
    status: str | None
    timestamp: int


@dataclass(frozen=True, slots=True, order=True)
class ContactRow:
    """A row of the guide's whatsapp_contacts."""

    phone: str
    name: str | None
    last_message_at: int
    unread: int


@dataclass(slots=True)
class ExpectedHistory:
    messages: dict[str, MessageRow] = field(default_factory=dict[str, MessageRow])
    contacts: dict[str, ContactRow] = field(default_factory=dict[str, ContactRow])
    outcome_counts: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(("stored", "noise", "ping", "parked"), 0)
    )


@dataclass(frozen=True, slots=True)
class _MessageCopy:
    message: MessageRow
    completeness: int
    digest: bytes

    @property
    def rank(self) -> tuple[int, int, int]:
        """The greatest wins: by completeness, then by earliest time, then by smallest digest."""
        return self.completeness, -self.message.timestamp, -int.from_bytes(self.digest)


def fold(bodies: Collection[bytes]) -> ExpectedHistory:
    """Return the history of these events, each counted once."""
    history = ExpectedHistory()
    copies: dict[str, list[_MessageCopy]] = {}
    acks: dict[str, list[str]] = {}
    names: dict[str, tuple[int, bytes, str]] = {}
    for body in set(bodies):
        event = json.loads(body)
        digest = hashlib.sha256(body).digest()
        outcome = _classify(event)
        history.outcome_counts[outcome] += 1
        if outcome != "stored":
            continue
        if event["event"] == "message.status":
            acks.setdefault(event["messageId"], []).append(event["status"])
            continue
        copy = _parse_message(event, digest)
        copies.setdefault(copy.message.message_id, []).append(copy)
        if "pushName" in event:
            name = (copy.message.timestamp, digest, str(event["pushName"]))
            names[copy.message.peer] = max(names.get(copy.message.peer, name), name)
    for message_id, same_message in copies.items():
        history.messages[message_id] = _merge_copies(same_message, acks.get(message_id, []))
    history.contacts = _contacts(history.messages.values(), {peer: name for peer, (_, _, name) in names.items()})
    return history


def _classify(event: dict[str, Any]) -> OutcomeKind:
    if event.get("test") is True:
        return "ping"
    if event["event"] not in ("message.received", "message.sent", "message.status"):
        return "parked"
    return "noise" if event.get("type") in NOISE_TYPES else "stored"


def _parse_message(event: dict[str, Any], digest: bytes) -> _MessageCopy:
    if event["event"] == "message.sent":
        data = event["data"]
        sent = data["message"]
        message = MessageRow(
            sent["id"], "outgoing", data["to"], "text", sent["text"], data.get("status", "sent"), sent["timestamp"]
        )
        return _MessageCopy(message, 2, digest)
    kind = event.get("type")
    words = {"conversation": "text", "extendedTextMessage": "text", "imageMessage": "image", None: "unknown"}
    message = MessageRow(
        event["messageId"],
        "incoming",
        event["wa_id"],
        words[kind],
        event["text"] or None,
        None,
        event["timestamp"] * 1000,
    )
    return _MessageCopy(message, 0 if kind is None else 1 if kind == "imageMessage" else 2, digest)


def _merge_copies(copies: list[_MessageCopy], acks: list[str]) -> MessageRow:
    best = max(copies, key=lambda copy: copy.rank).message
    statuses = [status for status in (*(copy.message.status for copy in copies), *acks) if status is not None]
    return MessageRow(
        best.message_id,
        best.direction,
        best.peer,
        best.type,
        best.text,
        max(statuses, key=STATUS_ORDER.index, default=None),
        min(copy.message.timestamp for copy in copies),
    )


def _contacts(messages: Collection[MessageRow], names: dict[str, str]) -> dict[str, ContactRow]:
    by_peer: dict[str, list[MessageRow]] = {}
    for message in messages:
        by_peer.setdefault(message.peer, []).append(message)
    return {
        peer: ContactRow(
            peer,
            names.get(peer),
            max(message.timestamp for message in exchanged),
            sum(message.direction == "incoming" for message in exchanged),
        )
        for peer, exchanged in by_peer.items()
    }


def to_milliseconds(moment: datetime) -> int:
    """Return a time from the database in the unit of the model."""
    return round(moment.timestamp() * 1000)
