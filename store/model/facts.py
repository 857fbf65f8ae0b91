"""The facts of an event: parsers produce them, store/ingestion/apply.py writes them.

Strings contain no NUL and no lone surrogate, and their length is bounded. Times are milliseconds since 1970 (UTC) as
the sender claims them, None if the event has none; store/model/timestamps.py decides which claims are credible.

An address is the name of a chat within a session: a phone's digits (`919811000001`), or a JID for what has no phone:
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
"""`complete`: all content is there. `media_missing`: the gateway names media or a place without a link; a caption may
be there. `undecrypted`: the message came empty, and a resend with the same id may bring its content."""
ChatKind: TypeAlias = Literal["phone", "group", "lid", "newsletter", "broadcast", "other"]
SessionState: TypeAlias = Literal["connected", "disconnected", "connecting", "logged_out"]


@dataclass(frozen=True, slots=True)
class Message:
    """A message as one event reports it; several events may report the same message."""

    address: str
    """The chat's address as the event has it: normalised, not resolved, so a LID remains a LID."""
    direction: Direction
    message_id: str | None
    """WhatsApp's id; None if the event has none: the content then identifies the message."""
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
    """In a group: the author's address, if the event has it."""
    sender_name: str | None = None
    """In a group: the author's push name."""
    status: Status | None = None
    is_history: bool = False
    """The gateway tells of the past: the message is not new, so it is not unread."""


@dataclass(frozen=True, slots=True)
class Ack:
    """A delivery status of a message."""

    message_id: str
    status: Status
    address: str | None
    """The chat, if the event names it; without it the ack applies only if one message of the session has the id."""
    time: int | None
    reason: str | None = None
    """Why the message failed, in words and without a full stop; None if the event does not say."""
    reference: str | None = None
    """The send, by the id that we gave to the gateway; None if the event does not repeat it."""


@dataclass(frozen=True, slots=True)
class Edit:
    """New text of a message."""

    message_id: str
    """The edited message's id."""
    address: str | None
    """The chat, if the event names it; without it the edit applies only if one message of the session has the id."""
    direction: Direction | None
    """The editor: `incoming` the other side, `outgoing` we, None if the event does not say. Only the author's edit
    counts."""
    sender: str | None
    """In a group: the editor's address, if the event has it."""
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
    """A reaction to a message; of each reactor, the newest counts."""

    message_id: str
    """The id of the message."""
    address: str
    direction: Direction
    """The reactor: `incoming` the other side, `outgoing` we."""
    sender: str | None
    """In a group: the reactor's address, if the event has it."""
    emoji: str
    """Empty if the reaction is withdrawn."""
    time: int | None


@dataclass(frozen=True, slots=True)
class LidAlias:
    """Evidence that a LID, or another national spelling of a phone, belongs to the person with this phone."""

    lid: str
    """`…@lid`, or digits for which `national_spellings.standard` is the phone."""
    phone: str
    """Digits."""
    time: int | None


@dataclass(frozen=True, slots=True)
class DisplayName:
    """The name of the person at an address; in groups that of the sender, not of the group."""

    address: str
    name: str
    quality: Literal[1, 2]
    """1: a push name, chosen by the person. 2: a contact name from the gateway's address book."""
    time: int | None


@dataclass(frozen=True, slots=True)
class SessionReport:
    """The state or phone that a session reports about itself."""

    state: SessionState | None
    """None if the report names only the phone."""
    phone: str | None
    """Digits of the session's own number, if the report has it."""
    time: int | None


Fact: TypeAlias = Message | Ack | Edit | Delete | Reaction | LidAlias | DisplayName | SessionReport


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """What an event tells of one session."""

    session_id: str
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of parsing one event."""

    kind: Literal["stored", "noise", "ping", "parked", "forgotten"]
    """`forgotten`: the event concerns an erased person and is not stored (store/erasure/batch_filter.py)."""
    reason: str | None
    """A stable code for noise and parked events; None for the others."""
    session_id: str | None
    event_type: str | None
    """The event's own name, such as `message.received`; None if it has none."""
    time: int | None
    """The time that the event claims."""
    facts: tuple[Fact, ...] = ()
    """The facts of that session; empty unless stored."""
    others: tuple[SessionFacts, ...] = ()
    """Those of the further sessions, if one body tells of several; empty unless there are facts."""

    @property
    def by_session(self) -> tuple[SessionFacts, ...]:
        """The sessions that the event tells of, each with its facts."""
        return self.others if self.session_id is None else (SessionFacts(self.session_id, self.facts), *self.others)

    @property
    def all_facts(self) -> tuple[Fact, ...]:
        """The facts of all sessions."""
        return self.facts if not self.others else tuple(fact for each in self.by_session for fact in each.facts)
