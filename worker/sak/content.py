"""What a message holds: its type, its words, its media, and the message that it answers."""

from typing import NamedTuple

from store.model.facts import ContentState, MessageType
from worker.sak import json_document, message_types, proto, text
from worker.sak.envelope import Envelope, first
from worker.sak.json_document import Fields

_TYPES = ("type", "messageType", "message_type")
_CAPTIONS = ("caption", "mediaCaption", "media_caption")
_LINKS = ("mediaUrl", "media_url", "mediaURL", "fileUrl", "file_url", "downloadUrl", "download_url")
_MIME_TYPES = ("mimetype", "mimeType", "mime_type")
_FILE_NAMES = ("fileName", "filename", "file_name")
_REPLIES = (
    *(
        "quotedMessageId",
        "quoted_message_id",
        "quotedMsgId",
        "quotedId",
        "replyTo",
        "reply_to",
        "replyToId",
        "reply_to_id",
    ),
    *("inReplyTo", "quoted", "quotedMessage", "quotedMsg", "contextInfo", "context"),
)
_FILES = ("media", "file", "attachment")
_RARE = frozenset((*_CAPTIONS, *_LINKS, *_MIME_TYPES, *_FILE_NAMES, *_REPLIES, *_FILES, "url"))
_REPLY_IDS = ("stanzaId", "stanzaID", "messageId", "message_id", "id")


class Content(NamedTuple):
    """What is in the message, not whose it is; a tuple, as every event makes one."""

    type: MessageType
    raw_type: str | None
    state: ContentState
    text: str | None
    caption: str | None
    media_url: str | None
    mime_type: str | None
    file_name: str | None
    reply_to: str | None
    proto_type: str | None
    """The type inside the wrappers, where the protobuf message came along."""

    @property
    def effective_type(self) -> str | None:
        """The innermost type that is told."""
        return self.proto_type or self.raw_type

    @property
    def is_empty(self) -> bool:
        """Whether nothing can be seen of it."""
        return not (self.text or self.caption or self.media_url or self.file_name)


def read(envelope: Envelope) -> Content:
    """The message's content, from wherever the dialect puts it."""
    places = envelope.places
    raw_type = text.word(envelope.first(_TYPES))
    # SAK's flat events pass no protobuf on; looking for it in each would cost them a tenth of the time.
    found = proto.find(places) if envelope.message is not None or raw_type is None else None
    proto_type = None
    if found is not None:
        proto_type = found[0]
        places = (found[1], *places)
    raw_type = raw_type or proto_type
    words = text.content(_words(places))
    named = _named(proto_type or raw_type)
    if found is None and envelope.lacks(_RARE):
        kind = named or _inferred(raw_type, words, None)
        state = _state(kind, raw_type, has_words=words is not None, has_media=False)
        return Content(kind, raw_type, state, words, None, None, None, None, None, None)
    caption = text.content(first(places, _CAPTIONS))
    media = first(places, _FILES)
    media_places = places
    if (media_fields := json_document.mapping(media)) is not None:
        media_places = (media_fields, *places)
        caption = caption or text.content(media_fields.get("caption"))
    mime_type = text.word(first(media_places, _MIME_TYPES))
    file_name = text.word(first(media_places, _FILE_NAMES), text.MAX_NAME)
    if media_fields is not None:
        file_name = file_name or text.word(media_fields.get("name"), text.MAX_NAME)
    # WhatsApp's own links lead to encrypted files: what is inside the protobuf message is no link for people.
    media_url = _link(media, envelope.places, named)
    kind = named or _inferred(raw_type, words, mime_type or file_name or media_url)
    return Content(
        type=kind,
        raw_type=raw_type,
        state=_state(kind, proto_type or raw_type, has_words=bool(words or caption), has_media=media_url is not None),
        text=words,
        caption=caption,
        media_url=media_url,
        mime_type=mime_type,
        file_name=file_name,
        reply_to=_reply_to(places),
        proto_type=proto_type,
    )


def _named(raw_type: str | None) -> MessageType | None:
    if raw_type is None:
        return None
    return message_types.TYPES.get(raw_type) or message_types.TYPES.get(raw_type.lower())


def _inferred(raw_type: str | None, words: str | None, file: str | None) -> MessageType:
    """What a message is that does not say so, or wraps what is not told, or comes behind a key or a context.

    `file` is what is known of its file: the MIME type, else the name, else the link.
    """
    if raw_type is not None and raw_type not in message_types.WRAPPERS and raw_type not in message_types.NOISE:
        return "unknown"
    if file is not None:
        return message_types.media_type(file) or "unknown"
    return "text" if words else "unknown"


def _state(kind: MessageType, raw_type: str | None, *, has_words: bool, has_media: bool) -> ContentState:
    if has_media or kind == "system" or (has_words and kind not in message_types.MEDIA):
        return "complete"
    if kind in message_types.MEDIA:
        return "media_missing"
    if raw_type is None or raw_type in message_types.PLAIN_TEXT or raw_type in message_types.UNDECRYPTED:
        return "undecrypted"
    return "media_missing"


def _words(places: tuple[Fields, ...]) -> object:
    value = first(places, ("text", "body", "conversation"))
    if value is None:
        # `"message": "Hello"`, where there is no object of that name.
        value = first(places, ("message",))
        return value if isinstance(value, str) else None
    fields = json_document.mapping(value)
    return value if fields is None else fields.get("body")


def _link(media: object, places: tuple[Fields, ...], named: MessageType | None) -> str | None:
    """The media's link. A bare `url` may be what a text is about: it counts where a file is expected, or seen."""
    for key in _LINKS:
        if (link := text.url(first(places, (key,)))) is not None:
            return link
    fields = json_document.mapping(media)
    if fields is not None:
        return text.url(first((fields,), ("url", "link", "href")))
    if (link := text.url(media)) is not None:
        return link
    link = text.url(first(places, ("url",)))
    if link is None or named in message_types.MEDIA:
        return link
    return link if named is None and message_types.media_type(link) is not None else None


def _reply_to(places: tuple[Fields, ...]) -> str | None:
    for key in _REPLIES:
        value = first(places, (key,))
        if value is None:
            continue
        fields = json_document.mapping(value)
        if fields is not None:
            key_fields = json_document.mapping(fields.get("key"))
            value = first((fields,) if key_fields is None else (fields, key_fields), _REPLY_IDS)
        if (identifier := text.identifier(value)) is not None:
            return identifier
    return None
