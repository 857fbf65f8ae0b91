"""Defines the content of a message, and maps WhatsApp's types and fields to those of the store."""

from typing import NamedTuple

from store.model.facts import ContentState, Forwarding, Message, MessageType, Status
from worker.senders.whatsapp import message_types
from worker.senders.whatsapp.json_document import JsonObject
from worker.senders.whatsapp.parties import Parties

_MAX_MEDIA_SECONDS = 7 * 24 * 3600
_RECORDINGS = frozenset({"audio", "video"})
_MANY_FORWARDS = 5
"""The number of chats from which on WhatsApp shows "forwarded many times"."""


class MessageContent(NamedTuple):
    """The content of a message. It is a tuple for speed, because there is one for each event."""

    type: MessageType
    raw_type: str | None
    state: ContentState
    text: str | None = None
    caption: str | None = None
    media_url: str | None = None
    mime_type: str | None = None
    file_name: str | None = None
    media_seconds: int | None = None
    reply_to: str | None = None
    forwarded: Forwarding | None = None
    proto_type: str | None = None
    """The type inside the wrappers, if the event contains the protobuf message."""

    @property
    def effective_type(self) -> str | None:
        """The innermost type in the event."""
        return self.proto_type or self.raw_type

    @property
    def is_empty(self) -> bool:
        """True if there is neither text nor media."""
        return not (self.text or self.caption or self.media_url or self.file_name)

    def to_message(
        self, parties: Parties, message_id: str | None, time: int | None, status: Status | None, *, is_history: bool
    ) -> Message:
        # Positional arguments take half the time of keyword arguments.
        return Message(
            parties.chat,
            parties.direction,
            message_id,
            time,
            self.type,
            self.raw_type,
            self.state,
            self.text,
            self.caption,
            self.media_url,
            self.mime_type,
            self.file_name,
            self.media_seconds,
            self.reply_to,
            self.forwarded,
            parties.sender,
            parties.sender_name,
            # An outgoing message has at least the status `sent`.
            (status or "sent") if parties.direction == "outgoing" else None,
            is_history,
        )


def known_type(raw_type: str | None) -> MessageType | None:
    """Return the store's type for a type of a gateway or of the protobuf, or None if it is unknown."""
    if raw_type is None:
        return None
    return message_types.MESSAGE_TYPES.get(raw_type) or message_types.MESSAGE_TYPES.get(raw_type.lower())


def infer_type(raw_type: str | None, text_content: str | None, file: str | None) -> MessageType:
    """Return the type of a message without a known type.

    It has none, or a wrapper, key or context. `file` is the file's MIME type, or else its name or its link.
    """
    may_hide_text = raw_type in message_types.WRAPPER_TYPES or raw_type in message_types.NOISE_REASONS
    if raw_type is not None and not may_hide_text:
        return "unknown"
    if file is not None:
        return message_types.media_type(file) or "unknown"
    return "text" if text_content else "unknown"


def state(kind: MessageType, raw_type: str | None, *, has_text: bool, has_media: bool) -> ContentState:
    """Return whether the content is complete."""
    if has_media or kind == "system" or (has_text and kind not in message_types.MEDIA_TYPES):
        return "complete"
    if kind in message_types.MEDIA_TYPES:
        return "media_missing"
    if raw_type in message_types.PROTOBUF_TEXT_TYPES:
        # Only a decrypted message has a field of the protobuf, so the text is really empty.
        return "complete"
    if raw_type is None or raw_type in message_types.PLAIN_TEXT_TYPES or raw_type in message_types.UNDECRYPTED_TYPES:
        return "undecrypted"
    return "media_missing"


def of_words(
    raw_type: str | None,
    words: str | None,
    *,
    mime_type: str | None = None,
    file_name: str | None = None,
    reply_to: str | None = None,
) -> MessageContent:
    """Return the content of a message of this type.

    `words` are the caption of a file or the text of any other message.
    """
    kind = known_type(raw_type) or infer_type(raw_type, words, mime_type or file_name)
    is_media = kind in message_types.MEDIA_TYPES
    return MessageContent(
        type=kind,
        raw_type=raw_type,
        state=state(kind, raw_type, has_text=words is not None, has_media=False),
        text=None if is_media else words,
        caption=words if is_media else None,
        mime_type=mime_type,
        file_name=file_name,
        reply_to=reply_to,
    )


def media_seconds(kind: MessageType, value: object) -> int | None:
    """Return whole seconds, or None for a value that is not the length of a recording."""
    if kind not in _RECORDINGS:
        return None
    if isinstance(value, float | str):
        try:
            value = int(float(value))
        except (OverflowError, ValueError):
            return None
    return value if type(value) is int and 0 <= value <= _MAX_MEDIA_SECONDS else None


def forwarding(fields: JsonObject) -> Forwarding | None:
    """Return how often the message was forwarded, from a `contextInfo`, Meta's `context` or a gateway's own fields."""
    score = _score(fields.get("forwardingScore"))
    if score >= _MANY_FORWARDS or fields.get("frequently_forwarded") is True:
        return "many_times"
    return "forwarded" if score or fields.get("isForwarded") is True or fields.get("forwarded") is True else None


def _score(value: object) -> int:
    if isinstance(value, str):
        return int(value[:4]) if value.isascii() and value.isdigit() else 0
    return max(value, 0) if type(value) is int else 0
