"""Extracts the content of a WAHA message. The engine's own message in `_data` describes it best."""

from typing import Final

from store.model.facts import MessageType
from worker.senders.whatsapp import (
    json_document,
    locations,
    message_content,
    message_ids,
    message_types,
    proto_messages,
    text,
    update_content,
    words,
)
from worker.senders.whatsapp.json_document import JsonObject
from worker.senders.whatsapp.message_content import MessageContent
from worker.senders.whatsapp.update_content import UpdateContent

_MESSAGE_KEYS: Final = ("message", "Message")
"""The keys of the protobuf message in `_data`, in NOWEB and in GOWS."""
_DELETED: Final = "revoked"
"""The type in WhatsApp Web of what is left of a deleted message."""


def read(payload: JsonObject) -> MessageContent | UpdateContent:
    """Return the content of a message, or the update that it contains.

    Raises NoFactsError for anything else.
    """
    engine = json_document.object_at(payload, "_data")
    found = (json_document.as_object(engine.get(key)) for key in _MESSAGE_KEYS)
    message = next((each for each in found if each), None)
    content = _read_flat(payload, engine) if message is None else proto_messages.read(message)
    if isinstance(content, UpdateContent):
        return content
    target = message_ids.bare(payload.get("id"))
    if content.raw_type == _DELETED and target is not None:
        return update_content.delete(target)
    media = json_document.object_at(payload, "media")
    content = proto_messages.with_file(
        content,
        link=media.get("url") or payload.get("mediaUrl"),
        mime_type=media.get("mimetype"),
        name=media.get("filename"),
    )
    if not content.text and not content.caption:
        content = _with_body(content, text.message_text(payload.get("body")))
    if payload.get("hasMedia") is True and content.media_url is None:
        content = content._replace(state="media_missing")
    return content._replace(reply_to=_reply_to(payload, engine) or content.reply_to)


def _read_flat(payload: JsonObject, engine: JsonObject) -> MessageContent:
    """Return the content by WhatsApp Web's name of the type, or by the fields that are present."""
    place = json_document.object_at(payload, "location")
    cards = json_document.as_list(payload.get("vCards"))
    raw_type = text.label(engine.get("type"))
    if raw_type is None:
        raw_type = "location" if place else "vcard" if cards else None if payload.get("hasMedia") else "chat"
    kind: MessageType = message_content.known_type(raw_type) or "unknown"
    found = None
    if kind == "location":
        found = locations.describe(place, ("description", "address"), ("latitude", "longitude"))
    elif kind == "contact":
        found = words.of_vcards(cards or ())
    return MessageContent(
        type=kind,
        raw_type=raw_type,
        state=message_content.state(kind, raw_type, has_text=found is not None, has_media=False),
        text=found,
        mime_type=text.label(engine.get("mimetype")),
        file_name=text.label(engine.get("filename"), text.MAX_NAME),
        media_seconds=message_content.media_seconds(kind, engine.get("duration")),
        forwarded=message_content.forwarding(engine),
    )


def _with_body(content: MessageContent, body: str | None) -> MessageContent:
    """Return the content with `body`, which is the caption of a file or the text of any other message."""
    if body is None:
        return content
    is_media = content.type in message_types.MEDIA_TYPES
    has_media = content.media_url is not None
    state = message_content.state(content.type, content.raw_type, has_text=True, has_media=has_media)
    return content._replace(state=state, **{"caption" if is_media else "text": body})


def _reply_to(payload: JsonObject, engine: JsonObject) -> str | None:
    quoted = payload.get("replyTo")
    fields = json_document.as_object(quoted)
    return message_ids.bare(quoted if fields is None else fields.get("id")) or text.identifier(
        engine.get("quotedStanzaID")
    )
