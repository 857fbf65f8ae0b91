"""Extracts the content of a message of Meta: each type has its fields in an object of its name."""

from typing import NamedTuple

from store.model.facts import ContentState, MessageType
from worker.senders.whatsapp import json_document, locations, message_content, text, words
from worker.senders.whatsapp.json_document import JsonObject
from worker.senders.whatsapp.message_types import MEDIA_TYPES

_HISTORY_FILE = "media_placeholder"
"""The type of a file in the history until the file is told, as a message with the same id."""
_NEVER_TOLD = "unsupported"
"""The type of a message whose content Meta does not pass on."""


class Content(NamedTuple):
    """The content of a message."""

    type: MessageType
    state: ContentState
    text: str | None = None
    caption: str | None = None
    mime_type: str | None = None
    file_name: str | None = None


def read(item: JsonObject, raw_type: str | None) -> Content:
    """The content of a message of this type."""
    if raw_type is None or raw_type == _NEVER_TOLD:
        return Content("unknown", "undecrypted")
    if raw_type == _HISTORY_FILE:
        return Content("unknown", "media_missing")
    kind = message_content.known_type(raw_type) or "unknown"
    fields = json_document.as_object(item.get(raw_type)) or {}
    if kind in MEDIA_TYPES:
        # Files are fetched from Meta by their id; `url` needs the access token and expires after minutes.
        return Content(
            kind,
            "media_missing",
            caption=text.message_text(fields.get("caption")),
            mime_type=text.label(fields.get("mime_type")),
            file_name=text.label(fields.get("filename"), text.MAX_NAME),
        )
    found = _words(item, raw_type, fields)
    state = message_content.state(kind, raw_type, has_text=found is not None, has_media=False)
    return Content(kind, state, text=found)


def reply_to(item: JsonObject) -> str | None:
    """The id of the message that this one quotes."""
    context = json_document.as_object(item.get("context")) or {}
    return text.identifier(context.get("id"))


def edited_text(message: JsonObject) -> str | None:
    """The new text or caption of an edited message."""
    raw_type = text.label(message.get("type"))
    edited = read(message, raw_type)
    return edited.text or edited.caption


def _words(item: JsonObject, raw_type: str, fields: JsonObject) -> str | None:
    if raw_type == "text":
        return text.message_text(fields.get("body"))
    if raw_type == "contacts":
        return words.collect(raw_type, {"contacts": item.get(raw_type)})
    if raw_type == "interactive":
        answer = json_document.as_object(fields.get(text.label(fields.get("type")) or "")) or {}
        return text.message_text(answer.get("title")) or words.collect(raw_type, fields)
    if raw_type == "location":
        return locations.describe(fields, ("name", "address"), ("latitude", "longitude"))
    return words.collect(raw_type, fields)
