"""Defines the facts of an event, which parsers produce and store/ingestion/apply.py writes.

Strings contain no NUL and no lone surrogate, and their length is limited. Times are milliseconds since 1970 (UTC) as
claimed by the sender, or None if the event has none; store/model/timestamps.py decides which of them are credible.

An address is the name of a chat within a session: the digits of a phone (`919811000001`), or a JID for chats without a
phone: `120363041234567890@g.us`, `200000000000011@lid`, `120363999999@newsletter`, `status@broadcast`. It has no device
suffix.
"""

from typing import Literal, TypeAlias

from store.model.records import record

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
    "payment",
    "system",
    "unknown",
]
Status: TypeAlias = Literal["pending", "sent", "failed", "delivered", "read", "played"]
ContentState: TypeAlias = Literal["complete", "media_missing", "undecrypted"]
"""`complete`: all content is present. `media_missing`: the gateway reports media or a location without a link; there
may be a caption. `undecrypted`: the message arrived empty, and a resend with the same id may contain the content.
"""
Forwarding: TypeAlias = Literal["forwarded", "many_times"]
"""WhatsApp says "forwarded many times" of a message that came through five or more chats."""
ChatKind: TypeAlias = Literal["phone", "group", "lid", "newsletter", "broadcast", "other"]
SessionState: TypeAlias = Literal["connected", "disconnected", "connecting", "logged_out"]


@record
class Message:
    """A message as reported by one event. Several events may report the same message."""

    address: str
    """The chat's address as in the event: normalised, but not resolved, so a LID remains a LID."""
    direction: Direction
    message_id: str | None
    """The id from WhatsApp, or None if the event has none. Then the content identifies the message."""
    time: int | None
    type: MessageType
    raw_type: str | None
    """The gateway's name for the type, such as `extendedTextMessage`."""
    content_state: ContentState
    text: str | None = None
    caption: str | None = None
    media_url: str | None = None
    mime_type: str | None = None
    file_name: str | None = None
    media_seconds: int | None = None
    """The duration of an audio or a video."""
    reply_to: str | None = None
    """The id of the message that this one quotes."""
    forwarded: Forwarding | None = None
    """None if the message was written for this chat, or if the gateway does not tell."""
    sender: str | None = None
    """The author's address in a group, if the event contains it."""
    sender_name: str | None = None
    """The author's push name in a group."""
    status: Status | None = None
    is_history: bool = False
    """True if the gateway reports a message of the past, which is neither new nor unread."""


@record
class Ack:
    """A delivery status of a message."""

    message_id: str
    status: Status
    address: str | None
    """The chat, if the event contains it. Otherwise the ack applies only if a single message of the session has the id.
    """
    time: int | None
    reason: str | None = None
    """The reason why the message failed, as a phrase without a full stop, or None if the event gives none."""
    reference: str | None = None
    """The id of the send that was passed to the gateway, or None if the event does not contain it."""


@record
class Edit:
    """A new text of a message."""

    message_id: str
    """The id of the edited message."""
    address: str | None
    """The chat, if the event contains it. Otherwise the edit applies only if a single message of the session has the
    id.
    """
    direction: Direction | None
    """The side that edited the message: `incoming` for the contact, `outgoing` for the session's owner, or None if
    unknown. Only edits by the author count.
    """
    sender: str | None
    """The editor's address in a group, if the event contains it."""
    text: str
    time: int | None


@record
class Delete:
    """The deletion of a message for everyone."""

    message_id: str
    address: str
    direction: Direction | None
    """The side that deleted the message, or None if unknown. Only authors can delete messages in direct chats."""
    sender: str | None
    time: int | None


@record
class Reaction:
    """A reaction to a message. The newest reaction of each person counts."""

    message_id: str
    """The id of the message."""
    address: str
    direction: Direction
    """The side that reacted: `incoming` for the contact, `outgoing` for the session's owner."""
    sender: str | None
    """The address of the person who reacted in a group, if the event contains it.

    A gateway that does not compare it with the session's number reports the owner's reactions as incoming, even in
    direct chats. Readers recognise them by this address.
    """
    emoji: str
    """Empty if the reaction is removed."""
    time: int | None


@record
class LidAlias:
    """Evidence that a LID, an id from Meta or another national spelling belongs to the person with this phone."""

    lid: str
    """`…@lid`, `…@bsuid`, or digits for which `national_spellings.standard` is the phone."""
    phone: str
    """Digits."""
    time: int | None


@record
class DisplayName:
    """The name of the person at an address. In groups, it is the name of the sender, not of the group."""

    address: str
    name: str
    quality: Literal[1, 2]
    """1 for a push name chosen by the person, 2 for a contact name from the gateway's address book."""
    time: int | None


@record
class SessionReport:
    """The state or phone that a session reports about itself."""

    state: SessionState | None
    """None if the report names only the phone."""
    phone: str | None
    """The digits of the session's own number, if the report contains it."""
    time: int | None


Fact: TypeAlias = Message | Ack | Edit | Delete | Reaction | LidAlias | DisplayName | SessionReport


@record
class SessionFacts:
    """The facts of an event about one session."""

    session_id: str
    facts: tuple[Fact, ...]


@record
class Outcome:
    """The result of parsing one event."""

    kind: Literal["stored", "noise", "ping", "parked", "forgotten"]
    """`forgotten` means that the event is about an erased person and is not stored (store/erasure/batch_filter.py)."""
    reason: str | None
    """A stable code for noise and parked events, None for other events."""
    session_id: str | None
    event_type: str | None
    """The name of the event, such as `message.received`, or None if it has none."""
    time: int | None
    """The time that the event claims, in ms."""
    facts: tuple[Fact, ...] = ()
    """The facts about that session. Empty unless the event is stored."""
    others: tuple[SessionFacts, ...] = ()
    """The facts about further sessions, if one body is about several. Empty if there are no facts."""

    @property
    def by_session(self) -> tuple[SessionFacts, ...]:
        """The sessions that the event is about, each with its facts."""
        return self.others if self.session_id is None else (SessionFacts(self.session_id, self.facts), *self.others)

    @property
    def session_ids(self) -> tuple[str, ...]:
        """The sessions that the event is about."""
        others = tuple(each.session_id for each in self.others) if self.others else ()
        return others if self.session_id is None else (self.session_id, *others)

    @property
    def all_facts(self) -> tuple[Fact, ...]:
        """The facts of all sessions."""
        return self.facts if not self.others else tuple(fact for each in self.by_session for fact in each.facts)
