"""Reads a protobuf message as spelled by Baileys or whatsmeow: its content, or the update that it contains.

The two spell some fields differently: `stanzaId` and `stanzaID`, `id` and `ID`.
"""

from typing import Final

from worker.senders.reasons import NoFactsError
from worker.senders.whatsapp import (
    json_document,
    locations,
    message_content,
    message_types,
    proto,
    stubs,
    text,
    update_content,
    words,
)
from worker.senders.whatsapp.json_document import JsonObject
from worker.senders.whatsapp.message_content import MessageContent
from worker.senders.whatsapp.update_content import UpdateContent

UNDECRYPTED: Final = MessageContent("unknown", None, "undecrypted")
"""The content of a message that could not be decrypted, or is not available yet."""


def read(message: JsonObject) -> MessageContent | UpdateContent:
    """Return the content or the update. Raises NoFactsError for anything else, such as keys and settings."""
    found = proto.unwrap(message, is_protobuf=True)
    if found is None:
        return UNDECRYPTED
    name, fields = found
    if name in message_types.REACTION_TYPES:
        return update_content.read_reaction(fields)
    if name in message_types.PROTOCOL_TYPES:
        return update_content.read_protocol(fields)
    if (noise := message_types.NOISE_REASONS.get(name)) is not None:
        raise NoFactsError(noise)
    return _content(name, fields)


def read_record(record: JsonObject, message_id: str | None) -> MessageContent | UpdateContent:
    """Return the content of a gateway's record: its `message`, or the stub in place of one.

    `message_id` is the id of the record.
    """
    if message := json_document.object_at(record, "message"):
        return read(message)
    stub = stubs.name(record.get("messageStubType"))
    if stub == stubs.REVOKED and message_id is not None:
        return update_content.delete(message_id)
    return _read_stub(stub, record.get("messageStubParameters"))


def _read_stub(stub: str | None, parameters: object) -> MessageContent:
    """Return the content of a notice, or of a message that was not decrypted."""
    if stub is None or stub in stubs.UNDECRYPTED:
        return UNDECRYPTED
    return UNDECRYPTED._replace(type="system", raw_type=stub, state="complete", text=stubs.words(stub, parameters))


def reply_to(context: object) -> str | None:
    """Return the id of the quoted message in a `contextInfo`."""
    fields = json_document.as_object(context)
    return None if fields is None else text.identifier(fields.get("stanzaId") or fields.get("stanzaID"))


def _content(name: str, fields: JsonObject) -> MessageContent:
    raw_type, mime_type = text.label(name), text.label(fields.get("mimetype"))
    known = message_content.known_type(raw_type)
    is_media = known in message_types.MEDIA_TYPES
    found = caption = None
    if is_media:
        caption = text.message_text(fields.get("caption"))
    elif name in message_types.PLAIN_TEXT_TYPES:
        found = text.message_text(fields.get("text"))
    else:
        found = words.collect(name, fields) or locations.describe(fields, (), ("degreesLatitude", "degreesLongitude"))
    kind = known or message_content.infer_type(raw_type, found, mime_type)
    return MessageContent(
        type=kind,
        raw_type=raw_type,
        state=message_content.state(kind, raw_type, has_text=bool(found or caption), has_media=False),
        text=found,
        caption=caption,
        # Without `media_url`: the link leads to WhatsApp's encrypted file.
        mime_type=mime_type,
        file_name=text.label(fields.get("fileName") or fields.get("title"), text.MAX_NAME) if is_media else None,
        media_seconds=message_content.media_seconds(kind, fields.get("seconds")),
        reply_to=reply_to(fields.get("contextInfo")),
        forwarded=message_content.forwarding(json_document.object_at(fields, "contextInfo")),
        proto_type=raw_type,
    )


def with_file(content: MessageContent, *, link: object, mime_type: object, name: object) -> MessageContent:
    """Return the content with the file that the gateway has fetched.

    Values that it lacks are taken from the message.
    """
    media_url = text.url(link)
    mime = text.label(mime_type) or content.mime_type
    kind = content.type
    if content.raw_type is None and (mime is not None or media_url is not None):
        kind = message_types.media_type(mime or media_url or "") or kind
    has_text = bool(content.text or content.caption)
    return content._replace(
        type=kind,
        state=message_content.state(kind, content.raw_type, has_text=has_text, has_media=media_url is not None),
        media_url=media_url,
        mime_type=mime,
        file_name=text.label(name, text.MAX_NAME) or content.file_name,
    )
