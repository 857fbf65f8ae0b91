"""What an event says, in the store's own words: parsers produce it, `writes.apply` keeps it.

Strings are clean when they get here: no NUL, no lone surrogate, bounded in length. Times are milliseconds since 1970
(UTC) as the sender claims them, None where the event names none; how far a claim is believed is the store's decision.

An address is a chat's name within a session: a phone's digits (`919811000001`), or a JID for what has no phone:
`120363041234567890@g.us`, `200000000000011@lid`, `120363999999@newsletter`, `status@broadcast`. No device suffix.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

Direction: TypeAlias = Literal["incoming", "outgoing"]
MessageType: TypeAlias = Literal[
    "text",
    "image",
    "video",
    "audio",
    "document",
    "sticker",
    "location",
    "contact",
    "poll",
    "order",
    "system",
    "unknown",
]
Status: TypeAlias = Literal["pending", "sent", "failed", "delivered", "read", "played"]
ContentState: TypeAlias = Literal["complete", "media_missing", "undecrypted"]
"""`complete`: all there is. `media_missing`: the gateway names media, a place or the like and sends no link to it; a
caption may be there. `undecrypted`: the message came empty, and a resend with the same id may bring its content."""
ChatKind: TypeAlias = Literal["phone", "group", "lid", "newsletter", "broadcast", "other"]
SessionState: TypeAlias = Literal["connected", "disconnected", "connecting", "logged_out"]


@dataclass(frozen=True, slots=True)
class Message:
    """A message as one event tells it; several events may tell of one message."""

    address: str
    """The chat's address as the event spells it (normalised, not resolved): a LID stays a LID here."""
    direction: Direction
    message_id: str | None
    """WhatsApp's id; None where the event has none, and its identity then comes from its content."""
    time: int | None
    type: MessageType
    raw_type: str | None
    """The gateway's own word for the type, such as `extendedTextMessage`."""
    content_state: ContentState
    text: str | None = None
    caption: str | None = None
    media_url: str | None = None
    mime_type: str | None = None
    file_name: str | None = None
    media_seconds: int | None = None
    """The length of an audio or a video."""
    reply_to: str | None = None
    """The message id that this one quotes."""
    sender: str | None = None
    """In a group: the address of who wrote it, where the event tells."""
    sender_name: str | None = None
    """In a group: the push name of who wrote it."""
    status: Status | None = None


@dataclass(frozen=True, slots=True)
class Ack:
    """How far a message got."""

    message_id: str
    status: Status
    address: str | None
    """The chat, where the event tells; without it the ack applies only if one message of the session has the id."""
    time: int | None


@dataclass(frozen=True, slots=True)
class Edit:
    """New text of a message."""

    message_id: str
    """The edited message's id."""
    address: str
    direction: Direction
    """Who edits: `incoming` the other side, `outgoing` we. Only the author's edit counts."""
    sender: str | None
    """In a group: the editor's address, where the event tells."""
    text: str
    time: int | None


@dataclass(frozen=True, slots=True)
class Delete:
    """A message was deleted for everyone."""

    message_id: str
    address: str
    direction: Direction
    sender: str | None
    time: int | None


@dataclass(frozen=True, slots=True)
class Reaction:
    """Somebody's reaction to a message; the newest of one reactor counts."""

    message_id: str
    """The id of the message that is reacted to."""
    address: str
    direction: Direction
    """Who reacts: `incoming` the other side, `outgoing` we."""
    sender: str | None
    """In a group: the reactor's address, where the event tells."""
    emoji: str
    """Empty: the reaction is taken back."""
    time: int | None


@dataclass(frozen=True, slots=True)
class LidAlias:
    """Evidence that a LID and a phone are one person."""

    lid: str
    """`…@lid`"""
    phone: str
    """Digits."""
    time: int | None


@dataclass(frozen=True, slots=True)
class DisplayName:
    """What somebody at an address is called; in groups it names the sender, so it is no fact about the group."""

    address: str
    name: str
    quality: Literal[1, 2]
    """1: a push name, chosen by its bearer. 2: a contact's name, told by the gateway's address book."""
    time: int | None


@dataclass(frozen=True, slots=True)
class SessionReport:
    """What a session says of itself."""

    state: SessionState | None
    """None: the report names only the phone."""
    phone: str | None
    """Digits of the session's own number, where told."""
    time: int | None


Fact: TypeAlias = Message | Ack | Edit | Delete | Reaction | LidAlias | DisplayName | SessionReport


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one event."""

    kind: Literal["stored", "noise", "ping", "parked", "forgotten"]
    """`forgotten`: it concerns an erased person, so that nothing of it is kept (store/erasure/batch_filter.py)."""
    reason: str | None
    """A stable code: why it is noise, or why it was parked; None for what is stored or a ping."""
    session_id: str | None
    event_type: str | None
    """The event's own name, such as `message.received`; None where it has none."""
    time: int | None
    """When it happened, as it claims."""
    facts: tuple[Fact, ...] = ()
    """Empty unless stored."""
