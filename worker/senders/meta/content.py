"""Extracts the content of a message from Meta. Each type has its fields in an object with its name."""

from typing import Final

from worker.senders.whatsapp import json_document, locations, message_content, proto_messages, text, words
from worker.senders.whatsapp.json_document import JsonObject
from worker.senders.whatsapp.message_content import MessageContent
from worker.senders.whatsapp.message_types import MEDIA_TYPES

_HISTORY_FILE: Final = "media_placeholder"
"""The type of a file in the history until the file arrives as a message with the same id."""
_WITHOUT_CONTENT: Final = "unsupported"
"""The type of a message whose content Meta does not pass on."""


def type_of(item: JsonObject) -> str | None:
    """Return Meta's name for the type of a message, or else the key of the content."""
    named = text.label(item.get("type"))
    return named or next((key for key in item if message_content.known_type(key)), None)


def read(item: JsonObject, raw_type: str | None) -> MessageContent:
    """Return the content of a message of this type."""
    context = json_document.object_at(item, "context")
    return _read(item, raw_type)._replace(
        reply_to=text.identifier(context.get("id")), forwarded=message_content.forwarding(context)
    )


def _read(item: JsonObject, raw_type: str | None) -> MessageContent:
    if raw_type is None or raw_type == _WITHOUT_CONTENT:
        return proto_messages.UNDECRYPTED._replace(raw_type=raw_type)
    if raw_type == _HISTORY_FILE:
        return proto_messages.UNDECRYPTED._replace(raw_type=raw_type, state="media_missing")
    fields = json_document.object_at(item, raw_type)
    if message_content.known_type(raw_type) in MEDIA_TYPES:
        # Files are fetched from Meta by id. `url` needs the access token and expires after minutes.
        return message_content.of_words(
            raw_type,
            text.message_text(fields.get("caption")),
            mime_type=text.label(fields.get("mime_type")),
            file_name=text.label(fields.get("filename"), text.MAX_NAME),
        )
    return message_content.of_words(raw_type, _words(item, raw_type, fields))


def edited_text(message: JsonObject) -> str | None:
    """Return the new text or caption of an edited message, or None if it has none."""
    edited = read(message, type_of(message))
    # If a file has no caption, its caption was removed.
    return edited.text or edited.caption or ("" if edited.type in MEDIA_TYPES else None)


def _words(item: JsonObject, raw_type: str, fields: JsonObject) -> str | None:
    if raw_type == "text":
        return text.message_text(fields.get("body"))
    if raw_type == "contacts":
        return words.collect(raw_type, {"contacts": item.get(raw_type)})
    if raw_type == "interactive":
        answer = json_document.object_at(fields, text.label(fields.get("type")) or "")
        return text.message_text(answer.get("title")) or words.collect(raw_type, fields)
    if raw_type == "location":
        return locations.describe(fields, ("name", "address"), ("latitude", "longitude"))
    return words.collect(raw_type, fields)
