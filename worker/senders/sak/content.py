"""Extracts a message's content: type, text, media, and the message that it replies to."""

from store.model.facts import Forwarding, MessageType
from worker.senders.sak import parties
from worker.senders.sak.envelope import Envelope, find_protobuf, first_value, is_true
from worker.senders.whatsapp import json_document, message_content, message_types, stubs, text, words
from worker.senders.whatsapp.json_document import JsonObject
from worker.senders.whatsapp.message_content import MessageContent

_TYPE_KEYS = ("type", "messageType", "message_type")
_CAPTION_KEYS = ("caption", "mediaCaption", "media_caption")
_LINK_KEYS = ("mediaUrl", "media_url", "mediaURL", "fileUrl", "file_url", "downloadUrl", "download_url")
_MIME_TYPE_KEYS = ("mimetype", "mimeType", "mime_type")
_FILE_NAME_KEYS = ("fileName", "filename", "file_name")
_LENGTH_KEYS = ("seconds", "duration")
_REPLY_KEYS = (
    *("quotedMessageId", "quoted_message_id", "quotedMsgId", "quotedId", "replyTo", "reply_to", "replyToId"),
    *("reply_to_id", "inReplyTo", "quoted", "quotedMessage", "quotedMsg", "contextInfo", "context"),
)
_FORWARD_KEYS = ("isForwarded", "forwarded", "forwardingScore")
_MEDIA_KEYS = ("media", "file", "attachment")
_VIEW_ONCE_KEYS = ("isViewOnce", "is_view_once", "viewOnce")
_OPTIONAL_KEYS = frozenset(
    (
        *(*_CAPTION_KEYS, *_LINK_KEYS, *_MIME_TYPE_KEYS, *_FILE_NAME_KEYS, *_LENGTH_KEYS, *_REPLY_KEYS, *_MEDIA_KEYS),
        *(*stubs.KEYS, *_VIEW_ONCE_KEYS, *_FORWARD_KEYS, "url", "key"),
    )
)
_MEDIA_HINT_KEYS = frozenset((*_CAPTION_KEYS, *_LINK_KEYS, *_MIME_TYPE_KEYS, *_FILE_NAME_KEYS, *_MEDIA_KEYS, "url"))
_REPLY_ID_KEYS = ("stanzaId", "stanzaID", "messageId", "message_id", "id")


def read(envelope: Envelope) -> MessageContent:
    """Return the content of the message, from the places of every event_format."""
    places = envelope.message_objects
    raw_type = text.label(envelope.first_value(_TYPE_KEYS))
    # SAK's flat events have no protobuf message. Searching each of them for one would add a tenth to the time.
    protobuf = find_protobuf(envelope, places) if envelope.message is not None or raw_type is None else None
    proto_type = None
    if protobuf is not None:
        proto_type = text.label(protobuf[0])
        places = (protobuf[1], *places)
        if raw_type is None or raw_type in message_types.LEADING_TYPES:
            raw_type = proto_type
    collected = _collect_words(envelope, raw_type, protobuf)
    message_text = collected or text.message_text(_find_text(places))
    known_type = message_content.known_type(proto_type or raw_type)
    if raw_type is None and message_text is None and envelope.has_none_of(_MEDIA_HINT_KEYS):
        return _read_without_content(envelope)
    # The objects of the Cloud API have the fields of media under the type: `{"type": "image", "image": {"caption":
    # …}}`.
    has_named = protobuf is None and known_type in message_types.MEDIA_TYPES
    named = first_value(places, (raw_type,)) if has_named and raw_type is not None else None
    if protobuf is None and named is None and envelope.has_none_of(_OPTIONAL_KEYS):
        kind = known_type or message_content.infer_type(raw_type, message_text, None)
        state = message_content.state(kind, raw_type, has_text=message_text is not None, has_media=False)
        return MessageContent(kind, raw_type, state, message_text)
    caption = None if collected else text.message_text(first_value(places, _CAPTION_KEYS))
    media = first_value(places, _MEDIA_KEYS) or named
    media_places = places
    if (media_fields := json_document.as_object(media)) is not None:
        media_places = (media_fields, *places)
        caption = caption or text.message_text(media_fields.get("caption"))
    mime_type = text.label(first_value(media_places, _MIME_TYPE_KEYS))
    file_name = text.label(first_value(media_places, _FILE_NAME_KEYS), text.MAX_NAME)
    if media_fields is not None:
        file_name = file_name or text.label(media_fields.get("name"), text.MAX_NAME)
    # Links inside the protobuf message lead to WhatsApp's encrypted files, so they are ignored.
    media_url = _find_link(media, envelope.message_objects, known_type)
    kind = known_type or message_content.infer_type(raw_type, message_text, mime_type or file_name or media_url)
    has_text, has_media = bool(message_text or caption), media_url is not None
    return MessageContent(
        type=kind,
        raw_type=raw_type,
        state=message_content.state(kind, proto_type or raw_type, has_text=has_text, has_media=has_media),
        text=message_text,
        caption=caption,
        media_url=media_url,
        mime_type=mime_type,
        file_name=file_name,
        media_seconds=message_content.media_seconds(kind, first_value(media_places, _LENGTH_KEYS)),
        reply_to=_find_reply_to(places),
        forwarded=_find_forwarding(places),
        proto_type=proto_type,
    )


def _collect_words(envelope: Envelope, raw_type: str | None, protobuf: tuple[str, JsonObject] | None) -> str | None:
    """Return the text of a type that has it in places of its own, or None for plain text and media."""
    if protobuf is not None:
        is_plain = (
            protobuf[0] in message_types.PLAIN_TEXT_TYPES
            or message_content.known_type(protobuf[0]) in message_types.MEDIA_TYPES
        )
        return None if is_plain else words.collect(*protobuf)
    if raw_type is None or raw_type not in words.PLACES:
        return None
    value = envelope.first_value((raw_type,))
    return words.collect(raw_type, json_document.as_object(value) or {raw_type: value})


def _read_without_content(envelope: Envelope) -> MessageContent:
    """Return a message without type and content: a notice, one that may not be opened here, or one not decrypted."""
    kind: MessageType = "unknown"
    raw_type, state, notice = None, "undecrypted", None
    stub = stubs.name(envelope.first_value(stubs.KEYS))
    if _is_view_once(envelope):
        raw_type, state = message_types.VIEW_ONCE_TYPE, "media_missing"
    elif stub is None and envelope.has_long_time and parties.find_push_name(envelope) is None:
        kind, state = "system", "complete"
    elif stub is not None and stub not in stubs.UNDECRYPTED:
        kind, raw_type, state = "system", stub, "complete"
        notice = stubs.words(stub, envelope.first_value(stubs.PARAMETER_KEYS))
    return MessageContent(kind, raw_type, state, notice)


def _is_view_once(envelope: Envelope) -> bool:
    places = envelope.message_objects if envelope.message_key is None else (envelope.message_key,)
    return any(is_true(first_value(objects, _VIEW_ONCE_KEYS)) for objects in (envelope.message_objects, places))


def _find_text(objects: tuple[JsonObject, ...]) -> object:
    value = first_value(objects, ("text", "body", "conversation"))
    if value is None:
        # `"message": "Hello"`: a string instead of an object.
        value = first_value(objects, ("message",))
        return value if isinstance(value, str) else None
    fields = json_document.as_object(value)
    return value if fields is None else fields.get("body")


def _find_link(media: object, objects: tuple[JsonObject, ...], known_type: MessageType | None) -> str | None:
    """Return the link of the media.

    A bare `url` may be a link in a text, so it counts only for media types and file names.
    """
    for key in _LINK_KEYS:
        if (link := text.url(first_value(objects, (key,)))) is not None:
            return link
    fields = json_document.as_object(media)
    if fields is not None:
        return text.url(first_value((fields,), ("url", "link", "href")))
    if (link := text.url(media)) is not None:
        return link
    link = text.url(first_value(objects, ("url",)))
    if link is None or known_type in message_types.MEDIA_TYPES:
        return link
    return link if known_type is None and message_types.media_type(link) is not None else None


def _find_reply_to(objects: tuple[JsonObject, ...]) -> str | None:
    for key in _REPLY_KEYS:
        value = first_value(objects, (key,))
        if value is None:
            continue
        fields = json_document.as_object(value)
        if fields is not None:
            key_fields = json_document.as_object(fields.get("key"))
            value = first_value((fields,) if key_fields is None else (fields, key_fields), _REPLY_ID_KEYS)
        if (identifier := text.identifier(value)) is not None:
            return identifier
    return None


def _find_forwarding(objects: tuple[JsonObject, ...]) -> Forwarding | None:
    contexts = (json_document.as_object(first_value(objects, (key,))) for key in ("contextInfo", "context"))
    for fields in (*contexts, *objects):
        if fields and (forwarded := message_content.forwarding(fields)) is not None:
            return forwarded
    return None
